"""The workers of this service: launching, assigning, losing and replacing them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import structlog

from jobengine.clock import Clock, to_text
from jobengine.engine.admission import Admission, claim_of
from jobengine.engine.decisions import Decisions
from jobengine.engine.live import LiveJob, in_list_order, planned
from jobengine.engine.resuming import interruption
from jobengine.messaging.spool import ledger_of
from jobengine.messaging.worker_messages import (
    Acknowledge,
    Arm,
    Assign,
    Fire,
    Progress,
    Release,
    Resume,
    Sync,
    ToWorker,
)
from jobengine.model.kind import MERGE_KEYS, group_of
from jobengine.model.merge import merge
from jobengine.model.record import TransitionRecord
from jobengine.ports.work import WorkerEnded, WorkerLauncher, WorkerProcess, WorkerStarted

LAUNCH_RETRY_S = 10.0
STEADY_S = 60.0
"""A replacement that has run so long is no longer one of a row."""
SYNC_PATIENCE_NS = 1_000_000_000


class CommandChannel(Protocol):
    """The way to workers."""

    def command(self, identity: str, command: ToWorker) -> None: ...


@dataclass(slots=True)
class Worker:
    """What the engine knows of one job's worker. ``process_id`` 0: not forked yet; jobs of one ``group`` may
    have the same process. ``is_gone``: it ended while there was no service, which is yet to be dealt with."""

    job_id: str
    process_id: int = 0
    is_assigned: bool = False
    is_gone: bool = False
    acknowledged: int = 0
    armed_revision: int = 0
    armed_ns: int = 0
    last_heard_ns: int = 0
    progress: Progress | None = None
    prepare_id: str | None = None
    resume: Resume | None = None
    return_to: str = ""
    restarts: int = 0
    group: str = ""
    needs_sync: bool = False

    @property
    def identity(self) -> str:
        return f"{self.job_id}:{self.process_id}"


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
    """All workers by job. Commands go out after the commit of what they say."""

    def __init__(
        self,
        engine_id: str,
        channel: CommandChannel,
        launcher: WorkerLauncher,
        folders: WorkerFolders,
        clock: Clock,
        host: str,
    ) -> None:
        self.engine_id = engine_id
        self.admission = Admission()
        """Bounds nothing until its owner puts another one here."""
        self._channel = channel
        self._launcher = launcher
        self.folders = folders
        self._clock = clock
        self._host = host
        self.withheld: set[str] = set()
        """Transitions that are being withdrawn from their workers: not to be armed again meanwhile."""
        self._by_job: dict[str, Worker] = {}
        self._log = structlog.get_logger("workers")

    def of(self, job_id: str) -> Worker | None:
        return self._by_job.get(job_id)

    def all(self) -> list[Worker]:
        return list(self._by_job.values())

    def ended(self, news: WorkerEnded) -> list[Worker]:
        """Those that are gone: all of a process, or one that has left it."""
        return [
            worker
            for worker in self._by_job.values()
            if worker.process_id == news.process_id and news.job_id in ("", worker.job_id)
        ]

    def launch(self, job: LiveJob, need: TransitionRecord | None, decisions: Decisions) -> None:
        """Ask for a worker because ``need`` has to pass; a later service asks again if none shows up."""
        job_id = job.record.job_id
        if job_id in decisions.launching:
            return
        decisions.launching.add(job_id)
        job.forget_plan()
        if need is not None:
            need.wake_time = to_text(decisions.now + timedelta(seconds=LAUNCH_RETRY_S))
            decisions.change_transition(job, need)
        group = group_of(job.record.kind)
        worker = Worker(job_id, prepare_id=need.transition_id if need else None, group=group)
        decisions.after_commit(lambda: self.start(worker))

    def start(self, worker: Worker) -> None:
        """Fork a worker, in the place of any that the job had before."""
        worker.last_heard_ns = self._clock.monotonic_ns()
        self._by_job[worker.job_id] = worker
        spool, log = self.folders.spool(worker.job_id), self.folders.log(worker.job_id)
        self._launcher.launch(WorkerProcess(worker.job_id, spool, log, worker.group))

    def forget(self, worker: Worker) -> None:
        """The job has no worker any more and is over."""
        self._by_job.pop(worker.job_id, None)
        self.admission.release(worker.job_id)
        self.clear_up(worker.job_id)

    def clear_up(self, job_id: str) -> None:
        """The job is over: nobody needs what its workers left."""
        self.folders.spool(job_id).unlink(missing_ok=True)
        self.folders.ledger(job_id).unlink(missing_ok=True)

    def given_up(self) -> list[Worker]:
        """Workers that never came forward; those not even forked are asked for again.

        Not those that this engine gave their job: preparing it may take its time.
        """
        now_ns = self._clock.monotonic_ns()
        quiet = [w for w in self._by_job.values() if w.progress is None and w.armed_ns == 0 and not w.is_gone]
        silent = [w for w in quiet if now_ns - w.last_heard_ns > LAUNCH_RETRY_S * 1e9]
        for worker in silent:
            if worker.process_id == 0:
                self.start(worker)
        return [w for w in silent if w.process_id != 0]

    def wait_anew(self) -> None:
        """While the database was away nobody's greeting could be taken: their time begins now."""
        self.admission.keep_only(self._by_job)
        for worker in self._by_job.values():
            worker.last_heard_ns = self._clock.monotonic_ns()

    def started(self, news: WorkerStarted) -> None:
        """The nursery has forked; the worker itself will ask for its job."""
        worker = self._by_job.get(news.job_id)
        if worker is not None and worker.process_id == 0:
            worker.process_id = news.process_id

    def owns(self, job: LiveJob, identity: str) -> bool:
        """Whether the worker that speaks is the one that has the job."""
        worker = self._by_job.get(job.record.job_id)
        return worker is not None and worker.is_assigned and worker.identity == identity

    def fence(self, identity: str) -> None:
        """Tell a worker that lost its job to end at once."""
        self._channel.command(identity, Release(self.engine_id, fenced=True))

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
        if record.worker_process_id == 0 or not self._launcher.watch(record.worker_process_id):
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

    def greet(self, job: LiveJob | None, identity: str, process_id: int, decisions: Decisions) -> None:
        """A new worker asks for its job.

        One that a former service launched gets no answer until the end of the one before is dealt with, as it
        has to know where to go on; it asks again.
        """
        worker = self._by_job.get(job.record.job_id) if job else None
        if job is None or job.state.is_final or worker is None or worker.process_id not in (0, process_id):
            self.fence(identity)
            return
        if worker.is_gone:
            return
        worker.process_id = process_id
        worker.is_assigned = True
        worker.last_heard_ns = self._clock.monotonic_ns()
        worker.acknowledged = job.record.report_sequence
        self._launcher.watch(process_id)
        job.record.worker_process_id = process_id
        job.has_worker = True
        job.forget_plan()
        for transition in job.pending.values():
            if transition.wake_time is not None:
                transition.wake_time = None
                decisions.change_transition(job, transition)
        decisions.touch(job)
        decisions.after_commit(lambda: self._assign(job, worker))

    def arm(self, job: LiveJob, transitions: Sequence[TransitionRecord], decisions: Decisions) -> None:
        """The plan in the worker grows."""
        worker = self._assigned(job)
        if worker is not None:
            plan = tuple(planned(t) for t in transitions)
            decisions.after_commit(
                lambda: self._send_arm(worker, Arm(self.engine_id, job.record.revision, plan))
            )

    def fire(self, job: LiveJob, transition_ids: Sequence[str], raised: str, decisions: Decisions) -> None:
        """Events that transitions wait for were raised."""
        worker = self._assigned(job)
        if worker is not None:
            command = Fire(self.engine_id, tuple(transition_ids), raised)
            decisions.after_commit(lambda: self._channel.command(worker.identity, command))

    def tell(self, job_id: str, command: ToWorker) -> bool:
        """Send at once what is no decision; False if the job has no worker that listens."""
        worker = self._by_job.get(job_id)
        if worker is None or not worker.is_assigned:
            return False
        self._channel.command(worker.identity, command)
        return True

    def has_assigned(self, job_id: str) -> bool:
        """Whether a worker has the job's plan."""
        worker = self._by_job.get(job_id)
        return worker is not None and worker.is_assigned

    def sync_soon(self, job_id: str) -> None:
        """Send the whole plan when the job's worker is next heard of."""
        worker = self._by_job.get(job_id)
        if worker is not None:
            worker.needs_sync = True

    def heard(self, job: LiveJob, progress: Progress) -> None:
        """A heartbeat: answer it, and send the plan again if the worker may have missed some of it."""
        worker = self._by_job[job.record.job_id]
        now_ns = self._clock.monotonic_ns()
        worker.last_heard_ns = now_ns
        worker.progress = progress
        if progress.elapsed_s > STEADY_S:
            worker.restarts = 0
        is_behind = progress.revision < worker.armed_revision and now_ns - worker.armed_ns > SYNC_PATIENCE_NS
        if progress.engine != self.engine_id or is_behind or worker.needs_sync:
            worker.needs_sync = False
            self.sync(job)
        else:
            self._channel.command(worker.identity, Acknowledge(self.engine_id, worker.acknowledged))

    def sync(self, job: LiveJob) -> None:
        """Everything that the worker must know, whatever it may have missed."""
        worker = self._assigned(job)
        if worker is not None:
            pending = [t for t in job.pending.values() if t.transition_id not in self.withheld]
            plan = tuple(planned(t) for t in in_list_order(pending))
            command = Sync(self.engine_id, worker.acknowledged, job.record.revision, plan)
            self._channel.command(worker.identity, command)

    def acknowledge(self, job: LiveJob, decisions: Decisions) -> None:
        """Reports are taken: say so after the commit; a worker whose job is final may go."""
        worker = self._by_job.get(job.record.job_id)
        if worker is None:
            return

        def act() -> None:
            worker.acknowledged = job.record.report_sequence
            self._channel.command(worker.identity, Acknowledge(self.engine_id, worker.acknowledged))
            if job.state.is_final:
                self._dismiss(worker)

        decisions.after_commit(act)

    def counters(self, job_id: str, now_ns: int) -> dict[str, object] | None:
        """Live counters as of the last heartbeat, and how old they are; None without a worker."""
        worker = self._by_job.get(job_id)
        if worker is None or worker.progress is None:
            return None
        beat = worker.progress
        return {
            "state": beat.state,
            "position": beat.position.document(),
            "elapsedSeconds": beat.elapsed_s,
            "speed": beat.speed,
            "drops": beat.drops,
            "lateMs": beat.late_ms,
            "levels": beat.levels,
            "counters": beat.counters,
            "outputs": {str(number): samples for number, samples in beat.outputs.items()},
            "workerProcessId": worker.process_id,
            "ageMs": round((now_ns - worker.last_heard_ns) / 1e6, 1),
        }

    def kill(self, worker: Worker) -> None:
        self._launcher.kill(worker.process_id)

    def _assign(self, job: LiveJob, worker: Worker) -> None:
        record = job.record
        need = job.pending.get(worker.prepare_id or "")
        description = merge(job.effective, (need.description if need else None) or {}, MERGE_KEYS)
        self._channel.command(
            worker.identity,
            Assign(
                engine=self.engine_id,
                job_id=record.job_id,
                name=record.name,
                kind=record.kind or "",
                state=worker.return_to or str(record.current_state),
                description=description,
                transitions=tuple(planned(t) for t in in_list_order(job.pending.values())),
                settled=dict(job.settled),
                revision=record.revision,
                host=self._host,
                report_sequence=record.report_sequence,
                output_count=len(job.outputs),
                first_running=job.first_running,
                resume=worker.resume,
            ),
        )
        worker.armed_revision, worker.armed_ns = record.revision, self._clock.monotonic_ns()

    def _send_arm(self, worker: Worker, command: Arm) -> None:
        self._channel.command(worker.identity, command)
        worker.armed_revision, worker.armed_ns = command.revision, self._clock.monotonic_ns()

    def _hold(self, job: LiveJob) -> None:
        claim = claim_of(job.effective)
        if claim is not None:
            self.admission.hold(job.record.job_id, claim)

    def _assigned(self, job: LiveJob) -> Worker | None:
        worker = self._by_job.get(job.record.job_id)
        return worker if worker is not None and worker.is_assigned else None

    def _dismiss(self, worker: Worker) -> None:
        self._channel.command(worker.identity, Release(self.engine_id))
        self.forget(worker)
