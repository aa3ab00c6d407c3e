"""The engine: takes what has arrived together, decides, commits once, then tells.

It knows nothing of sockets, SQL or processes; those are ports. One thread calls it. A group whose commit
fails leaves no trace: clients are told that nothing was accepted, workers keep their reports and hand them
over again when the database is back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from jobengine.clock import Clock, ClockWatch
from jobengine.engine.decisions import Decisions
from jobengine.engine.edits import Edits
from jobengine.engine.events import CASCADE_LIMIT, EventFirer
from jobengine.engine.host import HostRunner
from jobengine.engine.live import JobCache, LiveJob
from jobengine.engine.losses import Losses, describe_end
from jobengine.engine.reports import ReportTaker
from jobengine.engine.requests import Requests, answered_before, check_known
from jobengine.engine.silence import SilenceWatch
from jobengine.engine.wakes import Wakes
from jobengine.engine.workers import Workers
from jobengine.errors import ConflictError, JobEngineError, NotFoundError, UnavailableError
from jobengine.messaging.engine_messages import (
    Accepted,
    Answer,
    AnyRequest,
    ChangeJob,
    ChangeTransition,
    DeleteJob,
    RaiseEvent,
    ReadProgress,
    Refused,
    RemoveTransition,
    SendVolatile,
    SetVariable,
    SubmitJob,
)
from jobengine.messaging.spool import read_spool
from jobengine.messaging.worker_messages import AnyReport, FromWorker, Hello, Progress, Report, Withdrawn
from jobengine.model.lifecycle import RequestedState, TriggerType
from jobengine.ports.work import WorkerEnded, WorkerStarted

News = WorkerStarted | WorkerEnded
CACHED_JOBS = 20_000
OVERDUE_LOOK_NS = 5_000_000_000


class Teller(Protocol):
    """Answers to clients and notices to everybody."""

    def answer(self, client: bytes, answer: Answer) -> None: ...
    def notify(self, job_ids: tuple[str, ...]) -> None: ...


@dataclass(frozen=True, slots=True)
class EngineParts:
    """What an engine is made of. ``store`` is the write side of the history."""

    store: Any
    teller: Teller
    workers: Workers
    losses: Losses
    silence: SilenceWatch
    host: HostRunner
    requests: Requests
    clock: Clock


class Engine:
    """Decides for one service; at most ``group_size`` decisions of a kind are committed together."""

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
        self._reports = ReportTaker(parts.workers)
        self._edits = Edits(parts.workers, parts.host, parts.clock)
        self._events = EventFirer(parts.store, parts.workers)
        self._clock = parts.clock
        self._clock_watch = ClockWatch(parts.clock)
        self._group_size = group_size
        self._cache = JobCache(parts.clock, cache_limit)
        self._wakes = Wakes(parts.store, service)
        self._unsettled: list[News] = []
        self._was_down = False
        self._overdue_looked_ns = parts.clock.monotonic_ns()
        self._log = structlog.get_logger("engine")

    def step(
        self,
        requests: Sequence[tuple[bytes, AnyRequest]] = (),
        reports: Sequence[tuple[str, FromWorker]] = (),
        news: Sequence[News] = (),
    ) -> bool:
        """One group: everything that has arrived and everything that has fallen due.

        Returns whether more is due already. Raises only for faults of the program.
        """
        self._unsettled += news
        try:
            self._group(requests, reports)
            requests = ()  # answered
            self._read_ahead()
            return self._wakes.has_due(self._clock.now()) or self._workers.admission.has_room
        except UnavailableError as error:
            self._give_up(requests, error)
        except ConflictError as error:
            self._give_up(requests, UnavailableError("another owner has changed these jobs; try again"))
            self._log.error("group.refused", detail=error.detail)
        return False

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
        decisions = self._decisions()
        ids = [worker.job_id for worker in self._workers.all()]
        self._load(ids)
        for job_id in ids:
            job = self._cache.get(job_id)
            if job is not None and not job.state.is_final:
                self._requests.finish(job, reason, decisions)
        self._commit(decisions)
        return len(ids)

    def terminate_all(self, reason: str) -> None:
        """End the workers that are left, and note in the history that they did not end by themselves."""
        decisions = self._decisions()
        left = self._workers.all()
        self._load(worker.job_id for worker in left)
        for worker in left:
            self._workers.kill(worker)
            job = self._cache.get(worker.job_id)
            if job is not None and not job.state.is_final:
                self._losses.terminate(job, worker, reason, decisions)
        self._commit(decisions)

    @property
    def worker_count(self) -> int:
        """Workers that have not been dismissed yet."""
        return len(self._workers.all())

    def tick(self) -> None:
        """Once in a while: deadlines of edits, overdue rows, and what is no longer used leaves memory.

        A row whose job was busy when it fell due (its worker was being launched) is found again here.
        """
        for edit, error in self._edits.expired():
            self._teller.answer(edit.client, _refusal(edit.request, error))
        if not self._was_down:
            silent = self._workers.given_up()
            self._unsettled += [WorkerEnded(worker.process_id, None, worker.job_id) for worker in silent]
        self._cache.trim()
        now_ns = self._clock.monotonic_ns()
        if not self._was_down:
            self._silence_changes |= self._silence.changes(now_ns)
        if now_ns - self._overdue_looked_ns > OVERDUE_LOOK_NS:
            self._overdue_looked_ns = now_ns
            self._wakes.forget()

    def _group(
        self, requests: Sequence[tuple[bytes, AnyRequest]], reports: Sequence[tuple[str, FromWorker]]
    ) -> None:
        if self._wakes.is_blind(self._clock.now()):
            self._read_ahead()
        decisions = self._decisions()
        woken = self._wakes.take(decisions.now, self._group_size)
        for job_id in self._workers.admission.admissible():
            woken.setdefault(job_id, set())
        self._load([*_mentioned(requests), *(_job_of(identity) for identity, _ in reports), *woken])
        self._take_requests(requests, decisions)
        self._take_reports(reports, decisions)
        self._take_news(decisions)
        self._note_silence(decisions)
        self._advance(decisions, woken)
        self._evict(decisions)
        self._commit(decisions)

    def _read_ahead(self) -> None:
        """Have the jobs that fall due next in memory, their plans made, before they are due."""
        now = self._clock.now()
        job_ids = self._wakes.read_ahead(now)
        self._load(job_ids)
        for job_id in job_ids:
            job = self._cache.get(job_id)
            if job is not None and job.record.kind is None:
                job.plan(now)

    def _decisions(self) -> Decisions:
        return Decisions(self._store.new_batch(), self._clock.now())

    def _load(self, job_ids: Iterable[str]) -> None:
        missing = self._cache.missing(job_ids)
        if missing:
            loaded = self._store.load_jobs(missing)
            self._cache.add_loaded(loaded.values())
            for output in self._store.load_outputs([i for i, one in loaded.items() if one.job.kind]):
                if (job := self._cache.get(output.job_id)) is not None:
                    job.outputs[output.number] = output

    def _take_requests(self, requests: Sequence[tuple[bytes, AnyRequest]], decisions: Decisions) -> None:
        known = self._known_answers(requests)
        for client, request in requests:
            try:
                answer = self._carry_out(client, request, known, decisions)
            except JobEngineError as error:
                decisions.answer(client, _refusal(request, error))
            else:
                if answer is not None:
                    decisions.answer(client, answer)

    def _known_answers(self, requests: Sequence[tuple[bytes, AnyRequest]]) -> dict[tuple[str, str], Any]:
        keys = [r.idempotency for _, r in requests if isinstance(r, SubmitJob | ChangeJob) and r.idempotency]
        return self._store.find_idempotency([(k.key, k.scope) for k in keys]) if keys else {}

    def _carry_out(
        self, client: bytes, request: AnyRequest, known: dict[tuple[str, str], Any], decisions: Decisions
    ) -> Accepted | None:
        key = getattr(request, "idempotency", None)
        if key is not None and (key.key, key.scope) in known:
            return answered_before(key, known[key.key, key.scope], request.request_id)
        answer = self._dispatch(client, request, decisions)
        if key is not None and answer is not None:
            known[key.key, key.scope] = _Remembered(key.request_hash, answer)
        return answer

    def _dispatch(self, client: bytes, request: AnyRequest, decisions: Decisions) -> Accepted | None:
        match request:
            case SubmitJob():
                job, answer = self._requests.submit(request, decisions)
                self._cache.add(job)
                self._note_events(job)
                return answer
            case RaiseEvent():
                return self._requests.raise_event(request, decisions)
            case SetVariable():
                return self._requests.set_variable(request, decisions)
            case ReadProgress():
                return self._requests.read_progress(request)
            case _:
                return self._dispatch_to_job(client, request, decisions)

    def _dispatch_to_job(self, client: bytes, request: Any, decisions: Decisions) -> Accepted | None:
        job = check_known(self._cache.get(request.job_id), request.job_id)
        match request:
            case ChangeJob():
                answer = self._requests.change(request, job, decisions)
                self._note_events(job)
                return answer
            case DeleteJob():
                return self._requests.delete(request, job, decisions)
            case SendVolatile():
                return self._requests.send_volatile(request, job)
            case ChangeTransition() | RemoveTransition():
                edited = self._edits.begin(client, request, job, decisions)
                self._note_events(job)
                return edited
        raise NotFoundError(f"no such request: {type(request).__name__}")

    def _note_events(self, job: LiveJob) -> None:
        for transition in job.pending.values():
            self._events.note(transition)

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
        for one in self._unsettled:
            if isinstance(one, WorkerStarted):
                self._workers.started(one)
                continue
            for worker in self._workers.ended(one):
                self._take_ended(worker.job_id, describe_end(one.status), decisions)

    def _note_silence(self, decisions: Decisions) -> None:
        self._load(self._silence_changes)
        for job_id, message in self._silence_changes.items():
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
        due = {**dict.fromkeys(decisions.touched, ()), **woken}
        if self._clock_watch.was_set():
            due |= dict.fromkeys((job.record.job_id for job in self._cache if not job.state.is_final), ())
        for _ in range(CASCADE_LIMIT):
            for job_id in due:
                job = self._cache.get(job_id)
                if job is not None:
                    self._host.advance(job, decisions, woken.get(job_id, ()))
            if not decisions.raised:
                return
            due = dict.fromkeys(self._events.fire(decisions, self._load, self._cache.get), ())

    def _evict(self, decisions: Decisions) -> None:
        """Ask those to finish in whose place another job wants to begin."""
        self._load(decisions.evicted)
        for job_id, reason in decisions.evicted.items():
            job = self._cache.get(job_id)
            if job is not None and not job.state.is_final and not _is_asked_to_finish(job):
                self._requests.finish(job, reason, decisions)

    def _commit(self, decisions: Decisions) -> None:
        self._store.commit(decisions.batch)
        self._unsettled.clear()
        self._silence_changes.clear()
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

    def _give_up(self, requests: Sequence[tuple[bytes, AnyRequest]], error: JobEngineError) -> None:
        if not self._was_down:
            self._log.error("database.away", detail=error.detail)
        self._was_down = True
        self._cache.clear()
        self._wakes.forget()
        self._events.forget()
        abandoned = [(edit.client, edit.request) for edit in self._edits.abandoned()]
        for client, request in (*requests, *abandoned):
            self._teller.answer(client, _refusal(request, error))


def _is_asked_to_finish(job: LiveJob) -> bool:
    return any(
        transition.trigger_type is TriggerType.IMMEDIATE
        and transition.requested_proc_state == RequestedState.FINISH
        for transition in job.pending.values()
    )


class _Remembered:
    """An answer of this very group, shaped as the store's."""

    def __init__(self, request_hash: str, answer: Accepted) -> None:
        self.request_hash = request_hash
        self.job_id = answer.job_id
        self.response = {"transitionIds": list(answer.transition_ids), "revision": answer.revision}


def _refusal(request: Any, error: JobEngineError) -> Refused:
    return Refused(request.request_id, error.code, error.detail, dict(error.facts))


def _mentioned(requests: Sequence[tuple[bytes, AnyRequest]]) -> Iterable[str]:
    return (getattr(request, "job_id", "") for _, request in requests if getattr(request, "job_id", ""))


def _job_of(identity: str) -> str:
    return identity.partition(":")[0]
