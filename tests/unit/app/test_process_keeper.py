"""The keeper of the engine, over real processes that stand for one."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import psutil
import pytest
import structlog
from structlog.testing import capture_logs

from jobengine.app.process_keeper import ProcessKeeper
from jobengine.clock import Clock, SystemClock
from jobengine.crash_loop import LIMIT, QUICK_S
from tests.unit.app.stand_ins import deaf, end_at_once, end_when_ready, until_sigterm
from tests.waiting import PATIENCE_S, wait_until

SPAWN = multiprocessing.get_context("spawn")


class Kept:
    """A keeper, what it has started, and whether it gave up."""

    def __init__(
        self, target: Callable[..., None], stop_timeout_s: float, args: tuple[Any, ...], clock: Clock
    ) -> None:
        self._target = target
        self._args = args
        self.processes: list[BaseProcess] = []
        self.has_told = False
        self.keeper = ProcessKeeper("engine", self._new, stop_timeout_s, self._tell, clock)

    def _new(self, ready: Connection) -> BaseProcess:
        process = SPAWN.Process(target=self._target, args=(ready, *self._args))
        self.processes.append(process)
        return process

    def _tell(self) -> None:
        self.has_told = True


@contextmanager
def keeping(
    target: Callable[..., None],
    stop_timeout_s: float = PATIENCE_S,
    args: tuple[Any, ...] = (),
    clock: Clock | None = None,
) -> Iterator[Kept]:
    kept = Kept(target, stop_timeout_s, args, clock or SystemClock())
    kept.keeper.start()
    try:
        yield kept
    finally:
        kept.keeper.stop()


@pytest.fixture(autouse=True)
def _without_tracker() -> Iterator[None]:
    """The first spawn starts a process of the standard library's that would stay until this one ends."""
    yield
    resource_tracker._resource_tracker._stop()  # type: ignore[attr-defined]


@pytest.fixture
def log() -> Iterator[list[Any]]:
    structlog.reset_defaults()
    with capture_logs() as lines:
        yield lines


def _started(kept: Kept, count: int = 1) -> BaseProcess:
    def newest() -> BaseProcess | None:
        processes = kept.processes[count - 1 :]
        return processes[0] if processes and processes[0].pid is not None else None

    found = wait_until(newest, "it has started")
    assert found is not None
    return found


def test_a_stop_ends_the_engine_and_kills_nobody(log: list[Any]) -> None:
    with keeping(until_sigterm) as kept:
        engine = _started(kept)
    assert engine.exitcode == -signal.SIGTERM
    assert (log, kept.keeper.has_given_up) == ([], False)


def test_an_engine_told_to_end_along_with_the_service_is_not_started_again(log: list[Any]) -> None:
    with keeping(until_sigterm) as kept:
        engine = _started(kept)
        kept.keeper.expect_end()
        engine.terminate()
        # The keeper collects it: two who wait for one child would take its exit code from each other.
        wait_until(lambda: not psutil.pid_exists(engine.pid or 0), "the engine has ended")
    assert (log, len(kept.processes), kept.keeper.has_given_up) == ([], 1, False)


def test_an_engine_that_crashes_while_the_service_stops_is_told_of(log: list[Any]) -> None:
    with keeping(until_sigterm) as kept:
        engine = _started(kept)
        kept.keeper.expect_end()
        engine.kill()
        wait_until(lambda: len(log) == 1, "its end is noticed")
    assert (log[0]["event"], log[0]["exit_code"]) == ("engine.ended", -signal.SIGKILL)


def test_an_engine_that_does_not_listen_is_killed_in_the_end(log: list[Any]) -> None:
    here, there = SPAWN.Pipe(duplex=False)
    with here, there, keeping(deaf, 0.1, (there,)) as kept:
        engine = _started(kept)
        assert here.poll(PATIENCE_S)
    assert engine.exitcode == -signal.SIGKILL
    assert [line["event"] for line in log] == ["engine.killed"]


def test_an_engine_that_ends_by_itself_is_started_again(log: list[Any]) -> None:
    with keeping(until_sigterm) as kept:
        first = _started(kept)
        first.kill()
        second = _started(kept, 2)
        assert second.pid != first.pid
    assert [(line["event"], line["exit_code"]) for line in log] == [("engine.ended", -signal.SIGKILL)]


def test_it_gives_up_when_the_engine_ends_at_once_again_and_again(log: list[Any]) -> None:
    with keeping(end_at_once) as kept:
        wait_until(lambda: kept.has_told, "it has given up")
    assert kept.keeper.has_given_up
    assert [line["exit_code"] for line in log] == [3] * LIMIT


class SlowMachine(SystemClock):
    """Its clock is ahead, so that whatever ended took long to."""

    def monotonic_ns(self) -> int:
        return super().monotonic_ns() + int(2 * QUICK_S * 1e9)


def test_it_gives_up_on_an_engine_that_was_never_ready_however_long_it_took(log: list[Any]) -> None:
    with keeping(end_at_once, clock=SlowMachine()) as kept:
        wait_until(lambda: kept.has_told, "it has given up")
    assert len(log) == LIMIT


def test_an_engine_that_was_ready_for_long_is_started_however_often_it_ends(log: list[Any]) -> None:
    with keeping(end_when_ready, clock=SlowMachine()) as kept:
        _started(kept, LIMIT + 2)
        assert not kept.keeper.has_given_up


def test_another_thread_may_look_at_the_process_too(log: list[Any]) -> None:
    """granian's supervisor does, whenever it starts a process: it looks after all children."""
    with keeping(until_sigterm) as kept:
        first = _started(kept)
        first.kill()
        wait_until(lambda: first not in multiprocessing.active_children(), "it has ended")
        _started(kept, 2)
    # Not how it ended: who takes that from the kernel may be about to note it when the other asks.
    assert [line["event"] for line in log] == ["engine.ended"]
