"""Whether a turn is a step of the worker, or goes past its steps along what a work has planned."""

from __future__ import annotations

from datetime import timedelta
from typing import cast

import pytest

from jobengine.errors import MediaError
from jobengine.messaging.worker_messages import Release
from jobengine.ports.work import ElementWork
from jobengine.testing.clock import ManualClock
from jobengine.worker.course import Course, run_alone
from jobengine.worker.steps import NOTHING, Commands, Pause, Steps, breath

STEP_NS, PLANNED_NS, LIMIT_NS = 100_000, 40_000, 150_000
COMMANDS: Commands = (Release("engine"),)


class Planned:
    """What a course needs of a work: something planned every ``PLANNED_NS``, before ``over_ns``."""

    def __init__(self, over_ns: int) -> None:
        self._over_ns = over_ns
        self.fault: Exception | None = None

    def go_along(self, now_ns: int) -> int | None:
        if self.fault is not None:
            raise self.fault
        return now_ns + PLANNED_NS if now_ns < self._over_ns else None


class Job:
    """A worker of three steps that are told what came, and during whose pauses a work may go along."""

    def __init__(
        self, along_until_ns: int = LIMIT_NS, over_ns: int = 2 * LIMIT_NS, begin_ns: int = 0
    ) -> None:
        self.told: list[Commands | Exception] = []
        self.work = Planned(over_ns)
        self.course = Course(self._steps(begin_ns, along_until_ns))
        self.course.work = cast("ElementWork", self.work)

    def _steps(self, begin_ns: int, along_until_ns: int) -> Steps:
        for number in range(1, 4):
            try:
                self.told.append((yield Pause(begin_ns + number * STEP_NS, along_until_ns)))
            except MediaError as fault:
                self.told.append(fault)
                along_until_ns = 0


def test_what_is_planned_goes_past_the_steps() -> None:
    job = Job()
    turns = [(job.course.turn(NOTHING, now_ns), job.course.went_along) for now_ns in (0, 1, PLANNED_NS)]
    assert turns == [(STEP_NS, False), (1 + PLANNED_NS, True), (2 * PLANNED_NS, True)]
    assert job.told == []


def test_it_goes_no_further_than_the_pause_allows() -> None:
    job = Job()
    job.course.turn(NOTHING, 0)
    assert job.course.turn(NOTHING, LIMIT_NS - 1) == LIMIT_NS
    assert job.course.went_along
    assert job.course.turn(NOTHING, LIMIT_NS) == 2 * STEP_NS
    assert not job.course.went_along
    assert job.told == [NOTHING]


@pytest.mark.parametrize(
    ("job", "commands"),
    [
        pytest.param(Job(), COMMANDS, id="a command has come"),
        pytest.param(Job(over_ns=0), NOTHING, id="the work has something else to look at"),
        pytest.param(Job(along_until_ns=0), NOTHING, id="nothing may go along"),
    ],
)
def test_a_step_is_made_where_it_is_needed(job: Job, commands: Commands) -> None:
    job.course.turn(NOTHING, 0)
    assert job.course.turn(commands, 1) == 2 * STEP_NS
    assert not job.course.went_along
    assert job.told == [commands]


def test_a_fault_of_what_goes_along_is_the_steps_to_handle() -> None:
    job = Job()
    job.course.turn(NOTHING, 0)
    fault = job.work.fault = MediaError("the sink is gone")
    assert job.course.turn(NOTHING, 1) == 2 * STEP_NS
    assert not job.course.went_along
    assert job.told == [fault]
    assert job.course.turn(NOTHING, 2) == 3 * STEP_NS, "the work is not asked again before a step allows it"


def test_alone_it_waits_for_commands_until_each_step_is_due() -> None:
    clock = ManualClock()
    job = Job(along_until_ns=0, begin_ns=clock.monotonic_ns())
    waits_ms = []

    def receive(wait_ms: float) -> Commands:
        waits_ms.append(wait_ms)
        clock.advance(timedelta(milliseconds=wait_ms))
        return COMMANDS if len(waits_ms) == 2 else NOTHING

    run_alone(job.course, receive, clock)
    assert waits_ms == [STEP_NS / 1e6] * 3
    assert job.told == [NOTHING, COMMANDS, NOTHING]


def test_commands_wait_where_a_step_only_takes_breath() -> None:
    clock = ManualClock()
    told = []

    def steps() -> Steps:
        told.append((yield breath(clock)))
        told.append((yield Pause(clock.monotonic_ns())))

    run_alone(Course(steps()), lambda wait_ms: COMMANDS, clock)
    assert told == [NOTHING, COMMANDS]
