"""What is done again and again goes on behind errors of any kind, and shows them."""

from __future__ import annotations

from datetime import timedelta
from threading import Event

from structlog.testing import capture_logs

from jobengine.app.repeated import Repeated
from jobengine.clock import SystemClock
from jobengine.errors import UnavailableError
from jobengine.testing import ManualClock
from tests.waiting import PATIENCE_S, wait_until


class Steps:
    """Fails with each of the given errors in turn, then works."""

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)
        self.done = 0
        self.task = Repeated("task", self.step, "task.failed", 0.01, SystemClock())

    def step(self) -> float:
        if self._errors:
            raise self._errors.pop(0)
        self.done += 1
        return 60.0

    def wait_for(self, done: int) -> None:
        wait_until(lambda: self.done == done, "the steps are done")


def test_it_goes_on_behind_any_error_and_counts_them() -> None:
    steps = Steps(KeyError("number"), UnavailableError("away"), OSError("broken"))
    steps.task.start()
    steps.wait_for(1)

    assert steps.task.failures == 3
    assert steps.task.end(PATIENCE_S)


def test_a_fault_is_logged_once_until_another_one_shows_or_it_was_over() -> None:
    with capture_logs() as logs:
        steps = Steps(*[UnavailableError("away")] * 3, *[KeyError("x")] * 2)
        steps.task.start()
        steps.wait_for(1)
        assert steps.task.end(PATIENCE_S)

    assert [(line["log_level"], line["detail"]) for line in logs] == [
        ("warning", "away"),
        ("error", "KeyError: 'x'"),
    ]
    assert isinstance(logs[1]["exc_info"], KeyError)


def test_one_that_is_woken_does_not_wait_for_its_pause() -> None:
    steps = Steps()
    steps.task.start()
    steps.wait_for(1)
    steps.task.wake()
    steps.wait_for(2)

    assert steps.task.end(PATIENCE_S)


def test_it_is_overdue_while_it_fails_and_not_while_it_pauses() -> None:
    clock, begun = ManualClock(), Event()

    def step() -> float:
        clock.advance(timedelta(seconds=1))
        begun.set()
        return 5.0

    task = Repeated("task", step, "task.failed", 0.01, clock)
    task.start()
    assert begun.wait(PATIENCE_S)
    wait_until(lambda: task.overdue_s() == 0.0, "the step's end is noted")
    clock.advance(timedelta(seconds=5))
    assert task.overdue_s() == 0.0
    clock.advance(timedelta(seconds=7))
    assert task.overdue_s() == 7.0

    assert task.end(PATIENCE_S)


def test_the_end_waits_for_a_step_no_longer_than_it_is_told_to() -> None:
    begun, release = Event(), Event()

    def step() -> float:
        begun.set()
        release.wait(PATIENCE_S)
        return 0.0

    task = Repeated("task", step, "task.failed", 0.01, SystemClock())
    task.start()
    assert begun.wait(PATIENCE_S)
    assert not task.end(0.01)
    release.set()
    assert task.end(PATIENCE_S)


def test_the_first_pause_comes_before_the_first_step_and_the_end_does_not_wait_for_it() -> None:
    steps = Steps()
    steps.task.start(60.0)

    assert steps.task.end(PATIENCE_S)
    assert steps.done == 0
