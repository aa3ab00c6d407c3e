"""How a work on an even stream clock goes on: by blocks, cut at the next transition, paced by the host."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from jobengine.clock import Clock
from jobengine.model.condition import StreamReading
from jobengine.model.lifecycle import JobState
from jobengine.model.plan import Plan
from jobengine.ports.work import TickWork
from jobengine.worker.ending import Ending
from jobengine.worker.pacer import Pacer
from jobengine.worker.steps import NOTHING, Pause, Waiting


class TickDrive:
    """Drives a `TickWork`, which has been prepared, along a plan.

    ``ended`` tells why there is nothing more to come.
    """

    descriptors: Sequence[int] = ()
    """Nothing but time and commands wakes it."""

    def __init__(self, work: TickWork, clock: Clock, ending: Ending) -> None:
        self._work = work
        self._clock = clock
        self._ending = ending
        self._is_paced, self._block_ticks = work.is_paced, work.block_ticks
        self._pacer = Pacer(clock, work.rate)
        self._cut: int | None = None
        self._target, self._due_ns = work.position, 0
        self.ended = ""

    @property
    def floor(self) -> int | None:
        """Work is cut exactly where a transition is due, so none is ever taken late."""
        return None

    @property
    def late_ms(self) -> float:
        """How far a paced work is behind the host's clock, beyond the block it is about to make."""
        if not self._is_paced:
            return 0.0
        behind = self._pacer.available() - self._work.position - self._block_ticks
        return max(0.0, float(behind / self._work.rate) * 1000)

    def reading(self, elapsed_ms: float) -> StreamReading:
        position = self._work.position
        return StreamReading(position, self._work.rate, position, position, elapsed_ms)

    def anchor(self) -> None:
        """The stream clock goes on, or stands still, from here and now."""
        self._pacer.anchor(self._work.position)

    def go_on(self, plan: Plan, elapsed_ms: float) -> int:
        """Do what is due up to the next transition; when there is more to do."""
        self._aim(plan, elapsed_ms)
        return self._step()

    def wait(self, until_ns: int, limit_ns: int) -> Waiting:
        """Go on by itself, block by block; until ``limit_ns``, a command, the end, or where the plan has to
        be looked at or the job to end."""
        cut = self._cut
        while not (self.ended or (cut is not None and self._work.position >= cut)):
            if limit_ns <= until_ns:
                return (yield Pause(limit_ns))
            if (commands := (yield Pause(until_ns))) or self._ending.is_told:
                return commands
            until_ns = self._step()
        return NOTHING

    @property
    def due_position(self) -> int:
        """Where a paced work should be now; what unplanned takes effect there."""
        return self._pacer.available() if self._is_paced else self._work.position

    def catch_up(self, plan: Plan, elapsed_ms: float, goal: int) -> bool:
        """Go on towards the goal, to the next transition at most; False: it is there."""
        if self._work.position >= goal or self.ended:
            return False
        self._aim(plan, elapsed_ms)
        self._advance_to(min(goal, self._target))
        return True

    def stand_still(self) -> None:
        """While paused a live input goes on and is dropped."""
        if self._is_paced:
            self._work.discard(self._pacer.available() - self._work.position)
            self.anchor()

    def finish(self, state: JobState) -> int | None:
        """Nothing is on its way."""
        return None

    def moment(self, now: datetime) -> datetime:
        """The nominal time of this tick if the host's clock paces the work, else now."""
        return min(now, self._pacer.moment(self._work.position)) if self._is_paced else now

    def gap(self, ended: datetime, position: int) -> tuple[float, int]:
        """What was lost since a former worker was at ``position`` at that time: milliseconds and samples.

        A paced stream went on with the host's clock up to where this work begins.
        """
        if self._is_paced:
            ended += timedelta(seconds=float((self._work.position - position) / self._work.rate))
        gap_ms = max(0.0, (self._clock.now() - ended) / timedelta(milliseconds=1))
        return gap_ms, round(gap_ms * float(self._work.rate) / 1000) if self._is_paced else 0

    def _aim(self, plan: Plan, elapsed_ms: float) -> None:
        """Find out how far to go before the plan has to be looked at again, if to any point that is known."""
        self._cut = plan.next_position(self.reading(elapsed_ms)) if plan.is_on_stream_clock else None
        self._aim_at_block()

    def _aim_at_block(self) -> None:
        """What the next block goes up to, and when."""
        target = self._work.position + self._block_ticks
        self._target = target if self._cut is None else min(target, self._cut)
        if self._is_paced:
            self._due_ns = self._pacer.due_ns(self._target)

    def _step(self) -> int:
        """Make the next block, if it is due; when there is more to do."""
        now_ns = self._clock.monotonic_ns()
        if self._due_ns <= now_ns:
            self._advance_to(self._target)
            self._aim_at_block()
        return max(self._due_ns, now_ns)

    def _advance_to(self, target: int) -> None:
        wanted = target - self._work.position
        if wanted > 0 and self._work.advance(wanted) < wanted and self._work.at_end:
            self.ended = "end of input"
