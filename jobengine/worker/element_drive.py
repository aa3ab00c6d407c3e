"""How a work that goes from element to element goes on: by itself, as far as nothing else falls due."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from jobengine.clock import Clock
from jobengine.model.condition import Milestone, StreamReading
from jobengine.model.lifecycle import JobState
from jobengine.model.plan import Plan
from jobengine.ports.work import ElementWork
from jobengine.worker.ending import Ending
from jobengine.worker.steps import NOTHING, Pause, Waiting


class ElementDrive:
    """Drives an `ElementWork` along a plan."""

    def __init__(self, work: ElementWork, clock: Clock, ending: Ending) -> None:
        self._work = work
        self._clock = clock
        self._ending = ending
        self._rate = work.rate
        self._milestone: Milestone | None = None

    @property
    def ended(self) -> str:
        """Why there is nothing more to come; empty while there may be."""
        return self._work.ended

    @property
    def floor(self) -> int | None:
        """A Duration is settled after the element that passes it, and keeps its own point."""
        return self._work.position

    @property
    def descriptors(self) -> Sequence[int]:
        """Whose readability is a reason for another step now."""
        return self._work.descriptors

    @property
    def late_ms(self) -> float:
        """How late the last element was handed on."""
        return self._work.behind_ms

    def reading(self, elapsed_ms: float) -> StreamReading:
        work = self._work
        return StreamReading(
            work.position,
            self._rate,
            work.elements,
            work.key_elements,
            elapsed_ms,
            work.last_id,
        )

    def anchor(self) -> None:
        """The job goes on, or stands still, from now on."""
        self._work.go()

    def go_on(self, plan: Plan, elapsed_ms: float) -> int:
        """Hand on what is due before the plan has to be looked at again; when to go on."""
        self._milestone = plan.milestone(self.reading(elapsed_ms)) if len(plan) else None
        return self._work.step(self._milestone)

    def wait(self, until_ns: int, limit_ns: int) -> Waiting:
        """Go on by itself whenever it is time to; until ``limit_ns``, a command, the end, or where the plan
        has to be looked at or the job to end. What is planned may go along meanwhile."""
        work, milestone = self._work, self._milestone
        while not (work.ended or (milestone is not None and milestone.is_reached(work))):
            if limit_ns <= until_ns:
                return (yield Pause(limit_ns, limit_ns))
            if (commands := (yield Pause(until_ns, limit_ns))) or self._ending.is_told:
                return commands
            until_ns = work.step(milestone)
        return NOTHING

    @property
    def due_position(self) -> int:
        """Between two elements is always now."""
        return self._work.position

    def catch_up(self, plan: Plan, elapsed_ms: float, goal: int) -> bool:
        """It is there."""
        return False

    def stand_still(self) -> None:
        """What is stored waits."""

    def finish(self, state: JobState) -> int | None:
        """Bring home what was handed on; when to go on with that, None: all is done."""
        return self._work.finish(state)

    def moment(self, now: datetime) -> datetime:
        """Elements pass when they are handed on."""
        return now

    def gap(self, ended: datetime, position: int) -> tuple[float, int]:
        """How long nothing was sent since a former worker was there; nothing stored is lost by that."""
        return max(0.0, (self._clock.now() - ended) / timedelta(milliseconds=1)), 0
