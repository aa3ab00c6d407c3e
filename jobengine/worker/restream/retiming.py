"""How far the times of elements are moved: the job's choice of timestamps, laid over those that are stored.

Arithmetic in ticks of the stream's time base. A run is a stretch of elements whose times belong together;
all of it is moved alike, so what is coded out of order stays in its order. Runs begin with the first element,
a new round and a place that was sought; for timelines that never fall also where stored times fall back or
leap.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Final

from jobengine.clock import Clock, to_us
from jobengine.model.pacing import PacingSpec
from jobengine.model.restream import RestreamSpec, Timestamps
from jobengine.worker.restream.ledger import Delivered

_WHOLE: Final = frozenset({"preserve", "rebase"})
"""What keeps every step of the stored times."""


class Retiming:
    """Plans one element after the other: `plan` tells the shift of the next, `sent` that it is on its way.

    ``is_on``: whether anything is moved at all. ``shift``: that of the element sent last, ``planned`` that of
    the next.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._timestamps: Timestamps = "preserve"
        self._time_base = Fraction(1, 1_000_000)
        self._pacing = PacingSpec()
        self._top: int | None = None
        self._longest = self._fix = 0
        self.is_on = False
        self.forget()

    def change(self, spec: RestreamSpec) -> None:
        """Go by this description from the next element on; another choice of timestamps begins anew."""
        self._pacing = spec.pacing or PacingSpec()
        if spec.timestamps != self._timestamps:
            self._timestamps, self.is_on = spec.timestamps, spec.timestamps != "preserve"
            self.forget()
        self._measure()

    def use(self, time_base: Fraction) -> None:
        """Times are in ticks of this."""
        self._time_base = time_base
        self._measure()

    def take_up(self, delivered: Delivered) -> None:
        """Go on where a former worker was."""
        if delivered.elements:
            self.shift, self._top = delivered.shift, delivered.timestamp
            self._is_new_run = self._timestamps == "live"

    def forget(self) -> None:
        """Nothing was sent before."""
        self.shift = self.planned = self._below_top = 0
        self._top = None
        self._is_new_run = True

    def begin_run(self) -> None:
        """The next element is no successor of the last one."""
        self._is_new_run = True

    def begin_again(self) -> None:
        """The job did not run, and does from now on: only the clock has gone on meanwhile."""
        self._is_new_run = self._is_new_run or self._timestamps == "live"

    def plan(self, timestamp: int, due_ns: int) -> int:
        """How far the next element is moved; ``due_ns``: when it is due, by the monotonic clock."""
        is_successor = self.is_on and not self._is_new_run and not self._breaks_off(timestamp)
        self.planned = self.shift if is_successor else self._begin(timestamp, due_ns)
        return self.planned

    def alike(self, timestamps: Sequence[int]) -> int:
        """How many elements of these times, which do not fall, are moved like the first of them."""
        if self._timestamps in _WHOLE:
            return len(timestamps)
        steps = enumerate(pairwise(timestamps), 1)
        return next((n for n, (a, b) in steps if b - a > self._longest), len(timestamps))

    def sent(self, timestamp: int) -> None:
        """The element that was planned, or a stretch from it up to this one, is on its way."""
        if self._is_new_run or self.planned != self.shift or self._top is None or timestamp >= self._top:
            self._top, self._below_top = timestamp, 0
        else:
            self._below_top += 1
        self.shift, self._is_new_run = self.planned, False

    def _breaks_off(self, timestamp: int) -> bool:
        """Whether a timeline that never falls has to begin a run here."""
        top = self._top
        if top is None or self._timestamps in _WHOLE:
            return False
        if timestamp < top:
            return self._below_top >= self._pacing.reorder
        return timestamp - top > self._longest

    def _begin(self, timestamp: int, due_ns: int) -> int:
        """The shift of a run that begins with this timestamp."""
        if not self.is_on:
            return 0
        begin = self._now(due_ns) if self._timestamps == "live" else 0
        if self._top is not None and self._timestamps != "rebase":
            is_leap = not self._is_new_run and timestamp > self._top
            begin = max(begin, self._top + self.shift + (self._longest if is_leap else self._fix))
        return begin - timestamp

    def _measure(self) -> None:
        """In whole fractions, which takes half a millisecond of a job's beginning where anything is moved."""
        if not self.is_on:
            return
        pacing = self._pacing
        self._longest = self._ticks(pacing.max_duration_ms * pacing.speed)
        self._fix = max(1, self._ticks(pacing.discrepancy_fix_ms))

    def _ticks(self, ms: float) -> int:
        return int(Fraction(ms) / 1000 / self._time_base)

    def _now(self, due_ns: int) -> int:
        """The wall time of a moment."""
        from_now = timedelta(microseconds=(due_ns - self._clock.monotonic_ns()) // 1000)
        return int(Fraction(to_us(self._clock.now() + from_now), 1_000_000) / self._time_base)
