"""The engine: takes what has arrived together, decides, commits in groups, then tells.

It knows nothing of sockets, SQL or processes; those are ports. One thread calls it. While a group is on its
way to the disk the next one is decided, in rounds, about other jobs: about a job nothing is decided before
what was decided last about it is on disk. What becomes of groups that can't be written, and of decisions that
raise, is the business of `jobengine.engine.recovery`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

import structlog

from jobengine.clock import ClockWatch
from jobengine.engine.blame import Blamed, blame, own
from jobengine.engine.commits import Commits
from jobengine.engine.counters import Counters
from jobengine.engine.decisions import Decisions
from jobengine.engine.dispatch import Carriers, Dispatch, refusal
from jobengine.engine.edits import Edits
from jobengine.engine.events import CASCADE_LIMIT, EventFirer
from jobengine.engine.groups import Groups
from jobengine.engine.jobs import Jobs
from jobengine.engine.live_job import LiveJob
from jobengine.engine.parts import EngineParts
from jobengine.engine.recovery import Recovery
from jobengine.engine.set_aside import SetAside
from jobengine.engine.wakes import Wakes
from jobengine.engine.worker_news import Heard, News, WorkerNews
from jobengine.messaging.engine_messages import AnyRequest
from jobengine.model.lifecycle import RequestedState, TriggerType
from jobengine.ports.work import WorkerEnded

CACHED_JOBS = 20_000
OPEN_LIMIT = 10_000
"""Jobs that may be decided about before it is on disk: what falls due is decided in time though the disk is
slower."""
GROUPS_OF_REQUESTS = 3
"""Groups of what clients and workers want until they have to wait: one is being written, one is ready to be
written next, so that the disk has no pause, and one is being decided."""
PREPARED_AT_ONCE = 32
"""Jobs that are read ahead in one step: what falls due meanwhile has to wait for them."""


class Engine:
    """Decides for one service; about ``group_size`` jobs at most are committed together."""

    def __init__(
        self, service: str, parts: EngineParts, group_size: int, cache_limit: int = CACHED_JOBS
    ) -> None:
        self._service = service
        self._store = parts.store
        self._teller = parts.teller
        self._workers = parts.workers
        self._commands = parts.commands
        self._losses = parts.losses
        self._host = parts.host
        self._requests = parts.requests
        self._clock = parts.clock
        self._clock_watch = ClockWatch(parts.clock)
        self._group_size = group_size
        commits = Commits(parts.store, parts.executor, parts.wake)
        self._groups = Groups(parts.store, commits, parts.clock, group_size, self._tell, self._come_back)
        self._jobs = Jobs(parts.store, parts.clock, cache_limit, self._groups.await_jobs)
        self._edits = Edits(parts.workers, parts.commands, parts.host, parts.clock)
        self._events = EventFirer(parts.store, parts.workers, parts.commands)
        self._aside = SetAside(parts.store, parts.workers, parts.commands, self._jobs, parts.clock)
        counters = Counters(parts.workers, self._aside.counts, parts.clock)
        carriers = Carriers(parts.requests, self._edits, self._events, counters)
        self._dispatch = Dispatch(parts.store, self._jobs, carriers)
        self._news = WorkerNews(parts, self._edits, self._jobs)
        self._wakes = Wakes(parts.store, service, parts.executor)
        self._ahead: deque[str] = deque()
        self._held: dict[str, set[str]] = {}
        """What was woken while the last decision about its job was on its way to the disk."""
        self._recovery = Recovery(
            parts, self._groups, self._dispatch, self._news, self._edits, self._aside, self._forget
        )
        self._log = structlog.get_logger("engine")

    def step(
        self,
        requests: Sequence[tuple[bytes, AnyRequest]] = (),
        reports: Heard = (),
        news: Sequence[News] = (),
    ) -> bool:
        """One round: everything that has arrived and everything that has fallen due.

        What is decided is handed over to be committed as soon as the group before it is on disk, so perhaps
        only by a later step or `settle`. Returns whether there is more to decide at once. Raises only for
        faults of the program that no job and no request is to blame for.
        """
        self._recovery.begin_round()
        self._dispatch.note(requests)
        self._news.hear(reports)
        self._news.note(news)
        has_more = False
        with self._recovery.attempt():
            decided = self._round()
            self._read_ahead()
            self._jobs.trim(self._groups.concern)
            has_due = self._wakes.has_due(decided)
            has_more = has_due or bool(self._ahead) or self._workers.admission.has_room
        return has_more or self._recovery.is_anew

    def settle(self) -> None:
        """Wait until everything that was decided is on disk and told, or given up."""
        with self._recovery.attempt():
            self._groups.catch_up()
        while self._recovery.is_anew:
            self.step()
            with self._recovery.attempt():
                self._groups.catch_up()

    def next_wake(self) -> str | None:
        """When something must be woken next, as far as it is known; the due table is read ahead by `step`."""
        return self._wakes.next()

    def resume(self) -> None:
        """After a start: take up the workers that a former service left, and note which are gone.

        Jobs that can't be taken up are set aside by the first `step`. Raises UnavailableError if the database
        is away.
        """
        self._aside.for_each(self._store.jobs_with_workers(self._service), self._take_up)
        self._log.info("engine.resumed", workers=len(self._workers.all()))

    def finish_all(self, reason: str) -> int:
        """Ask all jobs with a worker to finish, and wait until that is on disk; how many there are.

        Raises UnavailableError if the database is away.
        """
        self._groups.catch_up()
        decisions = self._groups.begin_round()
        workers = self._workers.all()
        for job in self._aside.readable([worker.job_id for worker in workers]):
            if not job.state.is_final:
                self._requests.finish(job, reason, decisions)
        self._groups.catch_up()
        return len(workers)

    def terminate_all(self, reason: str) -> None:
        """End the workers that are left, and note in the history that they did not end by themselves.

        Waits until that is on disk. Raises UnavailableError if the database is away.
        """
        self._groups.catch_up()
        decisions = self._groups.begin_round()
        left = self._workers.all()
        self._aside.readable([worker.job_id for worker in left])
        for worker in left:
            self._workers.kill(worker)
            job = self._jobs.get(worker.job_id)
            if job is not None and not job.state.is_final:
                self._losses.terminate(job, worker, reason, decisions)
        self._groups.catch_up()

    @property
    def is_busy(self) -> bool:
        """Whether something that was decided is on its way to the disk."""
        return self._groups.is_busy

    @property
    def worker_count(self) -> int:
        """Workers that have not been dismissed yet."""
        return len(self._workers.all())

    def tick(self) -> None:
        """Once in a while: deadlines of edits, and silent workers."""
        for edit, error in self._edits.expired():
            self._teller.answer(edit.client, refusal(edit.request, error))
        if not self._groups.is_down:
            self._news.note_silence()

    def _take_up(self, job: LiveJob) -> None:
        if not self._workers.adopt(job):
            process_id = job.record.worker_process_id
            self._workers.note_gone(job)
            self._news.note([WorkerEnded(process_id, None, job.record.job_id)])

    def _round(self) -> datetime:
        """Decide about what has arrived and what is due; the moment for which that was decided."""
        self._groups.tell_done()
        if self._aside.is_waiting:
            self._end_set_aside()
        if self._wakes.is_blind(self._clock.now()):
            self._read_ahead()
        if not self._groups.open.touched.keys().isdisjoint(self._arrived()):
            self._groups.catch_up()
        decisions = self._groups.begin_round()
        has_arrived = self._dispatch.is_waiting or self._news.has_messages
        limit = GROUPS_OF_REQUESTS * self._group_size if has_arrived else OPEN_LIMIT
        left = max(1, limit - self._groups.job_count)
        woken = self._take_woken(decisions.now, min(self._group_size, left))
        for job_id in self._workers.admission.admissible():
            woken.setdefault(job_id, set())
        self._jobs.load([*self._arrived(), *woken])
        self._dispatch.take(decisions, self._groups.under_way)
        self._news.take(decisions)
        self._advance(decisions, woken)
        self._evict(decisions)
        self._groups.end_round(limit)
        return decisions.now

    def _take_woken(self, now: datetime, limit: int) -> dict[str, set[str]]:
        """What is due, by job. A job whose last decision is on its way to the disk waits for that, alone."""
        woken = self._wakes.take(now, limit)
        for job_id, transition_ids in self._held.items():
            woken.setdefault(job_id, set()).update(transition_ids)
        self._held = {job_id: woken.pop(job_id) for job_id in self._groups.writing(woken.keys())}
        return woken

    def _arrived(self) -> Iterator[str]:
        """The jobs that somebody wants something of or tells something about."""
        yield from self._dispatch.jobs_of()
        yield from self._news.jobs_of()

    def _read_ahead(self) -> None:
        """Have the jobs that fall due next in memory, and looked at, before they are due.

        Those that have been decided about meanwhile are left alone: nobody waits here for the disk.
        """
        now = self._clock.now()
        self._ahead.extend(self._wakes.read_ahead(now))
        found = [self._ahead.popleft() for _ in range(min(PREPARED_AT_ONCE, len(self._ahead)))]
        blamed: dict[str, Exception] = {}
        for job in self._jobs.loaded(job_id for job_id in found if not self._groups.concern(job_id)):
            try:
                self._host.look_ahead(job, now)
            except Exception as error:
                blamed[job.record.job_id] = own(error)
        blame(blamed)

    def _advance(self, decisions: Decisions, woken: dict[str, set[str]]) -> None:
        """Pass what is due; events raised by that may make more due, in this same group."""
        due = {**dict.fromkeys(decisions.fresh, ()), **woken}
        if self._clock_watch.was_set():
            self._groups.conclude()
            due |= dict.fromkeys((job.record.job_id for job in self._jobs if not job.state.is_final), ())
        for _ in range(CASCADE_LIMIT):
            self._advance_each(due, woken, decisions)
            if not decisions.raised:
                return
            fired = self._events.fire(decisions, self._jobs, self._groups.conclude)
            due = dict.fromkeys(fired, ())

    def _advance_each(
        self, due: Mapping[str, object], woken: Mapping[str, Collection[str]], decisions: Decisions
    ) -> None:
        """Raises Blamed, once all have been tried."""
        blamed: dict[str, Exception] = {}
        for job_id in due:
            job = self._jobs.get(job_id)
            if job is not None:
                try:
                    self._host.advance(job, decisions, woken.get(job_id, ()))
                except Exception as error:
                    blamed[job_id] = own(error)
        blame(blamed)

    def _evict(self, decisions: Decisions) -> None:
        """Ask those to finish in whose place another job wants to begin."""
        for job in self._jobs.loaded(decisions.evicted):
            if not job.state.is_final and not _is_asked_to_finish(job):
                try:
                    self._requests.finish(job, decisions.evicted[job.record.job_id], decisions)
                except Exception as error:
                    raise Blamed({job.record.job_id: own(error)}) from error

    def _tell(self, group: Decisions) -> None:
        """A group is on disk: act on it, and tell everybody."""
        self._wakes.note(group.batch.waking)
        self._recovery.note_told(group, group.committed())
        for client, answer in group.answers:
            self._teller.answer(client, answer)
        if group.batch:
            self._teller.notify(tuple(group.touched))

    def _come_back(self) -> None:
        self._recovery.come_back()

    def _forget(self) -> None:
        """What is in memory is not what the database holds."""
        self._jobs.clear()
        self._wakes.forget()
        self._held.clear()
        self._events.forget()

    def _end_set_aside(self) -> None:
        """Nothing else is decided about these jobs before their end is on disk."""
        self._groups.catch_up()
        self._aside.end(self._groups.begin_round())
        self._groups.catch_up()


def _is_asked_to_finish(job: LiveJob) -> bool:
    return any(
        transition.trigger_type is TriggerType.IMMEDIATE
        and transition.requested_proc_state == RequestedState.FINISH
        for transition in job.pending.values()
    )
