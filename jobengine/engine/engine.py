"""The engine: takes what has arrived together, decides, commits in groups, then tells.

It knows nothing of sockets, SQL or processes; those are ports. One thread calls it. While a group is on its
way to the disk the next one is decided, in rounds, about other jobs: about a job nothing is decided before
what was decided last about it is on disk. A group whose commit fails leaves no trace, nor does the one behind
it: clients are told that nothing was accepted, workers keep their reports and hand them over again when the
database is back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import structlog

from jobengine.clock import Clock, ClockWatch
from jobengine.engine.commits import Commits
from jobengine.engine.decisions import Decisions
from jobengine.engine.dispatch import Carriers, Dispatch, refusal
from jobengine.engine.edits import Edits
from jobengine.engine.events import CASCADE_LIMIT, EventFirer
from jobengine.engine.host import HostRunner
from jobengine.engine.live import JobCache, LiveJob
from jobengine.engine.losses import Losses, describe_end
from jobengine.engine.reports import ReportTaker
from jobengine.engine.requests import Requests
from jobengine.engine.silence import SilenceWatch
from jobengine.engine.wakes import Wakes
from jobengine.engine.workers import Workers
from jobengine.errors import ConflictError, JobEngineError, UnavailableError
from jobengine.history.store import SqlJobStore
from jobengine.messaging.engine_messages import Answer, AnyRequest, Refused
from jobengine.messaging.spool import read_spool
from jobengine.messaging.worker_messages import AnyReport, FromWorker, Hello, Progress, Report, Withdrawn
from jobengine.model.lifecycle import RequestedState, TriggerType
from jobengine.ports.work import WorkerEnded, WorkerStarted

News = WorkerStarted | WorkerEnded
CACHED_JOBS = 20_000
OPEN_LIMIT = 10_000
"""Jobs that may be decided about while a group is on its way: what falls due is decided in time though the
disk is slower. Clients have to wait from ``group_size`` on."""
PREPARED_AT_ONCE = 32
"""Jobs that are read ahead in one step: what falls due meanwhile has to wait for them."""


class Teller(Protocol):
    """Answers to clients and notices to everybody."""

    def answer(self, client: bytes, answer: Answer) -> None: ...
    def notify(self, job_ids: tuple[str, ...]) -> None: ...


@dataclass(frozen=True, slots=True)
class EngineParts:
    """What an engine is made of. ``store`` is the write side of the history.

    ``executor`` has one thread, which commits; ``wake``, called by it, asks for a further step.
    """

    store: SqlJobStore
    teller: Teller
    workers: Workers
    losses: Losses
    silence: SilenceWatch
    host: HostRunner
    requests: Requests
    clock: Clock
    executor: Executor
    wake: Callable[[], None]


class Engine:
    """Decides for one service; about ``group_size`` jobs at most are committed together."""

    def __init__(
        self, service: str, parts: EngineParts, group_size: int, cache_limit: int = CACHED_JOBS
    ) -> None:
        self._service = service
        self._store = parts.store
        self._teller = parts.teller
        self._workers = parts.workers
        self._losses = parts.losses
        self._silence = parts.silence
        self._silence_changes: dict[str, str] = {}
        self._host = parts.host
        self._requests = parts.requests
        self._commits = Commits(parts.store, parts.executor, parts.wake)
        self._reports = ReportTaker(parts.workers)
        self._edits = Edits(parts.workers, parts.host, parts.clock)
        self._events = EventFirer(parts.store, parts.workers)
        self._clock = parts.clock
        self._clock_watch = ClockWatch(parts.clock)
        self._group_size = group_size
        self._cache = JobCache(parts.clock, cache_limit)
        carriers = Carriers(parts.requests, self._edits, self._events)
        self._dispatch = Dispatch(parts.store, self._cache, carriers)
        self._wakes = Wakes(parts.store, service)
        self._ahead: deque[str] = deque()
        self._held: dict[str, set[str]] = {}
        """What was woken while the last decision about its job was on its way to the disk."""
        self._untaken: list[tuple[bytes, AnyRequest]] = []
        self._unsettled: list[News] = []
        self._was_down = False
        self._log = structlog.get_logger("engine")
        self._open = self._new_group()

    def step(
        self,
        requests: Sequence[tuple[bytes, AnyRequest]] = (),
        reports: Sequence[tuple[str, FromWorker]] = (),
        news: Sequence[News] = (),
    ) -> bool:
        """One round: everything that has arrived and everything that has fallen due.

        What is decided is handed over to be committed as soon as the group before it is on disk, so perhaps
        only by a later step or `settle`. Returns whether there is more to decide at once. Raises only for
        faults of the program.
        """
        self._untaken += requests
        self._unsettled += news
        has_more = False
        with self._giving_up():
            decided = self._round(reports)
            self._read_ahead()
            self._cache.trim(self._is_in_flight)
            has_due = self._wakes.has_due(decided)
            has_more = has_due or bool(self._ahead) or self._workers.admission.has_room
        return has_more

    def settle(self) -> None:
        """Wait until everything that was decided is on disk and told, or given up."""
        with self._giving_up():
            self._catch_up()

    def next_wake(self) -> str | None:
        """When something must be woken next, as far as it is known; the due table is read ahead by `step`."""
        return self._wakes.next()

    def resume(self) -> None:
        """After a start: take up the workers that a former service left, and note which are gone."""
        job_ids = self._store.jobs_with_workers(self._service)
        self._load(job_ids)
        for job_id in job_ids:
            job = self._cache.get(job_id)
            if job is not None and not self._workers.adopt(job):
                process_id = job.record.worker_process_id
                self._workers.note_gone(job)
                self._unsettled.append(WorkerEnded(process_id, None, job_id))
        self._log.info("engine.resumed", workers=len(self._workers.all()))

    def finish_all(self, reason: str) -> int:
        """Ask all jobs with a worker to finish; how many there are."""
        self._catch_up()
        decisions = self._begin_round()
        ids = [worker.job_id for worker in self._workers.all()]
        self._load(ids)
        for job_id in ids:
            job = self._cache.get(job_id)
            if job is not None and not job.state.is_final:
                self._requests.finish(job, reason, decisions)
        self._catch_up()
        return len(ids)

    def terminate_all(self, reason: str) -> None:
        """End the workers that are left, and note in the history that they did not end by themselves."""
        self._catch_up()
        decisions = self._begin_round()
        left = self._workers.all()
        self._load(worker.job_id for worker in left)
        for worker in left:
            self._workers.kill(worker)
            job = self._cache.get(worker.job_id)
            if job is not None and not job.state.is_final:
                self._losses.terminate(job, worker, reason, decisions)
        self._catch_up()

    @property
    def is_busy(self) -> bool:
        """Whether something that was decided is not on disk yet."""
        return self._commits.is_under_way

    @property
    def worker_count(self) -> int:
        """Workers that have not been dismissed yet."""
        return len(self._workers.all())

    def tick(self) -> None:
        """Once in a while: deadlines of edits, and silent workers."""
        for edit, error in self._edits.expired():
            self._teller.answer(edit.client, refusal(edit.request, error))
        if not self._was_down:
            silent = self._workers.given_up()
            self._unsettled += [WorkerEnded(worker.process_id, None, worker.job_id) for worker in silent]
        now_ns = self._clock.monotonic_ns()
        if not self._was_down:
            self._silence_changes |= self._silence.changes(now_ns)

    def _round(self, reports: Sequence[tuple[str, FromWorker]]) -> datetime:
        """Decide about what has arrived and what is due; the moment for which that was decided."""
        while self._commits.is_done:
            self._conclude_first()
        if self._open.batch or self._open.must_follow:
            self._hand_over()
        if self._wakes.is_blind(self._clock.now()):
            self._read_ahead()
        if not self._open.touched.keys().isdisjoint(self._arrived(reports)):
            self._catch_up()
        decisions = self._begin_round()
        now, limit = decisions.now, self._group_size if self._untaken or reports else OPEN_LIMIT
        woken = self._take_woken(now, min(self._group_size, max(1, limit - self._in_flight)))
        for job_id in self._workers.admission.admissible():
            woken.setdefault(job_id, set())
        self._load([*self._arrived(reports), *woken])
        self._take_requests(decisions)
        self._take_reports(reports, decisions)
        self._take_news(decisions)
        self._note_silence(decisions)
        self._advance(decisions, woken)
        self._evict(decisions)
        is_full = len(decisions.touched) >= self._group_size and self._in_flight >= limit
        if is_full and self._commits.is_under_way:
            self._conclude_first()
        self._hand_over()
        return now

    def _take_woken(self, now: datetime, limit: int) -> dict[str, set[str]]:
        """What is due, by job. A job whose last decision is on its way to the disk waits for that, alone."""
        woken = self._wakes.take(now, limit)
        for job_id, transition_ids in self._held.items():
            woken.setdefault(job_id, set()).update(transition_ids)
        self._held = {
            job_id: woken.pop(job_id) for job_id in list(woken) if self._commits.concerns((job_id,))
        }
        return woken

    @property
    def _in_flight(self) -> int:
        """How many jobs have been decided about of which the decision is not known to be on disk."""
        return len(self._open.touched) + self._commits.job_count

    def _is_in_flight(self, job_id: str) -> bool:
        return job_id in self._open.touched or self._commits.concerns((job_id,))

    def _arrived(self, reports: Sequence[tuple[str, FromWorker]]) -> Iterator[str]:
        """The jobs that somebody wants something of or tells something about."""
        yield from (job_id for _, request in self._untaken if (job_id := getattr(request, "job_id", "")))
        yield from (_job_of(identity) for identity, _ in reports)
        for one in self._unsettled:
            if isinstance(one, WorkerEnded):
                yield from (worker.job_id for worker in self._workers.ended(one))

    def _read_ahead(self) -> None:
        """Have the jobs that fall due next in memory, and looked at, before they are due.

        Those that have been decided about meanwhile are left alone: nobody waits here for the disk.
        """
        now = self._clock.now()
        self._ahead.extend(self._wakes.read_ahead(now))
        found = [self._ahead.popleft() for _ in range(min(PREPARED_AT_ONCE, len(self._ahead)))]
        job_ids = [job_id for job_id in found if not self._is_in_flight(job_id)]
        self._load(job_ids)
        for job_id in job_ids:
            job = self._cache.get(job_id)
            if job is not None:
                self._host.look_ahead(job, now)

    def _new_group(self) -> Decisions:
        return Decisions(self._store.new_batch(), self._clock.now())

    def _begin_round(self) -> Decisions:
        self._open.begin_round(self._clock.now())
        return self._open

    def _load(self, job_ids: Iterable[str]) -> None:
        """Have jobs in memory, as they are on disk or in the open group."""
        wanted = list(job_ids)
        while self._commits.concerns(wanted):
            self._conclude_first()
        missing = self._cache.missing(wanted)
        if missing:
            loaded = self._store.load_jobs(missing)
            self._cache.add_loaded(loaded.values())
            for output in self._store.load_outputs([i for i, one in loaded.items() if one.job.kind]):
                if (job := self._cache.get(output.job_id)) is not None:
                    job.outputs[output.number] = output

    def _take_requests(self, decisions: Decisions) -> None:
        requests, self._untaken = self._untaken, []
        self._dispatch.take(requests, decisions, self._commits.groups)

    def _take_reports(self, reports: Sequence[tuple[str, FromWorker]], decisions: Decisions) -> None:
        in_order: dict[str, list[AnyReport]] = {}
        for identity, message in reports:
            job_id = _job_of(identity)
            job = self._cache.get(job_id)
            if isinstance(message, Hello):
                self._workers.greet(job, identity, message.process_id, decisions)
            elif job is None or not self._workers.owns(job, identity):
                self._workers.fence(identity)
            elif isinstance(message, Progress):
                self._workers.heard(job, message)
            elif isinstance(message, Withdrawn):
                self._finish_edit(message, job, decisions)
            elif isinstance(message, Report):
                in_order.setdefault(job_id, []).append(message)
        for job_id, messages in in_order.items():
            if (job := self._cache.get(job_id)) is not None:
                self._reports.take(job, messages, decisions)

    def _finish_edit(self, message: Withdrawn, job: LiveJob, decisions: Decisions) -> None:
        try:
            done = self._edits.withdrawn(message, job, decisions)
        except ConflictError as error:
            waiting = error.facts["waiting"]
            decisions.answer(waiting.client, Refused(waiting.request.request_id, error.code, error.detail))
        else:
            if done is not None:
                decisions.answer(*done)

    def _take_news(self, decisions: Decisions) -> None:
        news, self._unsettled = self._unsettled, []
        decisions.news += news
        for one in news:
            if isinstance(one, WorkerStarted):
                self._workers.started(one)
                continue
            for worker in self._workers.ended(one):
                self._take_ended(worker.job_id, describe_end(one.status), decisions)

    def _note_silence(self, decisions: Decisions) -> None:
        changes, self._silence_changes = self._silence_changes, {}
        decisions.silence |= changes
        self._load(changes)
        for job_id, message in changes.items():
            job = self._cache.get(job_id)
            if job is not None and not job.state.is_final:
                job.record.status_message = job.record.friendly_status_message = message
                decisions.event("job.changed", job.record, {"changed": ["statusMessage"]})
                decisions.touch(job)

    def _take_ended(self, job_id: str, cause: str, decisions: Decisions) -> None:
        self._load([job_id])
        job, worker = self._cache.get(job_id), self._workers.of(job_id)
        if job is None or worker is None:
            return
        self._reports.take(job, list(read_spool(self._workers.folders.spool(job_id))), decisions)
        if not job.state.is_final:
            self._losses.lost(job, worker, cause, decisions)

    def _advance(self, decisions: Decisions, woken: dict[str, set[str]]) -> None:
        """Pass what is due; events raised by that may make more due, in this same group."""
        due = {**dict.fromkeys(decisions.fresh, ()), **woken}
        if self._clock_watch.was_set():
            self._conclude()
            due |= dict.fromkeys((job.record.job_id for job in self._cache if not job.state.is_final), ())
        for _ in range(CASCADE_LIMIT):
            for job_id in due:
                job = self._cache.get(job_id)
                if job is not None:
                    self._host.advance(job, decisions, woken.get(job_id, ()))
            if not decisions.raised:
                return
            fired = self._events.fire(decisions, self._load, self._cache.get, self._conclude)
            due = dict.fromkeys(fired, ())

    def _evict(self, decisions: Decisions) -> None:
        """Ask those to finish in whose place another job wants to begin."""
        self._load(decisions.evicted)
        for job_id, reason in decisions.evicted.items():
            job = self._cache.get(job_id)
            if job is not None and not job.state.is_final and not _is_asked_to_finish(job):
                self._requests.finish(job, reason, decisions)

    def _hand_over(self) -> None:
        """Send the open group off, if the way is free or it is large; one without anything to write needs no
        way.
        """
        group = self._open
        is_small = len(group.touched) < self._group_size
        if (group.batch or group.must_follow) and self._commits.is_under_way and is_small:
            return
        self._open = self._new_group()
        if not group.batch:
            self._tell(group)
            return
        self._commits.begin(group)
        if self._was_down:
            self._conclude()

    def _conclude(self) -> None:
        """Wait for all groups under way, and tell what they decided. Raises if one was not written."""
        while self._commits.is_under_way:
            self._conclude_first()

    def _conclude_first(self) -> None:
        """As `_conclude`, for the first of the groups under way."""
        self._tell(self._commits.end())

    def _catch_up(self) -> None:
        """Have everything that was decided on disk and told. Raises if it was not written."""
        self._conclude()
        self._hand_over()
        self._conclude()

    def _tell(self, decisions: Decisions) -> None:
        self._wakes.note(decisions.batch.waking)
        decisions.committed()
        for client, answer in decisions.answers:
            self._teller.answer(client, answer)
        if decisions.batch:
            self._teller.notify(tuple(decisions.touched))
        if self._was_down:
            self._was_down = False
            self._log.info("database.back")
            self._workers.wait_anew()
            self._sync_all()

    def _sync_all(self) -> None:
        """Workers may have reported into a group that was given up: have them say it again."""
        ids = [worker.job_id for worker in self._workers.all()]
        self._load(ids)
        for job_id in ids:
            job = self._cache.get(job_id)
            if job is not None:
                self._workers.sync(job)

    @contextmanager
    def _giving_up(self) -> Iterator[None]:
        """Give up everything that is not on disk when the database does not take it."""
        try:
            yield
        except UnavailableError as error:
            self._give_up(error)
        except ConflictError as error:
            self._give_up(UnavailableError("another owner has changed these jobs; try again"))
            self._log.error("group.refused", detail=error.detail)

    def _give_up(self, error: JobEngineError) -> None:
        with suppress(UnavailableError, ConflictError):  # it is given up along with the rest
            self._conclude()
        for group in reversed(self._commits.give_up()):
            self._open.take_over(group)
        if not self._was_down:
            self._log.error("database.away", detail=error.detail)
        self._was_down = True
        failed, self._open = self._open, self._new_group()
        self._unsettled = failed.news + self._unsettled
        self._silence_changes = failed.silence | self._silence_changes
        self._cache.clear()
        self._wakes.forget()
        self._held.clear()
        self._events.forget()
        requests, self._untaken = failed.requests + self._untaken, []
        requests += [(edit.client, edit.request) for edit in self._edits.abandoned()]
        for client, request in requests:
            self._teller.answer(client, refusal(request, error))


def _is_asked_to_finish(job: LiveJob) -> bool:
    return any(
        transition.trigger_type is TriggerType.IMMEDIATE
        and transition.requested_proc_state == RequestedState.FINISH
        for transition in job.pending.values()
    )


def _job_of(identity: str) -> str:
    return identity.partition(":")[0]
