"""A moment until which something may take."""

from __future__ import annotations

from jobengine.clock import Clock, SystemClock


class Deadline:
    """A moment that does not move. ``seconds`` None: never."""

    def __init__(self, seconds: float | None, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._end_ns = None if seconds is None else self._clock.monotonic_ns() + int(seconds * 1e9)

    @property
    def left_s(self) -> float | None:
        """Seconds until then, at least 0; None: no end."""
        return None if self._end_ns is None else max(0.0, (self._end_ns - self._clock.monotonic_ns()) / 1e9)

    def is_over(self) -> bool:
        """Whether it has passed."""
        return self.left_s == 0.0
