"""How a work that goes from element to element goes on: one step at a time, the plan looked at in between."""

from __future__ import annotations

from datetime import datetime, timedelta

from jobengine.clock import Clock
from jobengine.model.condition import StreamReading
from jobengine.model.lifecycle import JobState
from jobengine.model.plan import Plan
from jobengine.ports.work import ElementWork


class ElementDrive:
    """Drives an `ElementWork` along a plan."""

    def __init__(self, work: ElementWork, clock: Clock) -> None:
        self._work = work
        self._clock = clock
        self._rate = work.rate

    @property
    def ended(self) -> str:
        """Why there is nothing more to come; empty while there may be."""
        return self._work.ended

    @property
    def floor(self) -> int | None:
        """A Duration is settled behind the element that passes it, and keeps its own point."""
        return self._work.position

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
        """Hand on what is due, one element at most; when to go on."""
        return self._work.step()

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
