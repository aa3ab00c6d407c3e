"""Triggers: when a transition passes and which state it requests.

Clients post the first six types. ``Implicit`` and ``OutputSwitch`` are written by the engine and
refused in a post. ``Level`` is in the schema; until the work kind ``pipe`` watches levels it is
refused by `jobengine.model.check` with a sentence.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    PlainSerializer,
    Tag,
    TypeAdapter,
    field_validator,
)
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from jobengine.clock import to_text
from jobengine.model.casing import CamelModel
from jobengine.model.condition import StreamCondition
from jobengine.model.lifecycle import ENGINE_TRIGGERS, RequestedState, TriggerType

MAX_DURATION_MS = 10 * 366 * 24 * 3600 * 1000
DEFAULT_MISFIRE_GRACE_MS = 1000
CLIENT_TYPES = {str(kind).lower(): str(kind) for kind in TriggerType if kind not in ENGINE_TRIGGERS}
_REQUESTS = {state.lower(): state for state in RequestedState}


def read_utc(value: Any) -> Any:
    """ISO 8601 or ``YYYY-MM-DD hh:mm:ss.xyz``; without an offset it is UTC, as in ROAD."""
    if not isinstance(value, str):
        raise ValueError("must be text such as 2026-12-01T11:00:00Z")
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        raise ValueError("must be a time such as 2026-12-01T11:00:00Z or 2026-12-01 11:00:00.000") from None
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("is outside the years 1 to 9999 in UTC") from None


class TriggerOptions(CamelModel):
    """``outputSwitch`` may go with Wait or Pause."""

    output_switch: bool = Field(False, description="Writers change to a new file.")


class TriggerBase(CamelModel):
    """What every trigger has."""

    requested_proc_state: RequestedState = Field(
        description="The state that the job goes to; None leaves it where it is."
    )
    options: TriggerOptions | None = Field(None, description="What goes with the change of state.")

    @field_validator("type", mode="before", check_fields=False)
    @classmethod
    def _type_in_any_case(cls, value: Any) -> Any:
        return CLIENT_TYPES.get(str(value).lower(), value)

    @field_validator("requested_proc_state", mode="before")
    @classmethod
    def _any_case(cls, value: Any) -> Any:
        wanted = _REQUESTS.get(value.lower()) if isinstance(value, str) else None
        if wanted is None:
            raise ValueError(f"must be one of {', '.join(RequestedState)}")
        return wanted


class ImmediateTrigger(TriggerBase):
    """As soon as possible."""

    type: Literal["Immediate"] = Field(description="Names this trigger.")


class TimeTrigger(TriggerBase):
    """At ``startTime`` on the host's clock.

    More than ``misfireGraceMs`` late, ``misfire`` decides: ``fire`` late, or ``skip``. With ``coalesce``
    an overdue trigger is skipped when a later Time trigger of the same job is overdue as well.
    """

    type: Literal["Time"] = Field(description="Names this trigger.")
    start_time: Annotated[datetime, PlainSerializer(to_text, when_used="json")] = Field(
        description="When, ISO 8601; without an offset it is UTC."
    )
    misfire: Literal["fire", "skip"] = Field("fire", description="What follows when it is overdue.")
    misfire_grace_ms: int = Field(
        DEFAULT_MISFIRE_GRACE_MS,
        ge=0,
        le=MAX_DURATION_MS,
        description="How late is not overdue yet, in milliseconds.",
    )
    coalesce: bool = Field(
        False, description="Leaves it out when a later one of the same job is overdue too."
    )

    @field_validator("start_time", mode="before")
    @classmethod
    def _utc(cls, value: Any) -> Any:
        return read_utc(value)


class DurationTrigger(TriggerBase):
    """``duration`` milliseconds of stream time after the transition before it in the list passed."""

    type: Literal["Duration"] = Field(description="Names this trigger.")
    duration: int = Field(ge=0, le=MAX_DURATION_MS, description="Milliseconds of stream time.")


class LevelTrigger(TriggerBase):
    """When an output's level stays ``above`` or ``below`` a dBFS value for ``forMs``, after ``delayMs``."""

    type: Literal["Level"] = Field(description="Names this trigger.")
    graph: str = Field(description="Name of the output graph.")
    above: float | None = Field(None, le=0, description="Level in dBFS that must be passed.")
    below: float | None = Field(None, le=0, description="Level in dBFS that must not be reached.")
    for_ms: int = Field(0, ge=0, description="For how long, in milliseconds.")
    delay_ms: int = Field(0, ge=0, description="How long after that it passes, in milliseconds.")


class EventTrigger(TriggerBase):
    """When the named event is raised and its data holds every member of ``match``."""

    type: Literal["Event"] = Field(description="Names this trigger.")
    name: str = Field(min_length=1, max_length=256, description="Name of the event.")
    match: dict[str, Any] | None = Field(
        None, description="Members that the event's data must have, with these values."
    )


class StreamTrigger(TriggerBase):
    """When the condition is true on the work's stream clock."""

    type: Literal["Stream"] = Field(description="Names this trigger.")
    condition: StreamCondition = Field(description="When, told on the work's stream clock.")


class _RefusedTrigger(BaseModel):
    """Catches every other type, so that the fault points at ``type`` and says what would be right.

    There never is one; the members beside ``type`` make the union whole for type checkers.
    """

    model_config = ConfigDict(extra="ignore", validate_default=True)
    type: Any = None
    requested_proc_state: RequestedState = RequestedState.NONE
    options: TriggerOptions | None = None

    @field_validator("type", mode="before")
    @classmethod
    def _refuse(cls, value: Any) -> Any:
        if isinstance(value, str) and value in ENGINE_TRIGGERS:
            raise PydanticCustomError(
                "engine_trigger", "Implicit and OutputSwitch are written by the engine only"
            )
        raise PydanticCustomError(
            "unknown_trigger", "must be one of {known}", {"known": ", ".join(CLIENT_TYPES.values())}
        )


def _tag_of(value: Any) -> str:
    if isinstance(value, TriggerBase):
        return f"trigger:{type(value).__name__.removesuffix('Trigger')}"
    if isinstance(value, dict):
        for key, member in value.items():
            if str(key).lower() == "type":
                return f"trigger:{CLIENT_TYPES.get(str(member).lower(), 'refused')}"
    return "trigger:refused"


Trigger = Annotated[
    Annotated[ImmediateTrigger, Tag("trigger:Immediate")]
    | Annotated[TimeTrigger, Tag("trigger:Time")]
    | Annotated[DurationTrigger, Tag("trigger:Duration")]
    | Annotated[LevelTrigger, Tag("trigger:Level")]
    | Annotated[EventTrigger, Tag("trigger:Event")]
    | Annotated[StreamTrigger, Tag("trigger:Stream")]
    | SkipJsonSchema[Annotated[_RefusedTrigger, Tag("trigger:refused")]],
    Discriminator(_tag_of),
]
_ADAPTER: TypeAdapter[Trigger] = TypeAdapter(Trigger)


def read_trigger(document: dict[str, Any]) -> Trigger:
    """The trigger of a stored document. Raises pydantic's ValidationError on one that was never checked."""
    if document.get("type") == "Immediate" and len(document) == 2:
        return _plain_immediate(document["requestedProcState"])
    if document.get("type") == "Time" and len(document) == 3:
        return _plain_time(document["requestedProcState"], document["startTime"])
    return _ADAPTER.validate_python(document)


@cache
def _plain_immediate(requested: str) -> ImmediateTrigger:
    """The most frequent of all triggers needs no validation each time."""
    return ImmediateTrigger.model_validate({"type": "Immediate", "requestedProcState": requested})


def _plain_time(requested: str, start: str) -> TimeTrigger:
    """Of these there may be thousands at once. A stored document was checked before it was stored."""
    return TimeTrigger.model_construct(
        {"type", "requested_proc_state", "start_time"},
        type="Time",
        requested_proc_state=RequestedState(requested),
        start_time=read_utc(start),
    )
