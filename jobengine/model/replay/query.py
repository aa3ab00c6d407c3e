"""What Savant Replay's clients post to make a job: members, units and defaults are theirs.

Durations are ``{"secs": …, "nanos": …}``. Members that it doesn't know Replay ignores, and so do we; what it
would only find out while the job runs is refused here. Types are as strict as Replay's. Numbers have 64 bits;
those that are larger than what we tell apart count as that.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    RootModel,
    Tag,
    field_validator,
    model_validator,
)

from jobengine.model.anchor import MAX_BLOCKS, MAX_OFFSET_S
from jobengine.model.condition import StreamCondition
from jobengine.model.sink import MAX_HWM, MAX_INFLIGHT, MAX_RETRIES

Json = Any
MAX_FOUND = 100_000
"""Keyframes in one answer at most."""
_MS_MAX = 30 * 24 * 3600 * 1000
_OPTIONS = (
    "send_timeout",
    "send_retries",
    "receive_timeout",
    "receive_retries",
    "send_hwm",
    "receive_hwm",
    "inflight_ops",
)


def _up_to(most: int) -> AfterValidator:
    return AfterValidator(lambda value: min(value, most))


Unsigned = Annotated[int, Field(ge=0, lt=2**64)]
Positive = Annotated[int, Field(ge=1, lt=2**64)]


class ReplayModel(BaseModel):
    """Base: frozen, further members ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)


class Duration(ReplayModel):
    """A span of time; what is longer than 30 days, such as all that fits in, counts as 30 days."""

    secs: Unsigned
    nanos: int = Field(ge=0, lt=2**32)

    @property
    def ms(self) -> float:
        """In milliseconds."""
        return min(self.secs * 1000 + self.nanos / 1e6, _MS_MAX)


class SocketOptions(ReplayModel):
    """Limits of the sink's socket."""

    send_timeout: Duration = Duration(secs=1, nanos=0)
    send_retries: Annotated[Unsigned, _up_to(MAX_RETRIES)] = 3
    receive_timeout: Duration = Duration(secs=1, nanos=0)
    receive_retries: Annotated[Unsigned, _up_to(MAX_RETRIES)] = 3
    send_hwm: Annotated[Positive, _up_to(MAX_HWM)] = 1000
    receive_hwm: Annotated[Positive, _up_to(MAX_HWM)] = 1000
    inflight_ops: Annotated[Positive, _up_to(MAX_INFLIGHT)] = 100

    @field_validator("send_timeout", "receive_timeout")
    @classmethod
    def _at_least_one_ms(cls, value: Duration) -> Duration:
        if value.ms < 1:
            raise ValueError("must be 1 ms or more")
        return value


class Sink(ReplayModel):
    """Where to. The options stand beside the URL (old clients) or below ``options``, or are left out."""

    url: str = Field(min_length=1, max_length=2000)
    options: SocketOptions | None = None

    @model_validator(mode="before")
    @classmethod
    def _gather_options(cls, value: Json) -> Json:
        if isinstance(value, dict) and value.get("options") is None:
            options = {name: value[name] for name in _OPTIONS if name in value}
            return {"url": value.get("url"), "options": options} if options else value
        return value


class RoutingLabels(ReplayModel):
    """Either ``replace`` those of a message or ``append`` to them."""

    replace: list[str] | None = None
    append: list[str] | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> RoutingLabels:
        if (self.replace is None) == (self.append is None):
            raise ValueError("must hold either replace or append")
        return self


def _form(value: Json) -> str:
    return "labels:word" if isinstance(value, str) else "labels:object"


class Configuration(ReplayModel):
    """How to send. Pauses are clamped between ``min_duration`` and ``max_duration``."""

    ts_sync: bool
    skip_intermediary_eos: bool
    send_eos: bool
    stop_on_incorrect_ts: bool
    ts_discrepancy_fix_duration: Duration
    min_duration: Duration
    max_duration: Duration
    stored_stream_id: str = Field(min_length=1, max_length=255)
    resulting_stream_id: str = Field(min_length=1, max_length=255)
    routing_labels: Annotated[
        Annotated[Literal["bypass"], Tag("labels:word")] | Annotated[RoutingLabels, Tag("labels:object")],
        Discriminator(_form),
    ]
    max_idle_duration: Duration
    max_delivery_duration: Duration
    send_metadata_only: bool
    labels: dict[str, str] | None = None

    @model_validator(mode="after")
    def _bounds_in_order(self) -> Configuration:
        if self.min_duration.ms > self.max_duration.ms:
            raise ValueError("min_duration is more than max_duration")
        return self


class Offset(ReplayModel):
    """How far before the anchor to begin: ``blocks`` (keyframes) or ``seconds`` of creation time."""

    blocks: Annotated[Unsigned, _up_to(MAX_BLOCKS)] | None = None
    seconds: float | None = Field(None, ge=0, le=MAX_OFFSET_S)

    @model_validator(mode="after")
    def _exactly_one(self) -> Offset:
        if (self.blocks is None) == (self.seconds is None):
            raise ValueError("must hold either blocks or seconds")
        return self


class JobQuery(ReplayModel):
    """A job."""

    sink: Sink
    configuration: Configuration
    stop_condition: StreamCondition
    anchor_keyframe: UUID = Field(strict=False)
    anchor_wait_duration: Duration | None = None
    offset: Offset
    attributes: list[dict[str, Json]] = Field(max_length=1000)


class StopCondition(RootModel[StreamCondition]):
    """A stop condition as it is posted alone."""


class FindQuery(ReplayModel):
    """Keyframes of a window of time, in whole seconds since the Unix epoch, both of them inclusive."""

    source_id: str = Field(min_length=1, max_length=255)
    from_: Unsigned | None = Field(None, alias="from")
    to: Unsigned | None = None
    limit: Annotated[Positive, _up_to(MAX_FOUND)]
