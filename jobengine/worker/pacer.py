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
        self._ticks, self._ns_of_ticks = rate.numerator, rate.denominator * _NS
        self.anchor(0)

    def anchor(self, position: int) -> None:
        """From now on ``position`` is the tick whose moment is now."""
        self._base = position
        self._anchor_ns = self._clock.monotonic_ns()
        self._anchor_time = self._clock.now()

    def available(self) -> int:
        """The last tick whose moment has come."""
        elapsed_ns = self._clock.monotonic_ns() - self._anchor_ns
        return self._base + elapsed_ns * self._ticks // self._ns_of_ticks

    def due_ns(self, position: int) -> int:
        """The first monotonic nanosecond at which `available` reaches ``position``."""
        return self._anchor_ns - (self._base - position) * self._ns_of_ticks // self._ticks

    def moment(self, position: int) -> datetime:
        """The nominal wall time of ``position``."""
        seconds = Fraction(position - self._base) / self._rate
        return self._anchor_time + timedelta(microseconds=int(seconds * 1_000_000))
