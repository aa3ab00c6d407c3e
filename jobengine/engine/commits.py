"""The way of a group to the disk: one at a time, in a thread of its own, while the next one is decided."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future

from jobengine.engine.decisions import Decisions
from jobengine.history.store import SqlJobStore


class Commits:
    """At most one group is under way. Used by the engine's thread.

    ``executor`` has one thread, so that what is written comes in its order. ``wake`` is called by it once a
    group is done.
    """

    def __init__(self, store: SqlJobStore, executor: Executor, wake: Callable[[], None]) -> None:
        self._store = store
        self._executor = executor
        self._wake = wake
        self._group: Decisions | None = None
        self._future: Future[None] | None = None

    @property
    def is_under_way(self) -> bool:
        return self._group is not None

    @property
    def is_done(self) -> bool:
        """Whether `end` would not have to wait."""
        return self._future is not None and self._future.done()

    def concerns(self, job_ids: Iterable[str]) -> bool:
        """Whether one of these jobs is among those that the group under way has decided about."""
        return self._group is not None and not self._group.touched.keys().isdisjoint(job_ids)

    @property
    def group(self) -> Decisions | None:
        """What is under way."""
        return self._group

    def begin(self, group: Decisions) -> None:
        """Send ``group`` off; nothing may be under way. Its rows are made now."""
        prepared = self._store.prepare(group.batch)
        self._group, self._future = group, self._executor.submit(self._store.write, prepared)
        self._future.add_done_callback(lambda _: self._wake())

    def end(self) -> None:
        """Wait until the group under way is on disk; then none is. Raises what the store's `write` does."""
        future, self._group, self._future = self._future, None, None
        if future is not None:
            future.result()
