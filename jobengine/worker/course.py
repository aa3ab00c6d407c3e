"""How a worker goes on from turn to turn: by its steps, or past them.

Between two steps a work may know what it will hand on, and when. That goes along without resuming the chain
of generators that a worker's steps are: that chain costs more than sending an element.
"""

from __future__ import annotations

from collections.abc import Callable

from jobengine.clock import Clock
from jobengine.ports.work import ElementWork
from jobengine.worker.steps import NOTHING, Commands, Pause, Steps


class Course:
    """The steps of one worker. ``work`` is set where what is planned may go along; ``went_along`` tells
    whether the last turn was only that, so that nothing else of the job has changed; ``hears`` whether the
    next turn takes commands."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._has_begun = False
        self._along_until_ns = 0
        self.work: ElementWork | None = None
        self.went_along = False
        self.hears = True

    def turn(self, commands: Commands, now_ns: int) -> int:
        """One turn; the monotonic time (ns) of the next. Raises StopIteration at the end, and whatever the
        steps raise: a fault of what goes along is thrown into them."""
        self.went_along = False
        if self.work is not None and now_ns < self._along_until_ns and not commands:
            try:
                wake_ns = self.work.go_along(now_ns)
            except Exception as fault:
                return self._until(self._steps.throw(fault))
            if wake_ns is not None:
                self.went_along = True
                return min(wake_ns, self._along_until_ns)
        if self._has_begun:
            return self._until(self._steps.send(commands))
        self._has_begun = True
        return self._until(next(self._steps))

    def forbid_along(self) -> None:
        """Something has happened that no command tells: the next turn is a step."""
        self._along_until_ns = 0

    def _until(self, pause: Pause) -> int:
        self._along_until_ns = pause.along_until_ns
        self.hears = pause.hears
        return pause.until_ns


def run_alone(course: Course, receive: Callable[[float], Commands], clock: Clock) -> None:
    """Run to the end; blocks. ``receive`` waits up to so many milliseconds for commands."""
    commands = NOTHING
    try:
        while True:
            until_ns = course.turn(commands, clock.monotonic_ns())
            wait_ms = max(0.0, (until_ns - clock.monotonic_ns()) / 1e6)
            commands = receive(wait_ms) if course.hears else NOTHING
    except StopIteration:
        return
