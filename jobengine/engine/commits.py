"""The way of groups to the disk: one after the other, in a thread of their own, while the next is decided."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Set
from concurrent.futures import Executor, Future
from contextlib import suppress

from jobengine.engine.decisions import Decisions
from jobengine.errors import UnavailableError
from jobengine.history.store import Prepared, SqlJobStore


class Commits:
    """Groups in the order in which they are handed over. Used by the engine's thread.

    ``executor`` has one thread, so that what is written comes in its order; after a group that was not
    written none is, until `give_up`. ``wake`` is called by it once a group is done.
    """

    def __init__(self, store: SqlJobStore, executor: Executor, wake: Callable[[], None]) -> None:
        self._store = store
        self._executor = executor
        self._wake = wake
        self._under_way: deque[tuple[Decisions, Future[None]]] = deque()
        self._is_broken = False

    @property
    def is_under_way(self) -> bool:
        return bool(self._under_way)

    @property
    def is_done(self) -> bool:
        """Whether `end` would not have to wait."""
        return bool(self._under_way) and self._under_way[0][1].done()

    @property
    def job_count(self) -> int:
        """How many jobs the groups under way have decided about."""
        return sum(len(group.touched) for group in self.groups)

    def concerns(self, job_ids: Iterable[str]) -> bool:
        """Whether one of these jobs is among those that a group under way has decided about."""
        return any(not group.touched.keys().isdisjoint(job_ids) for group in self.groups)

    def among(self, job_ids: Set[str]) -> set[str]:
        """Those of these jobs that a group under way has decided about."""
        return set().union(*(group.touched.keys() & job_ids for group, _ in self._under_way))

    @property
    def groups(self) -> list[Decisions]:
        """What is under way, the first to be written first."""
        return [group for group, _ in self._under_way]

    def begin(self, group: Decisions) -> None:
        """Send ``group`` off, after those under way. Its rows are made now."""
        prepared = self._store.prepare(group.batch)
        future = self._executor.submit(self._write, prepared)
        self._under_way.append((group, future))
        future.add_done_callback(lambda _: self._wake())

    def end(self) -> Decisions:
        """Wait until the first group under way is on disk. Raises what the store's `write` does; then it is
        still the first, to be given up.
        """
        self._under_way[0][1].result()
        return self._under_way.popleft()[0]

    def give_up(self) -> list[Decisions]:
        """Leave what is under way, which is not written as the first of it was not; the groups."""
        lost = self.groups
        for _, future in self._under_way:
            with suppress(Exception):
                future.result()
        self._under_way.clear()
        self._is_broken = False
        return lost

    def _write(self, prepared: Prepared) -> None:
        if self._is_broken:
            raise UnavailableError("a group before this one was not written")
        try:
            self._store.write(prepared)
        except BaseException:
            self._is_broken = True
            raise
