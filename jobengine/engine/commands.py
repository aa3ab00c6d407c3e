"""What the engine tells workers: their job, changes to its plan, which reports are taken, that they may go.

Which workers there are, and their processes, is the business of `jobengine.engine.workers`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from jobengine.clock import Clock
from jobengine.engine.decisions import Decisions
from jobengine.engine.live_job import LiveJob, in_list_order, planned
from jobengine.engine.worker import Worker
from jobengine.engine.workers import Workers
from jobengine.messaging.worker_messages import (
    Acknowledge,
    Arm,
    Assign,
    Fire,
    Progress,
    Release,
    Sync,
    ToWorker,
    Withdraw,
)
from jobengine.model.kind import MERGE_KEYS
from jobengine.model.merge import merge
from jobengine.model.plan import Planned
from jobengine.model.record import TransitionRecord

STEADY_S = 60.0
"""A replacement that has run for so long no longer counts as one of several in a row."""
SYNC_PATIENCE_NS = 1_000_000_000
"""How long a worker may be behind the plan it was sent before it gets the whole plan again."""


class CommandChannel(Protocol):
    """The way to workers. Never blocks; what can't be sent is lost, and made good by a later `Sync`."""

    def command(self, identity: str, command: ToWorker) -> None: ...


class Commands:
    """Speaks to the workers of one service. A command that tells of a decision goes out after its commit.

    ``engine_id`` is another one after each start of the service; ``host`` is the name of this machine.
    """

    def __init__(
        self, engine_id: str, workers: Workers, channel: CommandChannel, clock: Clock, host: str
    ) -> None:
        self._engine_id = engine_id
        self._workers = workers
        self._channel = channel
        self._clock = clock
        self._host = host
        self._withheld: set[str] = set()
        """Transitions that are being withdrawn from their workers: not to be armed again meanwhile."""

    def greet(self, job: LiveJob | None, identity: str, process_id: int, decisions: Decisions) -> None:
        """A new worker asks for its job.

        One that a former service launched gets no answer until the end of the one before is dealt with, as it
        has to know where to go on; it asks again.
        """
        worker = self._workers.of(job.record.job_id) if job else None
        if job is None or job.state.is_final or worker is None or worker.process_id not in (0, process_id):
            self.fence(identity)
            return
        if worker.is_gone or not self._workers.give_job(worker, process_id):
            return
        worker.acknowledged = job.record.report_sequence
        job.record.worker_process_id = process_id
        job.has_worker = True
        job.forget_plan()
        for transition in job.pending.values():
            if transition.wake_time is not None:
                transition.wake_time = None
                decisions.change_transition(job, transition)
        decisions.touch(job)
        decisions.after_commit(job.record.job_id, lambda: self._assign(job, worker))

    def fence(self, identity: str) -> None:
        """Tell a worker that lost its job to end at once."""
        self._channel.command(identity, Release(self._engine_id, fenced=True))

    def heard(self, job: LiveJob, progress: Progress) -> None:
        """A heartbeat: answer it, with the whole plan if the worker may have missed some of it."""
        worker = self._workers.beat(job.record.job_id, progress)
        if progress.elapsed_s > STEADY_S:
            worker.restarts = 0
        waited_ns = worker.last_heard_ns - worker.armed_ns
        is_behind = progress.revision < worker.armed_revision and waited_ns > SYNC_PATIENCE_NS
        if progress.engine != self._engine_id or is_behind or worker.needs_sync:
            worker.needs_sync = False
            self.sync(job)
        else:
            self._send(worker, Acknowledge(self._engine_id, worker.acknowledged))

    def acknowledge(self, job: LiveJob, decisions: Decisions) -> None:
        """Reports are taken: say so after the commit; a worker whose job is final may go."""
        worker = self._workers.of(job.record.job_id)
        if worker is None:
            return

        def act() -> None:
            worker.acknowledged = job.record.report_sequence
            self._send(worker, Acknowledge(self._engine_id, worker.acknowledged))
            if job.state.is_final:
                self._send(worker, Release(self._engine_id))
                self._workers.forget(worker)

        decisions.after_commit(job.record.job_id, act)

    def arm(self, job: LiveJob, transitions: Sequence[TransitionRecord], decisions: Decisions) -> None:
        """The plan in the worker grows."""
        worker = self._workers.assigned(job.record.job_id)
        if worker is not None:
            plan = tuple(planned(t) for t in transitions)
            decisions.after_commit(
                job.record.job_id,
                lambda: self._send_plan(worker, Arm(self._engine_id, job.record.revision, plan)),
            )

    def arm_volatile(self, job: LiveJob, plan: tuple[Planned, ...], decisions: Decisions) -> bool:
        """Add to the plan in the worker what nobody keeps; False if no worker has the job."""
        worker = self._workers.assigned(job.record.job_id)
        if worker is None:
            return False
        command = Arm(self._engine_id, job.record.revision, plan)
        decisions.after_commit(job.record.job_id, lambda: self._send(worker, command))
        return True

    def fire(self, job: LiveJob, transition_id: str, raised: str, decisions: Decisions) -> None:
        """The event that a transition waits for was raised, at ``raised``."""
        worker = self._workers.assigned(job.record.job_id)
        if worker is not None:
            command = Fire(self._engine_id, (transition_id,), raised)
            decisions.after_commit(job.record.job_id, lambda: self._send(worker, command))

    def withdraw(self, job_id: str, request_id: str, transition_id: str) -> None:
        """Ask the worker at once to let go of a transition, which it confirms under ``request_id``.

        Until `end_withdrawal` the transition is not sent to a worker again.
        """
        self.withhold(transition_id)
        worker = self._workers.assigned(job_id)
        if worker is not None:
            self._send(worker, Withdraw(self._engine_id, request_id, (transition_id,)))

    def withhold(self, transition_id: str) -> None:
        """Don't send a transition to a worker again, until `end_withdrawal`."""
        self._withheld.add(transition_id)

    def end_withdrawal(self, transition_id: str) -> None:
        """The worker has answered, or is not waited for any longer."""
        self._withheld.discard(transition_id)

    def sync_soon(self, job_id: str) -> None:
        """Send the whole plan when the job's worker is next heard of."""
        worker = self._workers.of(job_id)
        if worker is not None:
            worker.needs_sync = True

    def sync(self, job: LiveJob) -> None:
        """Everything that the worker must know, whatever it may have missed."""
        worker = self._workers.assigned(job.record.job_id)
        if worker is not None:
            pending = [t for t in job.pending.values() if t.transition_id not in self._withheld]
            plan = tuple(planned(t) for t in in_list_order(pending))
            self._send(worker, Sync(self._engine_id, worker.acknowledged, job.record.revision, plan))

    def _assign(self, job: LiveJob, worker: Worker) -> None:
        record = job.record
        need = job.pending.get(worker.prepare_id or "")
        self._send_plan(
            worker,
            Assign(
                engine=self._engine_id,
                job_id=record.job_id,
                name=record.name,
                kind=record.kind or "",
                state=worker.return_to or str(record.current_state),
                description=merge(job.effective, (need.description if need else None) or {}, MERGE_KEYS),
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

    def _send_plan(self, worker: Worker, command: Arm | Assign) -> None:
        self._send(worker, command)
        worker.armed_revision, worker.armed_ns = command.revision, self._clock.monotonic_ns()

    def _send(self, worker: Worker, command: ToWorker) -> None:
        self._channel.command(worker.identity, command)
