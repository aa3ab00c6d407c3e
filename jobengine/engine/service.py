"""The loop of the engine process: poll, decide, wake in time; housekeeping; an ordered stop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import inf
from typing import Protocol

import structlog

from jobengine.clock import Clock, from_text
from jobengine.engine.chores import Chores
from jobengine.engine.engine import Engine
from jobengine.engine.worker_news import News
from jobengine.errors import UnavailableError
from jobengine.garbage import Garbage
from jobengine.messaging.engine_sockets import EngineSockets
from jobengine.ports.work import Timer

IDLE_POLL_MS = 1000
NEAR_MS = 20.0
QUIET_MS = 1000.0
"""How long nothing may fall due for what can wait to be done now."""
HOUSEKEEPING_PERIOD_S = 1.0


class Launcher(Protocol):
    """Where news of worker processes come from."""

    def filenos(self) -> Sequence[int]: ...
    def collect(self, ready: Sequence[int]) -> list[News]: ...


@dataclass(frozen=True, slots=True)
class ServiceParts:
    """What the loop drives."""

    engine: Engine
    chores: Chores
    sockets: EngineSockets
    launcher: Launcher
    timer: Timer
    clock: Clock
    garbage: Garbage


@dataclass(frozen=True, slots=True)
class ServiceTerms:
    """How much is taken at once, and how long the jobs may take to finish at the end."""

    group_size: int
    finish_timeout_s: float


class EngineService:
    """Runs an engine until told to stop. One thread."""

    def __init__(self, parts: ServiceParts, terms: ServiceTerms) -> None:
        self._engine = parts.engine
        self._chores = parts.chores
        self._sockets = parts.sockets
        self._launcher = parts.launcher
        self._timer = parts.timer
        self._clock = parts.clock
        self._garbage = parts.garbage
        self._terms = terms
        self._stop_requested = False
        self._finish_jobs = False
        self._next_housekeeping_ns = 0
        self._log = structlog.get_logger("service")

    def stop(self, finish_jobs: bool) -> None:
        """Ask the loop to end; safe to call from a signal handler."""
        self._stop_requested, self._finish_jobs = True, finish_jobs
        self._sockets.wake()

    def run(self, on_ready: Callable[[], None]) -> None:
        """Serve until `stop`; ``on_ready`` is called when that begins. Workers are left running unless their
        jobs are to be finished. Raises UnavailableError if the database is away at the start."""
        self._engine.resume()
        self._garbage.begin()
        on_ready()
        more = False
        while not self._stop_requested:
            more = self._turn(0 if more else self._wait_ms())
        self._engine.settle()
        if self._finish_jobs:
            try:
                self._finish()
            except UnavailableError as error:
                self._log.error("service.not_finished", detail=error.detail)
        self._log.info("engine.stopped")

    def _turn(self, wait_ms: int) -> bool:
        """Wait, then one step of the engine; whether there is more to do at once."""
        arrivals = self._sockets.poll(wait_ms, self._launcher.filenos(), self._terms.group_size)
        news = self._launcher.collect(arrivals.descriptors)
        more = self._engine.step(arrivals.requests, arrivals.reports, news)
        self._housekeeping()
        return more

    def _wait_ms(self) -> int:
        """How long the poll may wait: the timer ends it when something falls due.

        Never less than 1 ms: what falls due meanwhile is decided together, and whoever commits has its turn.
        """
        wake, left_ms = self._engine.next_wake(), self._left_ms()
        if wake is None:
            self._timer.wake_at(None)
            return IDLE_POLL_MS
        if left_ms <= NEAR_MS:
            return max(1, min(int(left_ms) + 1, int(NEAR_MS)))
        self._timer.wake_at(from_text(wake))
        return IDLE_POLL_MS

    def _left_ms(self) -> float:
        """How long until something falls due; infinite if nothing will, as far as it is known."""
        wake = self._engine.next_wake()
        return (from_text(wake) - self._clock.now()) / timedelta(milliseconds=1) if wake else inf

    def _housekeeping(self) -> None:
        now_ns = self._clock.monotonic_ns()
        if now_ns < self._next_housekeeping_ns:
            return
        self._next_housekeeping_ns = now_ns + int(HOUSEKEEPING_PERIOD_S * 1e9)
        self._engine.tick()
        is_quiet = not self._engine.is_busy and self._left_ms() > QUIET_MS
        if not self._chores.begin(not is_quiet):
            self._stop_requested = True
        self._garbage.look(is_quiet)

    def _finish(self) -> None:
        """Finish all jobs in order; what has not ended in time is terminated and noted as such.

        Who stood still until after the deadline hears what was said meanwhile all the same.
        """
        self._log.info("service.finishing", jobs=self._engine.finish_all("the service stops"))
        deadline_ns = self._clock.monotonic_ns() + int(self._terms.finish_timeout_s * 1e9)
        is_late = False
        while self._engine.worker_count and not is_late:
            is_late = self._clock.monotonic_ns() >= deadline_ns
            self._turn(int(NEAR_MS))
        if self._engine.worker_count:
            self._engine.terminate_all("the job did not finish before the service stopped")
