"""A clock that stands still until the test moves it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

START = datetime(2026, 12, 1, 11, tzinfo=UTC)


class ManualClock:
    """A `jobengine.clock.Clock`. Wall time and monotonic time move together, except in `jump`.

    ``step`` is added after every reading of either, for code that must not rely on two readings being
    the same.
    """

    def __init__(self, start: datetime = START, step: timedelta = timedelta(0)) -> None:
        self._wall = start
        self._monotonic_us = 1_000_000
        self._step = step

    def now(self) -> datetime:
        """Wall time, aware UTC."""
        moment = self._wall
        self.advance(self._step)
        return moment

    def monotonic_ns(self) -> int:
        """Nanoseconds; only `advance` moves them."""
        reading_ns = self._monotonic_us * 1000
        self.advance(self._step)
        return reading_ns

    def advance(self, span: timedelta) -> None:
        """Let time pass, to the microsecond. Raises ValueError for a negative span."""
        if span < timedelta(0):
            raise ValueError("time does not run backwards; use jump to set the wall clock")
        self._wall += span
        self._monotonic_us += span // timedelta(microseconds=1)

    def jump(self, span: timedelta) -> None:
        """Somebody sets the system's clock, forwards or backwards; no time passes."""
        self._wall += span
