"""The documents that clients post: jobs, transitions, changes of a job, templates.

Reading a document gives a frozen model or a `DocumentError` that names every fault by JSON Pointer.
What the models can't say - whether a description is complete, paths, a second kind of work - is
checked in `jobengine.model.check`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, Field, TypeAdapter, ValidationError, field_validator

from jobengine.errors import DocumentError
from jobengine.model.casing import CamelModel
from jobengine.model.description import JobDescription
from jobengine.model.event_name import RESERVED
from jobengine.model.faults import faults_of
from jobengine.model.trigger import Trigger

Json = Any
Name = Annotated[str, Field(max_length=1024)]
RestartPolicy = Literal["never", "resume"]
MAX_TRANSITIONS = 100_000


class TransitionDocument(CamelModel):
    """One step to append: when, and what changes. ``volatile`` ones go to the running worker only."""

    trigger: Trigger = Field(description="When the transition passes, and which state it requests.")
    job_description: JobDescription | None = Field(
        None, description="What changes of the job's description from then on; only what changes."
    )
    info: dict[str, Any] | None = Field(None, description="Anything of the client's, kept in the history.")
    volatile: bool = Field(
        False,
        description="Goes to the running worker only and leaves no row: for faders, not for what counts.",
    )


class JobDocument(CamelModel):
    """A job to run. ``jobId`` is tolerated, as old documents carry it, and ignored: the service makes ids."""

    job_id: Any = Field(None, description="Ignored; the service makes ids.")
    name: Name = Field("", description="A name for people; need not be unique.")
    alias: Name = Field("", description="A second name, for the client's own numbering.")
    client_data: Any = Field(None, description="Any JSON of the client's; kept and given back as it came.")
    restart_policy: RestartPolicy = Field(
        "never",
        description="What follows on a lost worker: the job ends in Error, or goes on in a new worker.",
    )
    transitions: list[TransitionDocument] = Field(
        min_length=1,
        max_length=MAX_TRANSITIONS,
        description="The plan, in order. The first with a description says what kind of work it is.",
    )


class JobUpdate(CamelModel):
    """ROAD's PUT: given fields are changed, given transitions are appended."""

    job_id: Any = Field(None, description="Ignored; the address names the job.")
    name: Name | None = Field(None, description="The new name.")
    alias: Name | None = Field(None, description="The new second name.")
    client_data: Any = Field(None, description="The new data of the client's, in place of the old.")
    restart_policy: RestartPolicy | None = Field(
        None, description="What follows on a lost worker from now on."
    )
    transitions: list[TransitionDocument] = Field(
        default_factory=list, max_length=MAX_TRANSITIONS, description="Transitions to append, in order."
    )


class JobPatch(CamelModel):
    """RFC 7396 merge patch of what may change in a job at any time."""

    name: Name | None = Field(None, description="The new name.")
    alias: Name | None = Field(None, description="The new second name.")
    client_data: Any = Field(None, description="A merge patch of the client's data.")


class TransitionPatch(CamelModel):
    """RFC 7396 merge patch of a pending transition; what comes of it must be a whole transition again."""

    trigger: dict[str, Any] | None = Field(None, description="A merge patch of the trigger.")
    job_description: dict[str, Any] | None = Field(
        None, description="A merge patch of what changes of the description."
    )
    info: dict[str, Any] | None = Field(None, description="A merge patch of the client's data.")


class EventDocument(CamelModel):
    """A named event to raise."""

    name: str = Field(
        min_length=1,
        max_length=256,
        description="What Event triggers wait for, letter by letter; "
        "`job:` and `content:` begin the engine's own.",
    )
    data: dict[str, Any] = Field(
        default_factory=dict, description="What goes with it; Event triggers can ask for members of it."
    )

    @field_validator("name")
    @classmethod
    def _is_nobody_elses(cls, name: str) -> str:
        if name.startswith(RESERVED):
            raise ValueError(f"names that begin with {' or '.join(RESERVED)} are raised by the engine only")
        return name


class TemplateDocument(CamelModel):
    """A job, or part of one, to be copied and completed."""

    name: Name
    description: str = ""
    groups: list[str] = Field(default_factory=list)
    job: dict[str, Any]


DocumentModel = TypeVar("DocumentModel", bound=BaseModel)


def read(model: type[DocumentModel], value: Json) -> DocumentModel:
    """``value`` as a ``model``. Raises `DocumentError` with every fault."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise DocumentError(faults_of(error, value)) from None


def read_transitions(value: Json) -> list[TransitionDocument]:
    """One transition, a list of them, or ``{"transitions": […]}``. Raises `DocumentError`."""
    wrapped = _only_transitions(value)
    if wrapped is not None:
        return _read_list(wrapped, "/transitions")
    if isinstance(value, list):
        return _read_list(value, "")
    return [read(TransitionDocument, value)]


def _only_transitions(value: Json) -> Json | None:
    if isinstance(value, dict) and [str(key).lower() for key in value] == ["transitions"]:
        return next(iter(value.values()))
    return None


_LIST: TypeAdapter[list[TransitionDocument]] = TypeAdapter(
    Annotated[list[TransitionDocument], Field(min_length=1, max_length=MAX_TRANSITIONS)]
)


def _read_list(value: Json, prefix: str) -> list[TransitionDocument]:
    try:
        return _LIST.validate_python(value)
    except ValidationError as error:
        raise DocumentError(faults_of(error, value, prefix)) from None
