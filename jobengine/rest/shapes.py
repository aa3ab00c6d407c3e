"""The shapes of answers, for the OpenAPI document. Every member may be missing: ``fields`` prunes.

Requests are documented by the models that read them (`jobengine.model.document`).
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, RootModel
from pydantic.alias_generators import to_camel

from jobengine.model.document import TransitionDocument
from jobengine.model.lifecycle import JobState, TransitionStatus

Json = Any


class Shape(BaseModel):
    """Base of the answers: camelCase. Built when the document is made, not at every start."""

    model_config = ConfigDict(alias_generator=to_camel, defer_build=True)


class TransitionShape(Shape):
    """A transition, planned or settled."""

    transition_id: str = ""
    status: TransitionStatus = TransitionStatus.PENDING
    position: int | None = None
    sequence: int | None = None
    time_stamp: str | None = None
    due_time: str | None = None
    lateness_ms: float | None = None
    stream_position: dict[str, Json] | None = None
    current_proc_state: JobState | None = None
    trigger: dict[str, Json] = {}
    job_description: dict[str, Json] | None = None
    resolved_description: dict[str, Json] | None = None
    values: dict[str, Json] | None = None
    info: dict[str, Json] | None = None
    actor: str = ""
    created_time: str = ""
    hash: str | None = None
    previous_hash: str | None = None
    superseded_by: str | None = None


class JobShape(Shape):
    """A job as it stands."""

    job_id: str = ""
    name: str = ""
    alias: str = ""
    kind: str | None = None
    processing_host: str = ""
    transitions: list[TransitionShape] = []
    created_time: str = ""
    updated_time: str = ""
    current_state: JobState = JobState.PENDING
    is_active: bool = True
    client_data: Json = None
    worker_process_id: int = 0
    status_message: str = ""
    friendly_status_message: str = ""
    restart_policy: str = ""
    revision: int = 0
    log_info_count: int = 0
    log_infos: list[dict[str, Json]] = []


class PlanEntry(Shape):
    """What a planned transition would do, and when."""

    index: int
    trigger: dict[str, Json]
    when: str | None
    stream_time_ms: float | None = None
    current_proc_state: JobState | None
    effective_description: dict[str, Json] | None
    reason: str | None = None


class PlanShape(Shape):
    """The planned timeline of a document that was only checked."""

    valid: bool
    kind: str | None
    timeline: list[PlanEntry]


class OutputShape(Shape):
    """A file or target really written."""

    number: int
    graph: str
    kind: str
    path: str | None = None
    url: str | None = None
    start_time: str
    start_position: int
    samples: int | None = None
    elements: int | None = None
    closed: bool


class Band(Shape):
    """A stretch of time for display; ``to`` is null while it lasts."""

    lane: str
    state: str
    from_time: str
    to_time: str | None
    why: str
    transition_id: str | None = None

    model_config = ConfigDict(
        alias_generator=lambda name: {"from_time": "from", "to_time": "to"}.get(name, to_camel(name))
    )


class TimelineShape(Shape):
    """Past states, what is planned, and the reason of waiting."""

    now: str
    bands: list[Band]
    planned: list[dict[str, Json]]
    waiting_for: str | None


class EventShape(Shape):
    """One line of the numbered event feed."""

    sequence: int
    time: str
    type: str
    job_id: str | None
    data: dict[str, Json]


class VariableShape(Shape):
    """A value for ``${Var:Name}``."""

    name: str
    value: Json


class CountShape(Shape):
    """How many."""

    count: int


class ComponentShape(Shape):
    """Whether one part of the service works."""

    ready: bool
    detail: str


class ReadyShape(Shape):
    """Whether the service can do its work, by part."""

    ready: bool
    components: dict[str, ComponentShape]


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
    transitions: list[TransitionDocument]


class TransitionsBody(RootModel[TransitionDocument | list[TransitionDocument] | TransitionsWrapped]):
    """One transition, or many."""
