"""Time. The only module that reads the system's clocks.

A ``Clock`` is a parameter everywhere else, so tests move time instead of waiting for it
(``jobengine.testing.ManualClock``). Wall time is aware UTC with microseconds. ``monotonic_ns``
never jumps and is used for spans and pacing only.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """Reads of time; implementations never block."""

    def now(self) -> datetime:
        """Wall time, aware UTC."""
        ...

    def monotonic_ns(self) -> int:
        """Nanoseconds from an arbitrary start; never runs backwards."""
        ...


class SystemClock:
    """The clocks of this host."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    monotonic_ns = staticmethod(time.monotonic_ns)


class ClockWatch:
    """Notices that somebody has set the system's clock: it no longer goes along with monotonic time."""

    def __init__(self, clock: Clock, tolerance: timedelta = timedelta(milliseconds=100)) -> None:
        self._clock = clock
        self._tolerance = tolerance
        self._origin = self._read()

    def was_set(self) -> bool:
        """Whether the clock was set by more than the tolerance since last asked."""
        origin, before = self._read(), self._origin
        self._origin = origin
        return abs(origin - before) > self._tolerance

    def _read(self) -> datetime:
        """When monotonic time was zero, by the system's clock."""
        return self._clock.now() - timedelta(microseconds=self._clock.monotonic_ns() // 1000)


def to_text(moment: datetime) -> str:
    """RFC 3339 in UTC, always with six decimals and ``Z``: fixed width, so text sorts as time."""
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return utc.isoformat(timespec="microseconds")[:-6] + "Z"


def from_text(text: str) -> datetime:
    """The inverse of `to_text`; any ISO 8601 text with an offset is read. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no UTC offset")
    return moment if moment.tzinfo is UTC else moment.astimezone(UTC)


def later(moment: datetime, wait_us: int) -> datetime | None:
    """``moment`` and so many microseconds, which may be negative; None outside of the years 1 to 9999."""
    try:
        return moment + timedelta(microseconds=wait_us)
    except OverflowError:
        return None


def to_us(moment: datetime) -> int:
    """Whole microseconds since the Unix epoch, exact (no float in between)."""
    return (moment - EPOCH) // timedelta(microseconds=1)
