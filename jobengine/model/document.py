"""The documents that clients post: jobs, transitions, changes of a job, templates.

Reading a document gives a frozen model or a `DocumentError` that names every fault by JSON Pointer.
What the models can't say - whether a description is complete, paths, a second kind of work - is
checked in `jobengine.model.check`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from jobengine.errors import DocumentError
from jobengine.model.casing import CamelModel
from jobengine.model.description import JobDescription
from jobengine.model.faults import faults_of
from jobengine.model.trigger import Trigger

Json = Any
Name = Annotated[str, Field(max_length=1024)]
RestartPolicy = Literal["never", "resume"]
MAX_TRANSITIONS = 100_000


class TransitionDocument(CamelModel):
    """One step to append: when, and what changes. ``volatile`` ones go to the running worker only."""

    trigger: Trigger
    job_description: JobDescription | None = None
    info: dict[str, Any] | None = None
    volatile: bool = False


class JobDocument(CamelModel):
    """A job to run. ``jobId`` is tolerated, as old documents carry it, and ignored: the service makes ids."""

    job_id: Any = None
    name: Name = ""
    alias: Name = ""
    client_data: Any = None
    restart_policy: RestartPolicy = "never"
    transitions: list[TransitionDocument] = Field(min_length=1, max_length=MAX_TRANSITIONS)


class JobUpdate(CamelModel):
    """ROAD's PUT: given fields are changed, given transitions are appended."""

    job_id: Any = None
    name: Name | None = None
    alias: Name | None = None
    client_data: Any = None
    restart_policy: RestartPolicy | None = None
    transitions: list[TransitionDocument] = Field(default_factory=list, max_length=MAX_TRANSITIONS)


class JobPatch(CamelModel):
    """RFC 7396 merge patch of what may change in a job at any time."""

    name: Name | None = None
    alias: Name | None = None
    client_data: Any = None


class TransitionPatch(CamelModel):
    """RFC 7396 merge patch of a pending transition; what comes of it must be a whole transition again."""

    trigger: dict[str, Any] | None = None
    job_description: dict[str, Any] | None = None
    info: dict[str, Any] | None = None


class EventDocument(CamelModel):
    """A named event to raise."""

    name: str = Field(min_length=1, max_length=256)
    data: dict[str, Any] = Field(default_factory=dict)


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
