"""Carrying out what clients ask. A request is checked against the state of things before anything changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jobengine.clock import Clock
from jobengine.engine.commands import Commands
from jobengine.engine.decisions import Decisions
from jobengine.engine.host import HostRunner
from jobengine.engine.live_job import LiveJob
from jobengine.errors import (
    ConflictError,
    NotFoundError,
    RevisionMismatch,
    TransitionNotAllowed,
)
from jobengine.ids import new_id
from jobengine.messaging.engine_messages import (
    Accepted,
    ChangeJob,
    DeleteJob,
    Draft,
    IdempotencyKey,
    RaiseEvent,
    SendVolatile,
    SetVariable,
    SubmitJob,
)
from jobengine.model.check import kind_of
from jobengine.model.lifecycle import TRIGGER_TYPES, RequestedState, TriggerType, allowed_requests
from jobengine.model.plan import Planned
from jobengine.model.record import JobRecord, TransitionRecord


class Requests:
    """Requests that are carried out within one group.

    Editing a planned transition is in `engine.edits`, reading counters in `engine.counters`.
    """

    def __init__(
        self, service: str, host_name: str, commands: Commands, host: HostRunner, clock: Clock
    ) -> None:
        self._service = service
        self._host_name = host_name
        self._commands = commands
        self._host = host
        self._clock = clock

    def submit(self, request: SubmitJob, decisions: Decisions) -> tuple[LiveJob, Accepted]:
        """A new job with its list."""
        record = JobRecord(
            job_id=new_id(),
            name=request.name,
            alias=request.alias,
            client_data=request.client_data,
            restart_policy=request.restart_policy,
            processing_host=self._host_name,
            created_time=decisions.now_text,
            updated_time=decisions.now_text,
            service=self._service,
        )
        job = LiveJob(record, self._clock)
        decisions.insert_job(job)
        made = self._append(job, request.drafts, request.actor, decisions)
        ids = tuple(t.transition_id for t in made)
        decisions.event("job.created", record, {"name": record.name, "transitionIds": ids})
        answer = Accepted(request.request_id, record.job_id, record.revision, ids)
        self._remember(request.idempotency, answer, decisions)
        return job, answer

    def change(self, request: ChangeJob, job: LiveJob, decisions: Decisions) -> Accepted:
        """Append to a job's list, change its members, or both."""
        check_revision(job, request.revision)
        if request.drafts and job.state.is_final:
            raise TransitionNotAllowed(
                f"the job is {job.state}; nothing can be appended",
                state=str(job.state),
                allowed=allowed_requests(job.state),
            )
        self._check_kind(job, request.drafts)
        for name, value in request.changes.items():
            setattr(job.record, name, value)
        if request.changes:
            decisions.event("job.changed", job.record, {"changed": sorted(request.changes)})
        made = self._append(job, request.drafts, request.actor, decisions)
        ids = tuple([t.transition_id for t in made])
        if made:
            decisions.event("transition.appended", job.record, {"transitionIds": ids})
        (decisions.rewrite if request.changes else decisions.touch)(job)
        answer = Accepted(request.request_id, job.record.job_id, job.record.revision, ids)
        self._remember(request.idempotency, answer, decisions)
        return answer

    def send_volatile(self, request: SendVolatile, job: LiveJob, decisions: Decisions) -> Accepted:
        """To the worker, along with the answer; nothing is kept."""
        plan = tuple(
            Planned(
                new_id(), job.record.transition_count + n, draft.trigger, draft.description, volatile=True
            )
            for n, draft in enumerate(request.drafts)
        )
        if job.state.is_final or not self._commands.arm_volatile(job, plan, decisions):
            raise ConflictError("the job has no running worker; a volatile transition is sent to one only")
        return Accepted(request.request_id, job.record.job_id, job.record.revision)

    def delete(self, request: DeleteJob, job: LiveJob, decisions: Decisions) -> Accepted:
        """Hide a job; its history stays in the database."""
        check_revision(job, request.revision)
        if not job.state.is_final:
            if not request.force:
                raise ConflictError(f"the job is {job.state}; finish or cancel it first, or use force")
            self._append(job, [_immediate(RequestedState.CANCEL)], request.actor, decisions)
        job.record.deleted_time = decisions.now_text
        decisions.event("job.deleted", job.record, {"name": job.record.name})
        decisions.rewrite(job)
        return Accepted(request.request_id, job.record.job_id, job.record.revision)

    def finish(self, job: LiveJob, reason: str, decisions: Decisions) -> None:
        """Ask a running job to finish on the engine's own account; ``reason`` is kept in the history."""
        self._append(job, [_immediate(RequestedState.FINISH, {"reason": reason})], "engine", decisions)

    def raise_event(self, request: RaiseEvent, decisions: Decisions) -> Accepted:
        """Raise a named event; who waits for it is woken in the same group."""
        decisions.raise_event(request.name, request.data, request.actor)
        return Accepted(request.request_id)

    def set_variable(self, request: SetVariable, decisions: Decisions) -> Accepted:
        """Define or remove a variable."""
        if request.value is None:
            decisions.batch.remove_variable(request.name)
        else:
            decisions.batch.set_variable(request.name, request.value)
        return Accepted(request.request_id)

    def _append(
        self, job: LiveJob, drafts: Sequence[Draft], actor: str, decisions: Decisions
    ) -> list[TransitionRecord]:
        made = []
        if job.record.kind is None:
            self._take_kind(job, drafts, decisions)
        for draft in drafts:
            transition = self.transition(job, draft, actor, decisions)
            decisions.insert_transition(job, transition)
            made.append(transition)
        if made:
            self._commands.arm(job, made, decisions)
        return made

    def _take_kind(self, job: LiveJob, drafts: Sequence[Draft], decisions: Decisions) -> None:
        for draft in drafts:
            kind = kind_of(draft.description)
            if kind is not None:
                job.record.kind = kind
                decisions.rewrite(job)
                return

    def transition(self, job: LiveJob, draft: Draft, actor: str, decisions: Decisions) -> TransitionRecord:
        """A pending transition at the end of the list, not yet inserted."""
        trigger = draft.trigger
        kind = TRIGGER_TYPES[trigger["type"]]
        transition = decisions.new_transition(job, kind, trigger["requestedProcState"], trigger, actor)
        transition.position = job.record.transition_count
        job.record.transition_count += 1
        fill(transition, draft, decisions.now_text)
        if not job.has_worker:
            transition.wake_time = self._host.wake_time(job, transition, decisions.now_text)
        return transition

    def _check_kind(self, job: LiveJob, drafts: Sequence[Draft]) -> None:
        for draft in drafts:
            kind = kind_of(draft.description)
            is_late = job.record.kind is None and job.first_running is not None
            if kind is not None and (is_late or job.record.kind not in (None, kind)):
                now = job.record.kind or "running without work"
                raise ConflictError(f"a job has exactly one kind of work; this one is {now}")

    def _remember(self, key: IdempotencyKey | None, answer: Accepted, decisions: Decisions) -> None:
        if key is not None:
            decisions.batch.remember_idempotency(
                key.key,
                key.scope,
                key.request_hash,
                answer.job_id,
                {"transitionIds": list(answer.transition_ids), "revision": answer.revision},
                created_time=decisions.now_text,
            )


def fill(transition: TransitionRecord, draft: Draft, now_text: str) -> None:
    """Put what a draft says into a row."""
    transition.trigger = draft.trigger
    transition.trigger_type = kind = TRIGGER_TYPES[draft.trigger["type"]]
    transition.requested_proc_state = draft.trigger["requestedProcState"]
    transition.job_description = draft.job_description
    transition.resolved = draft.resolved
    transition.info = draft.info
    transition.event_name = draft.trigger["name"] if kind is TriggerType.EVENT else None
    match kind:
        case TriggerType.IMMEDIATE:
            transition.due_time = now_text
        case TriggerType.TIME:
            transition.due_time = draft.trigger["startTime"]
        case _:
            transition.due_time = None


def check_revision(job: LiveJob, revision: int | None) -> None:
    """Raises RevisionMismatch when the client saw another revision."""
    if revision is not None and revision != job.record.revision:
        raise RevisionMismatch(f"the job is at revision {job.record.revision}, not {revision}")


def check_known(job: LiveJob | None, job_id: str) -> LiveJob:
    """Raises NotFoundError when there is no such job, or it was deleted."""
    if job is None or job.record.deleted_time is not None:
        raise NotFoundError(f"there is no job {job_id}")
    return job


def answered_before(key: IdempotencyKey, stored: Any, request_id: str) -> Accepted:
    """The answer that the same request was given. Raises IdempotencyConflict when it was another request."""
    key.check_same(stored.request_hash)
    response = stored.response or {}
    return Accepted(
        request_id,
        stored.job_id or "",
        response.get("revision", 0),
        tuple(response.get("transitionIds", ())),
        replayed=True,
    )


def _immediate(requested: RequestedState, info: dict[str, Any] | None = None) -> Draft:
    return Draft({"type": "Immediate", "requestedProcState": str(requested)}, info=info)
