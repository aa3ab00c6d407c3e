"""Changing and removing planned transitions.

While a worker holds the plan, the transition is withdrawn from it first: only what the worker has let go
of can't pass any more. Then the old content becomes a Superseded row, and a changed transition keeps its
id and its place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec

from jobengine.clock import Clock
from jobengine.engine.commands import Commands
from jobengine.engine.decisions import Decisions
from jobengine.engine.host import HostRunner
from jobengine.engine.live_job import LiveJob
from jobengine.engine.requests import check_revision, fill
from jobengine.engine.silence import STOOD_STILL_NS
from jobengine.engine.workers import Workers
from jobengine.errors import ConflictError, NotFoundError, UnavailableError
from jobengine.ids import new_id
from jobengine.messaging.engine_messages import Accepted, ChangeTransition, RemoveTransition
from jobengine.messaging.worker_messages import Withdrawn
from jobengine.model.chain import row_hash
from jobengine.model.condition import StreamReading
from jobengine.model.condition_counts import counted_from_start
from jobengine.model.lifecycle import TransitionStatus
from jobengine.model.record import TransitionRecord

WITHDRAW_TIMEOUT_NS = 5_000_000_000
Edit = ChangeTransition | RemoveTransition


@dataclass(frozen=True, slots=True)
class WaitingEdit:
    """An edit whose transition is being withdrawn from the worker."""

    client: bytes
    request: Edit
    deadline_ns: int


class Edits:
    """Edits of planned transitions; those that wait for a worker are kept here, with a deadline."""

    def __init__(self, workers: Workers, commands: Commands, host: HostRunner, clock: Clock) -> None:
        self._workers = workers
        self._commands = commands
        self._host = host
        self._clock = clock
        self._waiting: dict[str, WaitingEdit] = {}
        self._finishing: dict[str, WaitingEdit] = {}
        self._looked_ns = clock.monotonic_ns()

    def begin(self, client: bytes, request: Edit, job: LiveJob, decisions: Decisions) -> Accepted | None:
        """Carry the edit out now, or None: it waits for the worker and is answered later."""
        check_revision(job, request.revision)
        self._check_pending(job, request.transition_id)
        if self._workers.assigned(job.record.job_id) is None:
            return self._carry_out(request, job, decisions)
        decisions.after_commit(job.record.job_id, lambda: self._withdraw(client, request))
        return None

    def withdrawn(
        self, message: Withdrawn, job: LiveJob, decisions: Decisions
    ) -> tuple[bytes, Accepted] | None:
        """The worker has let go, or not. Raises ConflictError (with the waiting edit in its facts) if not."""
        waiting = self._end_waiting(message.request)
        if waiting is None:
            decisions.after_commit(job.record.job_id, lambda: self._commands.sync(job))
            return None
        self._finishing[message.request] = waiting
        decisions.after_commit(job.record.job_id, lambda: self._finished(message.request))
        transition = job.pending.get(waiting.request.transition_id)
        if waiting.request.transition_id not in message.transition_ids or transition is None:
            raise ConflictError("the transition has just passed", waiting=waiting)
        request = waiting.request
        if isinstance(request, ChangeTransition) and request.counts_from_now and message.counts is not None:
            request = _counted_from_start(request, message.counts.reading)
        return waiting.client, self._carry_out(request, job, decisions)

    def expired(self) -> list[tuple[WaitingEdit, UnavailableError]]:
        """Edits whose worker did not answer in time; they were not carried out. None for an engine that stood
        still since it last asked: it is yet to hear what was answered meanwhile."""
        now_ns = self._clock.monotonic_ns()
        stood_still = now_ns - self._looked_ns > STOOD_STILL_NS
        self._looked_ns = now_ns
        if stood_still:
            return []
        late = [key for key, edit in self._waiting.items() if edit.deadline_ns <= now_ns]
        error = UnavailableError("the worker did not answer; the transition is unchanged")
        expired = [waiting for key in late if (waiting := self._end_waiting(key)) is not None]
        for waiting in expired:
            self._commands.sync_soon(waiting.request.job_id)
        return [(waiting, error) for waiting in expired]

    def abandoned(self) -> list[WaitingEdit]:
        """Edits of a group that could not be committed: their workers have let go, but nothing changed."""
        abandoned, self._finishing = list(self._finishing.values()), {}
        return abandoned

    def wait_again(self, edit: WaitingEdit) -> None:
        """An abandoned edit is carried out after all, when it is heard again that its worker has let go."""
        self._waiting[edit.request.request_id] = edit
        self._commands.withhold(edit.request.transition_id)

    def _finished(self, request_id: str) -> None:
        del self._finishing[request_id]

    def _withdraw(self, client: bytes, request: Edit) -> None:
        deadline_ns = self._clock.monotonic_ns() + WITHDRAW_TIMEOUT_NS
        self._waiting[request.request_id] = WaitingEdit(client, request, deadline_ns)
        self._commands.withdraw(request.job_id, request.request_id, request.transition_id)

    def _end_waiting(self, request_id: str) -> WaitingEdit | None:
        waiting = self._waiting.pop(request_id, None)
        if waiting is not None:
            self._commands.end_withdrawal(waiting.request.transition_id)
        return waiting

    def _check_pending(self, job: LiveJob, transition_id: str) -> None:
        if transition_id in job.pending and not job.state.is_final:
            return
        if transition_id in job.pending:
            raise ConflictError(f"the job is {job.state}; its list is closed")
        raise NotFoundError("the transition is not pending")

    def _carry_out(self, request: Edit, job: LiveJob, decisions: Decisions) -> Accepted:
        transition = job.pending[request.transition_id]
        if isinstance(request, ChangeTransition):
            self._change(request, job, transition, decisions)
        else:
            self._remove(request, job, transition, decisions)
        job.forget_plan()
        decisions.touch(job)
        record = job.record
        return Accepted(request.request_id, record.job_id, record.revision, (request.transition_id,))

    def _change(
        self, request: ChangeTransition, job: LiveJob, transition: TransitionRecord, decisions: Decisions
    ) -> None:
        former = replace(transition, transition_id=new_id(), superseded_by=transition.transition_id)
        self._supersede(former, request.actor)
        decisions.batch.insert_transition(former)
        fill(transition, request.draft, decisions.now_text)
        if not job.has_worker:
            transition.wake_time = self._host.wake_time(job, transition, decisions.now_text)
        decisions.change_transition(job, transition)
        data = {"transitionId": transition.transition_id, "supersededId": former.transition_id}
        decisions.event("transition.changed", job.record, data)
        self._commands.arm(job, [transition], decisions)

    def _remove(
        self, request: RemoveTransition, job: LiveJob, transition: TransitionRecord, decisions: Decisions
    ) -> None:
        del job.pending[transition.transition_id]
        self._supersede(transition, request.actor)
        decisions.batch.settle_transition(transition)
        decisions.event("transition.removed", job.record, {"transitionId": transition.transition_id})

    def _supersede(self, transition: TransitionRecord, actor: str) -> None:
        transition.status = TransitionStatus.SUPERSEDED
        transition.wake_time = None
        transition.actor = actor or transition.actor
        transition.hash = row_hash(transition, "")


def _counted_from_start(request: ChangeTransition, reading: StreamReading) -> ChangeTransition:
    trigger = dict(request.draft.trigger)
    if "condition" in trigger:
        trigger["condition"] = counted_from_start(trigger["condition"], reading)
    return msgspec.structs.replace(request, draft=msgspec.structs.replace(request.draft, trigger=trigger))
