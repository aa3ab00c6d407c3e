"""A recipe goes on only as far as its job lets it, and can always be stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from jobengine.errors import MediaError
from jobengine.model.recipe import Result
from jobengine.worker.convert import run as run_module
from jobengine.worker.convert.run import Run
from tests.waiting import PATIENCE_S, wait_until

Pass = Callable[[int], None]


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread of a recipe may be late; only what is told to wait is waited for in vain."""
    monkeypatch.setattr(run_module, "WAIT_S", PATIENCE_S)
    monkeypatch.setattr(run_module, "_STOP_TIMEOUT_S", PATIENCE_S)


@pytest.fixture
def stopped(patience: None) -> Iterator[list[Run]]:
    """Runs to be stopped after the test."""
    runs: list[Run] = []
    yield runs
    for run in runs:
        assert run.stop()


def ten(passed: Pass) -> Result:
    for _ in range(10):
        passed(1)
    return Result(b"ten")


def begun(body: Callable[[Pass], Result], stopped: list[Run]) -> Run:
    run = Run(body)
    stopped.append(run)
    run.start()
    return run


def test_it_passes_exactly_as_many_elements_as_it_is_let(stopped: list[Run]) -> None:
    run = begun(ten, stopped)

    assert run.advance(4) == 4
    assert (run.position, run.has_ended) == (4, False)


def test_its_end_is_known_with_all_that_it_passed(stopped: list[Run]) -> None:
    run = begun(ten, stopped)

    assert run.advance(100) == 10
    assert run.has_ended
    assert run.outcome() == Result(b"ten")


def test_what_it_raises_comes_out_of_the_next_advance(stopped: list[Run]) -> None:
    def body(passed: Pass) -> Result:
        passed(1)
        raise MediaError("the third packet is damaged")

    run = begun(body, stopped)
    with pytest.raises(MediaError, match="third packet"):
        run.advance(5)


def test_a_wrong_outcome_is_told(stopped: list[Run]) -> None:
    run = begun(lambda passed: "no result", stopped)  # type: ignore[arg-type,return-value]

    assert run.advance(1) == 0
    assert run.has_ended
    with pytest.raises(TypeError, match="must return a Result"):
        run.outcome()


def test_a_recipe_that_lets_wait_is_waited_for_a_moment_only(
    stopped: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "WAIT_S", 0.01)
    go_on = threading.Event()

    def body(passed: Pass) -> Result:
        go_on.wait(PATIENCE_S)
        passed(1)
        return Result(b"")

    run = begun(body, stopped)
    assert run.advance(5) == 0
    assert not run.has_ended
    go_on.set()
    wait_until(lambda: run.advance(5) or run.has_ended, "it goes on")
    assert run.position == 1


def test_stopping_ends_it_where_it_waits() -> None:
    run = Run(ten)
    run.start()
    assert run.advance(3) == 3

    assert run.stop()
    assert run.stop()
    assert run.position == 3
