"""Query parameters: one frozen model per route, from which the documentation is made as well.

A flag may stand alone (``?count``) or have a value (``?count=false``). Unknown or repeated parameters are
refused, so that a misspelt filter never means "everything".
"""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches
from functools import cache
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator
from pydantic.alias_generators import to_camel
from werkzeug.datastructures import MultiDict

from jobengine.errors import MalformedError
from jobengine.model.faults import sentence_of
from jobengine.rest.shapes import JobShape

DEFAULT_LIMIT = 50
MAX_LIMIT = 1000


def _read_flag(value: Any) -> Any:
    return True if value == "" else value


Flag = Annotated[bool, BeforeValidator(_read_flag)]
Text = Annotated[str, Field(max_length=8192)]


class Query(BaseModel):
    """Base of the query models."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_alias=True, validate_by_name=True
    )


class NoQuery(Query):
    """A route without parameters."""


class SubmitQuery(Query):
    """What ``POST /api/jobs`` may be told."""

    host: Text | None = Field(None, description="Host that is to run the job; must be this one.")
    validate_only: Flag = Field(
        False, alias="validate", description="Only check: answers the planned timeline, stores nothing."
    )


class FieldsQuery(Query):
    """Which members to answer."""

    fields: Text | None = Field(None, description="Comma list of members; dots go into them.")

    @field_validator("fields")
    @classmethod
    def _names_members(cls, value: str | None) -> str | None:
        known = _names(JobShape)
        lower = {name.lower() for name in known}
        for path in filter(None, (part.strip() for part in (value or "").split(","))):
            name = path.partition(".")[0]
            if name.lower() not in lower:
                raise ValueError(f"a job has no member {name}; {_hint(name, known)}")
        return value


class ListQuery(FieldsQuery):
    """Which jobs to list and how."""

    filter: Text | None = Field(
        None, description='Such as `currentState == "Running" AND clientData.desk == "news"`.'
    )
    sort: Text | None = Field(None, description="Comma list of members; a leading - sorts downwards.")
    limit: int = Field(DEFAULT_LIMIT, ge=1, le=MAX_LIMIT, description="Jobs to answer at most.")
    skip: int = Field(0, ge=0, le=2**31 - 1, description="Jobs to leave out at the beginning.")
    cursor: Text | None = Field(None, description="Place to go on, from the Link of the page before.")
    count: Flag = Field(False, description="Answer only how many there are.")


class DeleteQuery(Query):
    """Whether active jobs may be deleted."""

    force: Flag = Field(False, description="Cancel active jobs first.")


class DeleteManyQuery(DeleteQuery):
    """Which jobs to delete. The filter is required: all jobs are never meant by leaving it out."""

    filter: Text = Field(description="Which jobs, in the language of the list.")
    limit: int = Field(MAX_LIMIT, ge=1, le=MAX_LIMIT, description="Jobs to delete at most.")


class DescriptionQuery(Query):
    """Up to which transition."""

    at: Text | None = Field(None, description="Id of a transition; default: the last one that passed.")


class LogQuery(Query):
    """From where to read a log."""

    from_byte: int = Field(
        -65536,
        alias="from",
        ge=-(2**53),
        le=2**53,
        description="First byte; below 0: that many before the end.",
    )


class EventsQuery(Query):
    """Which events to read."""

    after: int = Field(0, ge=0, le=2**53, description="Only events with a larger number.")
    filter: Text | None = Field(None, description='Such as `type == "job.state" AND jobId == "…"`.')
    limit: int = Field(100, ge=1, le=MAX_LIMIT, description="Events to answer at most.")


class StreamQuery(Query):
    """From where to follow the events."""

    last_event_id: int | None = Field(
        None, ge=0, le=2**53, description="Replay what came after this number; as the header Last-Event-ID."
    )
    filter: Text | None = Field(None, description="As for the list of events.")


QueryModel = TypeVar("QueryModel", bound=Query)


def read_query(model: type[QueryModel], given: MultiDict[str, str]) -> QueryModel:
    """The parameters of a request. Raises MalformedError naming each wrong one."""
    repeated = _repeated(given)
    if repeated:
        raise refusal(repeated)
    try:
        return model.model_validate(given.to_dict())
    except ValidationError as error:
        raise refusal([_fault(model, line) for line in error.errors(include_url=False)]) from None


def check_known(given: MultiDict[str, str], known: Collection[str]) -> None:
    """Raise MalformedError naming each parameter that is not ``known``, or given more than once."""
    faults = [*_repeated(given), *(_unknown(name, known) for name in given if name not in known)]
    if faults:
        raise refusal(faults)


def refusal(faults: list[dict[str, str]]) -> MalformedError:
    """What tells of parameters: each fault is a ``parameter`` and a ``detail``."""
    text = "; ".join(f"{fault['parameter']} {fault['detail']}" for fault in faults)
    return MalformedError(f"the query can't be read: {text}", errors=faults)


def _repeated(given: MultiDict[str, str]) -> list[dict[str, str]]:
    repeated = [name for name, values in given.lists() if len(values) > 1]
    return [{"parameter": name, "detail": "is given more than once"} for name in repeated]


def _fault(model: type[Query], line: Any) -> dict[str, str]:
    name = str(line["loc"][0]) if line["loc"] else ""
    if line["type"] == "extra_forbidden":
        return _unknown(name, _names(model))
    return {"parameter": name, "detail": sentence_of(line["msg"])}


def _unknown(name: str, known: Collection[str]) -> dict[str, str]:
    return {"parameter": name, "detail": f"is not a parameter of this address; {_hint(name, known)}"}


def _hint(name: str, known: Collection[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(known) or 'none'}"


@cache
def _names(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]
