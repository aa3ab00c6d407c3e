"""Groups of decisions: the one that is open, those on their way to the disk, and the order of telling.

While a group is on its way the next one is decided, in rounds. None is told before it is on disk, nor before
the one in front of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from contextlib import suppress

from jobengine.clock import Clock
from jobengine.engine.commits import Commits
from jobengine.engine.decisions import Decisions
from jobengine.history.store import SqlJobStore


class Groups:
    """Used by the engine's thread. About ``size`` jobs are committed together.

    ``told`` is called with each group once it is on disk, and ``back`` behind the first after one was given
    up. Whatever waits for the disk here raises what the
    store's `write` does, and `give_up` must follow.
    """

    def __init__(
        self,
        store: SqlJobStore,
        commits: Commits,
        clock: Clock,
        size: int,
        told: Callable[[Decisions], None],
        back: Callable[[], None],
    ) -> None:
        self._store = store
        self._commits = commits
        self._clock = clock
        self._size = size
        self._told = told
        self._back = back
        self._is_down = False
        self.open = self._new()

    @property
    def is_down(self) -> bool:
        """Whether a group was given up and none was told since."""
        return self._is_down

    @property
    def under_way(self) -> list[Decisions]:
        """What is on its way to the disk, the first to be written first."""
        return self._commits.groups

    @property
    def is_busy(self) -> bool:
        """Whether something is on its way to the disk."""
        return self._commits.is_under_way

    @property
    def job_count(self) -> int:
        """How many jobs have been decided about of which the decision is not known to be on disk."""
        return len(self.open.touched) + self._commits.job_count

    def concern(self, job_id: str) -> bool:
        """Whether something was decided about a job that is not known to be on disk."""
        return job_id in self.open.touched or self._commits.concerns((job_id,))

    def writing(self, job_ids: Set[str]) -> set[str]:
        """Those of these jobs about which something is on its way to the disk that was decided."""
        return self._commits.among(job_ids)

    def begin_round(self) -> Decisions:
        """The open group; what is decided from here on is decided now."""
        self.open.begin_round(self._clock.now())
        return self.open

    def end_round(self, limit: int) -> None:
        """Hand over what the round has decided; wait for the disk if ``limit`` jobs wait for it already."""
        is_full = len(self.open.touched) >= self._size and self.job_count >= limit
        if is_full and self._commits.is_under_way:
            self._conclude_first()
        self._hand_over()

    def tell_done(self) -> None:
        """Tell what is on disk by now, and hand over what has waited for that. Waits for nothing."""
        while self._commits.is_done:
            self._conclude_first()
        if self.open.batch or self.open.must_follow:
            self._hand_over()

    def await_jobs(self, job_ids: Iterable[str]) -> None:
        """Wait until what groups under way have decided about these jobs is on disk and told."""
        wanted = list(job_ids)
        while self._commits.concerns(wanted):
            self._conclude_first()

    def conclude(self) -> None:
        """Wait until all groups under way are on disk and told."""
        while self._commits.is_under_way:
            self._conclude_first()

    def catch_up(self) -> None:
        """Wait until everything that was decided is on disk and told."""
        self.conclude()
        self._hand_over()
        self.conclude()

    def give_up(self) -> Decisions:
        """Drop everything that is not on disk; one group that holds whoever waited for it."""
        self._is_down = False  # what still gets through is no sign that it is back
        with suppress(Exception):  # it is given up along with the rest
            self.conclude()
        for group in reversed(self._commits.give_up()):
            self.open.take_over(group)
        failed, self.open = self.open, self._new()
        self._is_down = True
        return failed

    def _new(self) -> Decisions:
        return Decisions(self._store.new_batch(), self._clock.now())

    def _hand_over(self) -> None:
        """Send the open group off, if the way is free or it is large.

        One without anything to write needs no way. After an outage the first is waited for.
        """
        group = self.open
        is_small = len(group.touched) < self._size
        if (group.batch or group.must_follow) and self._commits.is_under_way and is_small:
            return
        if not group.batch:
            self.open = self._new()
            self._tell(group)
            return
        self._commits.begin(group)
        self.open = self._new()
        if self._is_down:
            self.conclude()

    def _conclude_first(self) -> None:
        self._tell(self._commits.end())

    def _tell(self, group: Decisions) -> None:
        self._told(group)
        if self._is_down:
            self._is_down = False
            self._back()
