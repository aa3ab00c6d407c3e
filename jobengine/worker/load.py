"""How busy a loop is, of late."""

from __future__ import annotations

from typing import Final

from jobengine.clock import Clock

WINDOW_NS: Final = 50_000_000
"""What was longer ago than about this counts for little."""


class Load:
    """``share`` is how much of the time was work, from 0 to 1. Used by one thread."""

    def __init__(self, clock: Clock) -> None:
        self.share = 0.0
        self._noted_ns = clock.monotonic_ns()

    def worked(self, since_ns: int, until_ns: int) -> None:
        """The loop worked from one moment to another, and not before it since it was last noted."""
        span_ns = until_ns - self._noted_ns
        if span_ns > 0:
            weight = span_ns / (span_ns + WINDOW_NS)
            self.share += weight * ((until_ns - since_ns) / span_ns - self.share)
            self._noted_ns = until_ns
