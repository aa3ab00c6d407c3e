"""The workers of this service and their processes: launched, found again, given up, forgotten.

What they are told is the business of `jobengine.engine.commands`, what becomes of a job whose worker was
lost that of `jobengine.engine.losses`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from jobengine.clock import Clock, to_text
from jobengine.engine.admission import Admission, claim_of
from jobengine.engine.decisions import Decisions
from jobengine.engine.live_job import LiveJob
from jobengine.engine.resuming import interruption
from jobengine.engine.worker import Worker
from jobengine.messaging.spool import ledger_of
from jobengine.messaging.worker_messages import Progress
from jobengine.model.kind import group_of
from jobengine.model.record import TransitionRecord
from jobengine.ports.work import WorkerEnded, WorkerLauncher, WorkerProcess, WorkerStarted

LAUNCH_RETRY_S = 10.0
"""How long a worker may take to come forward before another one is asked for."""


@dataclass(frozen=True, slots=True)
class WorkerFolders:
    """Where workers keep their spools and logs."""

    spools: Path
    logs: Path

    def spool(self, job_id: str) -> Path:
        return self.spools / f"{job_id}.reports"

    def ledger(self, job_id: str) -> Path:
        return ledger_of(self.spool(job_id))

    def log(self, job_id: str) -> Path:
        return self.logs / f"{job_id}.log"


class Workers:
    """All workers by job. Used by the engine's thread; nothing here waits for a process."""

    def __init__(
        self, launcher: WorkerLauncher, folders: WorkerFolders, clock: Clock, admission: Admission
    ) -> None:
        self.admission = admission
        self.folders = folders
        self._launcher = launcher
        self._clock = clock
        self._by_job: dict[str, Worker] = {}

    def of(self, job_id: str) -> Worker | None:
        """The job's worker, from the moment it is launched."""
        return self._by_job.get(job_id)

    def assigned(self, job_id: str) -> Worker | None:
        """The job's worker if it has the job's plan."""
        worker = self._by_job.get(job_id)
        return worker if worker is not None and worker.is_assigned else None

    @property
    def failures(self) -> Mapping[str, int]:
        """See `jobengine.ports.work.WorkerLauncher`."""
        return self._launcher.failures

    def all(self) -> list[Worker]:
        return list(self._by_job.values())

    def ended(self, news: WorkerEnded) -> list[Worker]:
        """Those that are gone: all of a process, or one that has left it."""
        return [
            worker
            for worker in self._by_job.values()
            if worker.process_id == news.process_id and news.job_id in ("", worker.job_id)
        ]

    def launch(self, job: LiveJob, need: TransitionRecord, decisions: Decisions) -> None:
        """Ask for a worker because ``need`` has to pass; a later service asks again if none shows up."""
        job_id = job.record.job_id
        if job_id in decisions.launching:
            return
        decisions.launching.add(job_id)
        job.forget_plan()
        need.wake_time = to_text(decisions.now + timedelta(seconds=LAUNCH_RETRY_S))
        decisions.change_transition(job, need)
        worker = Worker(job_id, prepare_id=need.transition_id, group=group_of(job.record.kind))
        decisions.after_commit(job_id, lambda: self.start(worker))

    def start(self, worker: Worker) -> None:
        """Fork a worker, in the place of any that the job had before."""
        worker.last_heard_ns = self._clock.monotonic_ns()
        self._by_job[worker.job_id] = worker
        spool, log = self.folders.spool(worker.job_id), self.folders.log(worker.job_id)
        self._launcher.launch(WorkerProcess(worker.job_id, spool, log, worker.group))

    def forget(self, worker: Worker) -> None:
        """The job has no worker any more and is over."""
        self.leave(worker.job_id)
        self.clear_up(worker.job_id)

    def leave(self, job_id: str) -> None:
        """The job has no worker any more, nor waits for one."""
        self._by_job.pop(job_id, None)
        self.admission.release(job_id)

    def clear_up(self, job_id: str) -> None:
        """The job is over: nobody needs what its workers left."""
        self.folders.spool(job_id).unlink(missing_ok=True)
        self.folders.ledger(job_id).unlink(missing_ok=True)

    def given_up(self) -> list[Worker]:
        """Workers that never came forward; those not even forked are asked for again.

        Not those that this engine gave their job: preparing it may take its time. Not one whose own process
        a former service gave it: that lives. Nor one that is yet to be given its job in a process that jobs
        share: it gets the job when that gets on, and its end is told. One that had its job there may have
        left it while nobody was told.
        """
        now_ns = self._clock.monotonic_ns()
        quiet = [w for w in self._by_job.values() if w.progress is None and w.armed_ns == 0 and not w.is_gone]
        silent = [w for w in quiet if now_ns - w.last_heard_ns > LAUNCH_RETRY_S * 1e9]
        for worker in silent:
            if worker.process_id == 0:
                self.start(worker)
        return [w for w in silent if w.process_id != 0 and w.is_assigned == bool(w.group)]

    def wait_anew(self) -> None:
        """Nobody's greeting could be taken for a while: their time begins now."""
        for worker in self._by_job.values():
            worker.last_heard_ns = self._clock.monotonic_ns()

    def started(self, news: WorkerStarted) -> None:
        """The nursery has forked; the worker itself will ask for its job."""
        worker = self._by_job.get(news.job_id)
        if worker is not None and worker.process_id == 0:
            worker.process_id = news.process_id

    def owns(self, job: LiveJob, identity: str) -> bool:
        """Whether the worker that speaks is the one that has the job."""
        worker = self.assigned(job.record.job_id)
        return worker is not None and worker.identity == identity

    def give_job(self, worker: Worker, process_id: int) -> bool:
        """The process has come forward and gets the job; its end will be noticed. False if it is gone: it may
        have ended before its greeting was read."""
        if not self._launcher.watch(process_id):
            return False
        worker.process_id = process_id
        worker.is_assigned = True
        worker.last_heard_ns = self._clock.monotonic_ns()
        return True

    def beat(self, job_id: str, progress: Progress) -> Worker:
        """A heartbeat was heard of the worker of ``job_id``, which is given back."""
        worker = self._by_job[job_id]
        worker.last_heard_ns = self._clock.monotonic_ns()
        worker.progress = progress
        return worker

    def note_gone(self, job: LiveJob) -> None:
        """A worker of a former service that is gone already; its end is dealt with like any other.

        That service may itself have noted the end of the one before, and died while it was replaced.
        """
        worker = self._take_over(job)
        worker.is_gone = True

    def adopt(self, job: LiveJob) -> bool:
        """Take up a worker that a former service left running; False if it is gone.

        That service may have died before it could give it the job.
        """
        record = job.record
        only_job = "" if group_of(record.kind) else record.job_id
        if record.worker_process_id == 0 or not self._launcher.watch(record.worker_process_id, only_job):
            return False
        worker = self._take_over(job)
        worker.acknowledged = record.report_sequence
        worker.last_heard_ns = self._clock.monotonic_ns()
        return True

    def _take_over(self, job: LiveJob) -> Worker:
        """What a former service knew of a worker, as far as the job tells it."""
        record = job.record
        need = job.next_to_prepare()
        return_to, resume = interruption(job)
        worker = self._by_job[record.job_id] = Worker(
            record.job_id,
            record.worker_process_id,
            is_assigned=True,
            prepare_id=need.transition_id if need else None,
            resume=resume,
            return_to=return_to,
            group=group_of(record.kind),
        )
        self._hold(job)
        return worker

    def kill(self, worker: Worker) -> None:
        self._launcher.kill(worker.process_id)

    def _hold(self, job: LiveJob) -> None:
        claim = claim_of(job.effective)
        if claim is not None:
            self.admission.hold(job.record.job_id, claim)
