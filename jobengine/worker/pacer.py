"""Ties a work's stream clock to the host's while it runs.

While running, tick ``p`` has its nominal moment at ``anchor + (p - base) / rate``. A paced work is
driven so that a tick is made when its moment has come, like a device that delivers it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from fractions import Fraction

from jobengine.clock import Clock

_NS = 1_000_000_000


class Pacer:
    """Maps positions to moments of one stretch of running; `anchor` begins each stretch."""

    def __init__(self, clock: Clock, rate: Fraction) -> None:
        self._clock = clock
        self._rate = rate
        self.anchor(0)

    def anchor(self, position: int) -> None:
        """From now on ``position`` is the tick whose moment is now."""
        self._base = position
        self._anchor_ns = self._clock.monotonic_ns()
        self._anchor_time = self._clock.now()

    def available(self) -> int:
        """The last tick whose moment has come."""
        elapsed_ns = self._clock.monotonic_ns() - self._anchor_ns
        return self._base + elapsed_ns * self._rate.numerator // (self._rate.denominator * _NS)

    def wait_ms(self, position: int) -> float:
        """Milliseconds until the moment of ``position``; 0 if it has come."""
        due_ns = (
            self._anchor_ns + (position - self._base) * _NS * self._rate.denominator / self._rate.numerator
        )
        return max(0.0, (due_ns - self._clock.monotonic_ns()) / 1e6)

    def moment(self, position: int) -> datetime:
        """The nominal wall time of ``position``."""
        seconds = Fraction(position - self._base) / self._rate
        return self._anchor_time + timedelta(microseconds=int(seconds * 1_000_000))
