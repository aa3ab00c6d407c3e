"""The shapes of answers, for the OpenAPI document. Every member may be missing: ``fields`` prunes.

Requests are documented by the models that read them (`jobengine.model.document`).
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, RootModel
from pydantic.alias_generators import to_camel

from jobengine.model.document import TransitionDocument
from jobengine.model.lifecycle import JobState, TransitionStatus

Json = Any


class Shape(BaseModel):
    """Base of the answers: camelCase. Built when the document is made, not at every start."""

    model_config = ConfigDict(alias_generator=to_camel, defer_build=True)


class TransitionShape(Shape):
    """A transition, planned or settled."""

    transition_id: str = Field("", description="UUIDv7.")
    status: TransitionStatus = Field(TransitionStatus.PENDING, description="Pending, or how it was settled.")
    position: int | None = Field(None, description="Place in the plan.")
    sequence: int | None = Field(None, description="Number in the job's history, from 1; null while pending.")
    time_stamp: str | None = Field(None, description="When it was settled.")
    due_time: str | None = Field(None, description="When it is, or was, due, where that is known.")
    lateness_ms: float | None = Field(None, description="How much later than due it was settled.")
    stream_position: dict[str, Json] | None = Field(
        None, description="Where on the stream clock it took effect."
    )
    current_proc_state: JobState | None = Field(None, description="The job's state from then on.")
    trigger: dict[str, Json] = Field(default_factory=dict, description="The trigger, as posted.")
    job_description: dict[str, Json] | None = Field(
        None, description="What changed of the description, as posted."
    )
    resolved_description: dict[str, Json] | None = Field(
        None, description="The same with every placeholder filled in."
    )
    values: dict[str, Json] | None = Field(None, description="What filled the placeholders in.")
    info: dict[str, Json] | None = Field(None, description="The client's, or what the engine has to say.")
    actor: str = Field("", description="Who: a key's name, or the part of the engine.")
    created_time: str = Field("", description="When it was appended.")
    hash: str | None = Field(None, description="SHA-256 of this row and the one before it.")
    previous_hash: str | None = Field(None, description="The hash of the row before it.")
    superseded_by: str | None = Field(None, description="The transition that an edit put in its place.")


class JobShape(Shape):
    """A job as it stands."""

    job_id: str = Field("", description="UUIDv7.")
    name: str = Field("", description="Name for people.")
    alias: str = Field("", description="Second name.")
    kind: str | None = Field(None, description="Kind of work; null before the first description.")
    processing_host: str = Field("", description="The host that it runs on.")
    transitions: list[TransitionShape] = Field(
        default_factory=list, description="History and plan, in order."
    )
    created_time: str = Field("", description="When it was posted.")
    updated_time: str = Field("", description="When it last changed.")
    current_state: JobState = Field(JobState.PENDING, description="State of the lifecycle.")
    is_active: bool = Field(True, description="Whether its state is not final.")
    client_data: Json = Field(None, description="The client's.")
    worker_process_id: int = Field(0, description="Process that runs it; 0 for none.")
    status_message: str = Field("", description="Why it is as it is, for programs to log.")
    friendly_status_message: str = Field("", description="The same for people.")
    restart_policy: str = Field("", description="What follows on a lost worker.")
    revision: int = Field(0, description="Grows with every change; the ETag.")
    log_info_count: int = Field(0, description="How many lines its log has.")
    log_infos: list[dict[str, Json]] = Field(
        default_factory=list, description="Lines of its log; only if asked for."
    )


class PlanEntry(Shape):
    """What a planned transition would do, and when."""

    index: int = Field(description="Place in the document, from 0.")
    trigger: dict[str, Json] = Field(description="The trigger, as it would be kept.")
    when: str | None = Field(description="When, or what it waits for.")
    stream_time_ms: float | None = Field(
        None, description="Stream time at which it would pass, where that can be told."
    )
    current_proc_state: JobState | None = Field(description="The state from then on.")
    effective_description: dict[str, Json] | None = Field(description="The whole description from then on.")
    reason: str | None = Field(None, description="Why it would not pass.")


class PlanShape(Shape):
    """The planned timeline of a document that was only checked."""

    valid: bool = Field(description="Always true; faults are a problem.")
    kind: str | None = Field(description="Kind of work.")
    timeline: list[PlanEntry] = Field(description="What would happen, in order.")


class OutputShape(Shape):
    """A file or target really written."""

    number: int = Field(description="From 1 within the job.")
    graph: str = Field(description="Name of the output graph.")
    kind: str = Field(description="What it is: a file, a content.")
    path: str | None = Field(None, description="The real path of a file.")
    url: str | None = Field(None, description="The address of what is no file.")
    start_time: str = Field(description="Wall time of its first sample or element.")
    start_position: int = Field(description="Stream position of its first sample or element.")
    samples: int | None = Field(None, description="How many samples it has.")
    elements: int | None = Field(None, description="How many elements it has.")
    closed: bool = Field(description="Whether it is complete.")


class Band(Shape):
    """A stretch of time for display; ``to`` is null while it lasts."""

    lane: str = Field(description="What it is shown beside: states, or an output.")
    state: str = Field(description="What held.")
    from_time: str = Field(description="Since when.")
    to_time: str | None = Field(description="Until when.")
    why: str = Field(description="What began it.")
    transition_id: str | None = Field(None, description="The transition that began it.")

    model_config = ConfigDict(
        alias_generator=lambda name: {"from_time": "from", "to_time": "to"}.get(name, to_camel(name))
    )


class TimelineShape(Shape):
    """Past states, what is planned, and the reason of waiting."""

    now: str = Field(description="The service's clock.")
    bands: list[Band] = Field(description="What was.")
    planned: list[dict[str, Json]] = Field(description="What is planned.")
    waiting_for: str | None = Field(description="What the job waits for.")


class EventShape(Shape):
    """One line of the numbered event feed."""

    sequence: int = Field(description="Number in the feed; a listener goes on after it.")
    time: str = Field(description="When it happened.")
    type: str = Field(description="What happened.")
    job_id: str | None = Field(description="The job that it is about.")
    data: dict[str, Json] = Field(description="What there is to say of it.")


class VariableShape(Shape):
    """A value for ``${Var:Name}``."""

    name: str = Field(description="Name.")
    value: Json = Field(description="Value.")


class CountShape(Shape):
    """How many."""

    count: int = Field(description="How many.")


class ComponentShape(Shape):
    """Whether one part of the service works."""

    ready: bool = Field(description="Whether it works.")
    detail: str = Field(description="What is the matter.")


class ReadyShape(Shape):
    """Whether the service can do its work, by part."""

    ready: bool = Field(description="Whether all parts work.")
    components: dict[str, ComponentShape] = Field(description="Each part by name.")


class JobsOrCount(RootModel[list[JobShape] | CountShape]):
    """Jobs, or with ``count`` how many."""


class TransitionList(RootModel[list[TransitionShape]]):
    """Transitions in order."""


class OutputList(RootModel[list[OutputShape]]):
    """Outputs in order."""


class EventList(RootModel[list[EventShape]]):
    """Events in order."""


class VariableList(RootModel[list[VariableShape]]):
    """All variables by name."""


class DeviceList(RootModel[list[dict[str, Json]]]):
    """Audio devices of this host."""


class Object(RootModel[dict[str, Json]]):
    """A JSON object."""


class TransitionsWrapped(BaseModel):
    """Transitions as a member, as in a job."""

    model_config = ConfigDict(extra="forbid")
    transitions: list[TransitionDocument] = Field(description="In order.")


class TransitionsBody(RootModel[TransitionDocument | list[TransitionDocument] | TransitionsWrapped]):
    """One transition, or many."""
