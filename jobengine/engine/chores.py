"""What is done in the database once in a while, by the thread that commits: it may wait for the disk."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from dataclasses import dataclass
from datetime import timedelta

import structlog

from jobengine.clock import Clock, to_text
from jobengine.errors import ConflictError, UnavailableError
from jobengine.history.store import SqlJobStore

PRUNE_PERIOD_S = 600.0


@dataclass(frozen=True, slots=True)
class ChoreTerms:
    """Whose chores these are, and how long things are kept."""

    name: str
    epoch: int
    event_retention: timedelta
    idempotency_retention: timedelta


class Chores:
    """Says that the service is alive, and drops what is too old."""

    def __init__(self, store: SqlJobStore, executor: Executor, clock: Clock, terms: ChoreTerms) -> None:
        self._store = store
        self._executor = executor
        self._clock = clock
        self._terms = terms
        self._next_prune_ns = 0
        self._future: Future[None] | None = None
        self._log = structlog.get_logger("service")

    def begin(self, is_busy: bool) -> bool:
        """Do them once more, unless the last time is not over yet. What can wait is left if ``is_busy``.

        Returns whether the service still has its name, as far as the last time told.
        """
        if self._future is not None:
            if not self._future.done():
                return True
            future, self._future = self._future, None
            try:
                future.result()
            except UnavailableError:
                self._log.warning("database.away")
            except ConflictError as error:
                self._log.error("service.fenced", detail=error.detail)
                return False
        self._future = self._executor.submit(self._do, is_busy)
        return True

    def _do(self, is_busy: bool) -> None:
        now, now_ns = self._clock.now(), self._clock.monotonic_ns()
        self._store.beat(self._terms.name, self._terms.epoch, to_text(now))
        if now_ns >= self._next_prune_ns:
            self._next_prune_ns = now_ns + int(PRUNE_PERIOD_S * 1e9)
            self._store.prune_events(to_text(now - self._terms.event_retention))
            self._store.expire_idempotency(to_text(now - self._terms.idempotency_retention))
        if not is_busy:
            self._store.tidy()
