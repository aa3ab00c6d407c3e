"""The near future in memory: what of the due table falls due within the next seconds.

The table is the truth and is read ahead in slices; in between, what is committed for the near future
is added as it comes. So a burst of due transitions costs no look-up while it lasts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from concurrent.futures import Executor, Future
from datetime import datetime, timedelta
from heapq import heappop, heappush
from typing import Protocol

from jobengine.clock import to_text
from jobengine.engine.workers import LAUNCH_RETRY_S
from jobengine.model.record import TransitionRecord

HORIZON = timedelta(seconds=10)
"""How far is read ahead. Finding out what a job will pass takes longer than passing it, so there must be time
for it before a burst; an idle engine looks once a second."""
SLICE = timedelta(seconds=1)
READ_AT_ONCE = 1_000
"""Rows of the table that are read in one step: what falls due meanwhile has to wait for them."""
KNOWN_LIMIT = 20_000
"""Rows beyond which nothing more is read ahead, however much falls due at one time."""
OVERDUE = timedelta(seconds=1)
LOOK_BACK_PERIOD = timedelta(seconds=5)
Row = tuple[str, str, str]
"""Wake time, job and transition."""
_BEGINNING = ("", "")
_END = "\uffff"
"""Sorts after every id of a transition."""


class DueTable(Protocol):
    """The due table of one service."""

    def due(
        self, now_text: str, limit: int, service: str | None = None, after: tuple[str, str] = ("", "")
    ) -> list[Row]: ...
    def put_off(self, now_text: str, until_text: str, limit: int, service: str) -> list[Row]: ...
    def next_wake(self, service: str | None = None, after: tuple[str, str] = ("", "")) -> str | None: ...


class Wakes:
    """Rows of the table in their order and, in a heap, what came otherwise. Entries that are no longer
    pending do no harm.

    ``executor`` has the thread that commits.
    """

    def __init__(self, table: DueTable, service: str, executor: Executor) -> None:
        self._table = table
        self._service = service
        self._executor = executor
        self._ahead: deque[Row] = deque()
        self._heap: list[Row] = []
        self._known: set[tuple[str, str]] = set()
        self._horizon = _BEGINNING
        self._beyond: str | None = None
        self._looked_back: datetime | None = None
        self._behind: Future[list[Row]] | None = None
        """What a look back finds, while it lasts."""

    def read_ahead(self, now: datetime) -> list[str]:
        """Read on in the table if the horizon has come near; the ids of the jobs found.

        Each time only some rows, so that no look-up takes long.
        """
        self._look_back(now)
        is_near = self._horizon[0] <= to_text(now + HORIZON - SLICE)
        if not is_near or len(self._known) >= KNOWN_LIMIT:
            return []
        wanted = to_text(now + HORIZON)
        put_off = self._put_off(now) if self._horizon == _BEGINNING else []
        rows = self._table.due(wanted, READ_AT_ONCE, self._service, self._horizon)
        is_full = len(rows) == READ_AT_ONCE
        self._horizon = (rows[-1][0], rows[-1][2]) if is_full else (wanted, _END)
        self._beyond = self._table.next_wake(self._service, self._horizon)
        for row in put_off:
            self._push(row)
        self._ahead += [row for row in rows if self._is_new(row)]
        return list(dict.fromkeys(job_id for _, job_id, _ in (*put_off, *rows)))

    def is_blind(self, now: datetime) -> bool:
        """Whether the table may hold what is due and was not read yet, as at first."""
        return not self._known and self._horizon[0] <= to_text(now)

    def note(self, transitions: Iterable[TransitionRecord]) -> None:
        """Rows that were committed: those of the near future are added."""
        for t in transitions:
            if t.wake_time is None:
                continue
            if (t.wake_time, t.transition_id) <= self._horizon:
                self._push((t.wake_time, t.job_id, t.transition_id))
            elif self._beyond is None or t.wake_time < self._beyond:
                self._beyond = t.wake_time

    def take(self, now: datetime, limit: int) -> dict[str, set[str]]:
        """The transitions to wake by ``now``, at most ``limit``, by job."""
        now_text = to_text(now)
        woken: dict[str, set[str]] = {}
        while limit > 0 and (first := self._first()) is not None and first[0] <= now_text:
            if self._ahead and first is self._ahead[0]:
                self._ahead.popleft()
            else:
                heappop(self._heap)
            wake, job_id, transition_id = first
            self._known.discard((wake, transition_id))
            if job_id in woken:
                woken[job_id].add(transition_id)
            else:
                woken[job_id] = {transition_id}
            limit -= 1
        return woken

    def has_due(self, now: datetime) -> bool:
        first = self._first()
        return first is not None and first[0] <= to_text(now)

    def next(self) -> str | None:
        """The earliest wake time known of, near or far."""
        first = self._first()
        return self._beyond if first is None else first[0]

    def forget(self) -> None:
        """Read the table anew at the next look: a group was given up."""
        self._horizon = _BEGINNING
        self._behind = None
        self._ahead.clear()
        self._heap.clear()
        self._known.clear()

    def _look_back(self, now: datetime) -> None:
        """Once in a while, find again what should have been woken long ago: its job may have been busy then
        (its worker was being launched).

        In the thread that commits, behind the groups on their way: a server steps over everything that has
        passed since it tidied its index, which may take a quarter of a second after a burst.
        """
        before, self._looked_back = self._looked_back, self._looked_back or now
        if before is not None and abs(now - before) > LOOK_BACK_PERIOD and self._behind is None:
            self._looked_back = now
            overdue = to_text(now - OVERDUE)
            self._behind = self._executor.submit(self._table.due, overdue, READ_AT_ONCE, self._service)
        if self._behind is not None and self._behind.done():
            found, self._behind = self._behind, None
            for row in found.result():
                self._push(row)

    def _put_off(self, now: datetime) -> list[Row]:
        """What was due and put off until its worker would show up. At the beginning nobody knows whether the
        worker was launched at all: it is looked at now."""
        now_text = to_text(now)
        until_text = to_text(now + timedelta(seconds=LAUNCH_RETRY_S))
        rows = self._table.put_off(now_text, until_text, READ_AT_ONCE, self._service)
        return [(now_text, job_id, transition_id) for _, job_id, transition_id in rows]

    def _first(self) -> Row | None:
        """What is to be woken first of all that is known."""
        if not self._heap:
            return self._ahead[0] if self._ahead else None
        return min(self._heap[0], self._ahead[0]) if self._ahead else self._heap[0]

    def _push(self, entry: Row) -> None:
        if self._is_new(entry):
            heappush(self._heap, entry)

    def _is_new(self, entry: Row) -> bool:
        """Whether a row was not known; it is now."""
        key = (entry[0], entry[2])
        if key in self._known:
            return False
        self._known.add(key)
        return True
