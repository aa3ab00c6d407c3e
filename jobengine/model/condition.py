"""Stream conditions: when a ``Stream`` trigger is due, told on a work's stream clock.

The seven conditions are Savant Replay's stop conditions in camelCase; ``any``, ``all`` and ``not``
join them. Two ways to evaluate: `holds` after each element (works that move element by element) and
`earliest` on a linear axis (samples), which names the exact position before it is reached.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any, Final, Literal, NamedTuple, Protocol
from uuid import UUID

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from jobengine.model.casing import CamelModel

MAX_COUNT = 2**63 - 1
NEVER: Final = 1 << 64
"""Further than any stream clock goes."""


class StreamReading(NamedTuple):
    """A stream clock read at one moment.

    ``position`` is in ticks of ``rate`` per second since the stream clock's start; ``elements`` and
    ``key_elements`` count what has been delivered; ``elapsed_ms`` is host time since the job first ran,
    which stands still at 0 until it ``has_run``.
    """

    position: int
    rate: Fraction
    elements: int
    key_elements: int
    elapsed_ms: float
    last_id: bytes = b""
    has_run: bool = True


class StreamCounts(Protocol):
    """What a work that goes element by element counts, as in `StreamReading`."""

    @property
    def position(self) -> int: ...

    @property
    def elements(self) -> int: ...

    @property
    def key_elements(self) -> int: ...

    @property
    def last_id(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Milestone:
    """How far a stream clock may go until conditions have to be looked at again: short of all of these."""

    position: int = NEVER
    elements: int = NEVER
    key_elements: int = NEVER
    last_id: bytes = b"\xff" * 17

    def is_reached(self, counts: StreamCounts) -> bool:
        """Whether a stream clock has come so far."""
        return (
            counts.elements >= self.elements
            or counts.position >= self.position
            or counts.key_elements >= self.key_elements
            or counts.last_id >= self.last_id
        )

    def nearest(self, other: Milestone) -> Milestone:
        """Whatever comes first."""
        return Milestone(
            min(self.position, other.position),
            min(self.elements, other.elements),
            min(self.key_elements, other.key_elements),
            min(self.last_id, other.last_id),
        )


class LastFrame(CamelModel):
    """True once an element with this UUIDv7 or a later one has been delivered."""

    uuid: UUID = Field(description="Id of the element.")


class TsDelta(CamelModel):
    """True once the media time since the first element is strictly more than ``maxDeltaSec``."""

    max_delta_sec: float = Field(ge=0, le=1e9, description="Seconds of media time.")


class RealTimeDelta(CamelModel):
    """True once the host time since the job first ran is strictly more than ``configuredDeltaMs``."""

    configured_delta_ms: int = Field(ge=0, le=10**13, description="Milliseconds of host time.")


class ConditionObject(CamelModel):
    """Exactly one condition, or one combination of conditions."""

    last_frame: LastFrame | None = Field(
        None, description="Once this element, or one after it, has been delivered."
    )
    frame_count: int | None = Field(
        None, ge=1, le=MAX_COUNT, description="Once so many elements have been delivered."
    )
    key_frame_count: int | None = Field(
        None, ge=1, le=MAX_COUNT, description="Once so many key elements have been delivered."
    )
    ts_delta_sec: TsDelta | None = Field(None, description="Once the media time goes beyond a span.")
    real_time_delta_ms: RealTimeDelta | None = Field(
        None, description="Once the host time goes beyond a span."
    )
    any: list[StreamCondition] | None = Field(
        None, min_length=1, max_length=100, description="Once one of these holds."
    )
    all: list[StreamCondition] | None = Field(
        None, min_length=1, max_length=100, description="Once all of these hold."
    )
    not_: StreamCondition | None = Field(None, alias="not", description="Once this does not hold.")

    @field_validator("real_time_delta_ms", mode="before")
    @classmethod
    def _number_is_milliseconds(cls, value: Any) -> Any:
        return (
            {"configuredDeltaMs": value}
            if isinstance(value, int | str) and not isinstance(value, bool)
            else value
        )

    @model_validator(mode="after")
    def _exactly_one(self) -> ConditionObject:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"must hold exactly one condition, not {len(given)}")
        return self


def _form(value: Any) -> str:
    return "condition:word" if isinstance(value, str) else "condition:object"


StreamCondition = Annotated[
    Annotated[Literal["now", "never"], Tag("condition:word")]
    | Annotated[ConditionObject, Tag("condition:object")],
    Discriminator(_form),
]


def holds(condition: StreamCondition, reading: StreamReading) -> bool:
    """Whether ``condition`` is true at ``reading``."""
    return _contains(_spans(condition, reading), reading.position)


def earliest(condition: StreamCondition, reading: StreamReading) -> int | None:
    """The first position at or after ``reading`` where ``condition`` is true, were host time to stand still.

    Only for works whose elements are the ticks of their clock (samples). None: never, as far as known.
    """
    for start, end in _spans(condition, reading):
        if end is None or end > reading.position:
            return max(start, reading.position)
    return None


def wake_after_ms(condition: StreamCondition, reading: StreamReading) -> float | None:
    """Milliseconds of host time until a real-time part of ``condition`` may change, or None."""
    if not reading.has_run:
        return None
    waits = [
        limit - reading.elapsed_ms for limit in _real_time_limits(condition) if limit >= reading.elapsed_ms
    ]
    return max(0.0, min(waits)) if waits else None


def milestone(condition: StreamCondition, reading: StreamReading) -> Milestone:
    """How far ``condition`` stays as it is, host time aside (see `wake_after_ms`).

    For works that go element by element. Their ids fall back where a job seeks or sends its stream again, so
    one that was reached is looked at with each element.
    """
    if isinstance(condition, str):
        return Milestone()
    nearest = Milestone()
    for part in _parts(condition):
        nearest = nearest.nearest(milestone(part, reading))
    if condition.frame_count is not None and condition.frame_count > reading.elements:
        return Milestone(elements=condition.frame_count)
    if condition.key_frame_count is not None and condition.key_frame_count > reading.key_elements:
        return Milestone(key_elements=condition.key_frame_count)
    if condition.ts_delta_sec is not None:
        position = _position_behind(condition.ts_delta_sec, reading.rate)
        return Milestone(position=position) if position > reading.position else nearest
    if condition.last_frame is not None:
        last_id = condition.last_frame.uuid.bytes
        is_to_come = reading.last_id < last_id
        return Milestone(last_id=last_id) if is_to_come else Milestone(elements=reading.elements + 1)
    return nearest


def uses(condition: StreamCondition, member: str) -> bool:
    """Whether ``condition`` uses the condition of this (Python) name anywhere."""
    if isinstance(condition, str):
        return False
    return getattr(condition, member) is not None or any(uses(part, member) for part in _parts(condition))


_Spans = list[tuple[int, int | None]]
_ALWAYS: _Spans = [(0, None)]
_NEVER: _Spans = []


def _parts(condition: ConditionObject) -> list[StreamCondition]:
    return [
        *(condition.any or ()),
        *(condition.all or ()),
        *([condition.not_] if condition.not_ is not None else ()),
    ]


def _real_time_limits(condition: StreamCondition) -> list[float]:
    if isinstance(condition, str):
        return []
    own = [float(condition.real_time_delta_ms.configured_delta_ms)] if condition.real_time_delta_ms else []
    return own + [limit for part in _parts(condition) for limit in _real_time_limits(part)]


def _spans(condition: StreamCondition, reading: StreamReading) -> _Spans:
    """Where on the axis of positions the condition is true: half-open spans in rising order."""
    if isinstance(condition, str):
        return _ALWAYS if condition == "now" else _NEVER
    if condition.any is not None:
        return _complement(_intersection([_complement(_spans(part, reading)) for part in condition.any]))
    if condition.all is not None:
        return _intersection([_spans(part, reading) for part in condition.all])
    if condition.not_ is not None:
        return _complement(_spans(condition.not_, reading))
    return _simple_span(condition, reading)


def _simple_span(condition: ConditionObject, reading: StreamReading) -> _Spans:
    if condition.frame_count is not None:
        return [(reading.position + max(0, condition.frame_count - reading.elements), None)]
    if condition.key_frame_count is not None:
        return [(reading.position + max(0, condition.key_frame_count - reading.key_elements), None)]
    if condition.ts_delta_sec is not None:
        return [(_position_behind(condition.ts_delta_sec, reading.rate), None)]
    if condition.real_time_delta_ms is not None:
        return _ALWAYS if reading.elapsed_ms > condition.real_time_delta_ms.configured_delta_ms else _NEVER
    if condition.last_frame is not None and reading.last_id:
        return _ALWAYS if reading.last_id >= condition.last_frame.uuid.bytes else _NEVER
    return _NEVER


def _position_behind(delta: TsDelta, rate: Fraction) -> int:
    """The first position that is strictly more than the delta."""
    return int(Fraction(delta.max_delta_sec) * rate) + 1


def _contains(spans: _Spans, position: int) -> bool:
    return any(start <= position and (end is None or position < end) for start, end in spans)


def _complement(spans: _Spans) -> _Spans:
    result: _Spans = []
    cursor: int | None = 0
    for start, end in spans:
        if cursor is not None and start > cursor:
            result.append((cursor, start))
        cursor = end
        if cursor is None:
            return result
    result.append((cursor or 0, None))
    return result


def _intersection(parts: list[_Spans]) -> _Spans:
    result = parts[0]
    for part in parts[1:]:
        result = [
            (max(a, c), _earlier(b, d))
            for a, b in result
            for c, d in part
            if (b is None or c < b) and (d is None or a < d)
        ]
    return result


def _earlier(first: int | None, second: int | None) -> int | None:
    if first is None or second is None:
        return second if first is None else first
    return min(first, second)
