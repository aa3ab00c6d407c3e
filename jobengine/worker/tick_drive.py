"""How a work on an even stream clock goes on: by blocks, cut at the next transition, paced by the host."""

from __future__ import annotations

from datetime import datetime, timedelta

from jobengine.clock import Clock
from jobengine.model.condition import StreamReading
from jobengine.model.lifecycle import JobState
from jobengine.model.plan import Plan
from jobengine.ports.work import TickWork
from jobengine.worker.pacer import Pacer
from jobengine.worker.steps import Waiting


class TickDrive:
    """Drives a `TickWork` along a plan. ``ended`` tells why there is nothing more to come."""

    def __init__(self, work: TickWork, clock: Clock) -> None:
        self._work = work
        self._clock = clock
        self._pacer = Pacer(clock, work.rate)
        self.ended = ""

    @property
    def floor(self) -> int | None:
        """Work is cut exactly where a transition is due, so none is ever taken late."""
        return None

    @property
    def late_ms(self) -> float:
        """How far a paced work is behind the host's clock, beyond the block it is about to make."""
        if not self._work.is_paced:
            return 0.0
        behind = self._pacer.available() - self._work.position - self._work.block_ticks
        return max(0.0, float(behind / self._work.rate) * 1000)

    def reading(self, elapsed_ms: float) -> StreamReading:
        position = self._work.position
        return StreamReading(position, self._work.rate, position, position, elapsed_ms)

    def anchor(self) -> None:
        """The stream clock goes on, or stands still, from here and now."""
        self._pacer.anchor(self._work.position)

    def go_on(self, plan: Plan, elapsed_ms: float) -> int:
        """Do what is due up to the next transition; when there is more to do."""
        target = self._next_target(plan, elapsed_ms)
        if not self._work.is_paced:
            self._advance_to(target)
            return self._clock.monotonic_ns()
        if self._pacer.available() >= target:
            self._advance_to(target)
            target = self._next_target(plan, elapsed_ms)  # the position itself where a transition is due now
        return self._clock.monotonic_ns() + round(self._pacer.wait_ms(target) * 1e6)

    def wait(self, until_ns: int, limit_ns: int) -> Waiting:
        """Every block is cut by the plan: it is looked at in between."""
        return (yield min(until_ns, limit_ns))

    @property
    def due_position(self) -> int:
        """Where a paced work should be now; what unplanned takes effect there."""
        return self._pacer.available() if self._work.is_paced else self._work.position

    def catch_up(self, plan: Plan, elapsed_ms: float, goal: int) -> bool:
        """Go on towards the goal, to the next transition at most; False: it is there."""
        if self._work.position >= goal or self.ended:
            return False
        limit = min(goal, self._work.position + self._work.block_ticks)
        self._advance_to(self._target(plan, elapsed_ms, limit))
        return True

    def stand_still(self) -> None:
        """While paused a live input goes on and is dropped."""
        if self._work.is_paced:
            self._work.discard(self._pacer.available() - self._work.position)
            self.anchor()

    def finish(self, state: JobState) -> int | None:
        """Nothing is on its way."""
        return None

    def moment(self, now: datetime) -> datetime:
        """The nominal time of this tick if the host's clock paces the work, else now."""
        return min(now, self._pacer.moment(self._work.position)) if self._work.is_paced else now

    def gap(self, ended: datetime, position: int) -> tuple[float, int]:
        """What was lost since a former worker was at ``position`` at that time: milliseconds and samples.

        A paced stream went on with the host's clock up to where this work begins.
        """
        if self._work.is_paced:
            ended += timedelta(seconds=float((self._work.position - position) / self._work.rate))
        gap_ms = max(0.0, (self._clock.now() - ended) / timedelta(milliseconds=1))
        return gap_ms, round(gap_ms * float(self._work.rate) / 1000) if self._work.is_paced else 0

    def _next_target(self, plan: Plan, elapsed_ms: float) -> int:
        return self._target(plan, elapsed_ms, self._work.position + self._work.block_ticks)

    def _target(self, plan: Plan, elapsed_ms: float, limit: int) -> int:
        if not plan.is_on_stream_clock:
            return limit
        cut = plan.next_position(self.reading(elapsed_ms))
        return min(limit, cut) if cut is not None else limit

    def _advance_to(self, target: int) -> None:
        wanted = target - self._work.position
        if wanted > 0 and self._work.advance(wanted) < wanted and self._work.at_end:
            self.ended = "end of input"
