"""Passing transitions in the engine: for jobs without work, and for what needs no worker yet.

A job of some kind gets its worker when a transition that must be prepared (Wait, Pause, Start) falls due,
planned ones ``lead`` earlier; what only changes the description or ends the job passes right here.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from jobengine.clock import from_text, later, to_text
from jobengine.engine.admission import Verdict, claim_of
from jobengine.engine.decisions import Decisions, Passing
from jobengine.engine.live_job import HOST_RATE, ON_STREAM_CLOCK, PREPARING, Appointment, LiveJob
from jobengine.engine.outcome import Outcome
from jobengine.engine.workers import Workers
from jobengine.errors import TransitionNotAllowed
from jobengine.model.kind import MERGE_KEYS
from jobengine.model.lifecycle import (
    EngineRequest,
    JobState,
    RequestedState,
    TriggerType,
    decide,
    reached,
)
from jobengine.model.merge import merge
from jobengine.model.plan import Due
from jobengine.model.record import TransitionRecord

TIME_BASE = f"1/{HOST_RATE}"
MS = timedelta(milliseconds=1)
_ENDING = frozenset({RequestedState.FINISH, RequestedState.CANCEL})


class HostRunner:
    """Runs the plans of jobs that have no worker. ``lead`` is how early workers are prepared."""

    def __init__(self, workers: Workers, lead: timedelta) -> None:
        self._workers = workers
        self._lead_us = lead // timedelta(microseconds=1)

    def advance(self, job: LiveJob, decisions: Decisions, woken: Collection[str] = ()) -> None:
        """Pass everything that is due, or ask for a worker; then see to it that the engine wakes in time."""
        appointment = job.appointment
        if appointment is not None and not self._keep_appointment(job, appointment, decisions):
            return
        job_id = job.record.job_id
        if not (job.has_worker or job_id in decisions.launching or self._workers.of(job_id) is not None):
            if not job.state.is_final:
                self._go_on(job, decisions, woken)
            if job.state.is_final and job.record.kind is not None:
                decisions.after_commit(job_id, lambda: self._workers.clear_up(job_id))
        if job.state.is_final:
            self._workers.admission.release(job_id)

    def _go_on(self, job: LiveJob, decisions: Decisions, woken: Collection[str]) -> None:
        early = self._needs_preparing(job, woken, decisions)
        if early is not None:
            self._launch(job, early, decisions)
            return
        if not job.has_plan and not self._pass_leading(job, decisions):
            return
        plan = job.plan(decisions.now)
        while len(plan) and not job.state.is_final:
            reading = job.reading()
            due = plan.take(decisions.now, reading)
            if due is None:
                self._keep_awake(job, decisions)
                return
            transition = job.pending[due.planned.transition_id]
            if not due.skip and self._needs_worker(job, transition):
                self._launch(job, transition, decisions)
                return
            self._pass_due(job, transition, due, reading.position, decisions)

    def look_ahead(self, job: LiveJob, now: datetime) -> None:
        """A job will be woken soon: find out what it passes then, so that little is left to be done."""
        if job.record.kind is not None:
            return
        transition = job.next_by_clock()
        due = from_text(transition.due_time) if transition is not None and transition.due_time else now
        if transition is not None and due > now:
            job.appointment = _appointment(job, transition, due)
        if job.appointment is None:
            job.plan(now)

    def _keep_appointment(self, job: LiveJob, appointment: Appointment, decisions: Decisions) -> bool:
        """Pass what was found ahead, and what follows by now; whether there is more to find out."""
        if appointment.revision != job.record.revision:
            job.appointment = None
            return True
        if appointment.due > decisions.now:
            return False
        job.appointment = None
        clock = job.position
        late_ms = (decisions.now - appointment.due) / MS
        position = {"pts": clock, "timeBase": TIME_BASE}
        decisions.complete(job, appointment.outcome, decisions.now_text, late_ms, position)
        job.anchor(clock)
        following = job.next_by_clock()
        while following is not None and (following.due_time or "") <= decisions.now_text:
            self._pass(job, following, job.position, "", decisions)
            following = job.next_by_clock()
        return following is None and bool(job.pending)

    def _pass_leading(self, job: LiveJob, decisions: Decisions) -> bool:
        """Pass the Immediate transitions at the head of a list; False if a worker is needed for one.

        While there is no plan yet everything that is due is due at the same moment, so list order rules,
        and a plan is made only for what is left.
        """
        for transition in list(job.pending.values()):
            if transition.trigger_type is not TriggerType.IMMEDIATE or job.state.is_final:
                return True
            if self._needs_worker(job, transition):
                self._launch(job, transition, decisions)
                return False
            self._pass(job, transition, job.position, "", decisions)
        return bool(job.pending)

    def _launch(self, job: LiveJob, need: TransitionRecord, decisions: Decisions) -> None:
        """Ask for a worker, if the job is admitted; while it waits for that it can still be ended."""
        claim = claim_of(merge(job.effective, need.description or {}, MERGE_KEYS))
        verdict = self._workers.admission.ask(job.record.job_id, claim) if claim else Verdict()
        if not verdict.waits_for:
            decisions.status_message(job, "")
            self._workers.launch(job, need, decisions)
            return
        job.forget_plan()
        ending = next((t for t in job.pending.values() if _ends_at_once(t)), None)
        if ending is not None:
            self._pass(job, ending, job.position, "", decisions)
        elif verdict.is_refused:
            info = {"cause": verdict.waits_for, "code": "lease", "stage": "prepare"}
            at = Passing(decisions.now_text, {"pts": job.position, "timeBase": TIME_BASE}, info=info)
            decisions.implicit(job, EngineRequest.FAIL, JobState.ERROR, at)
            decisions.status_message(job, verdict.waits_for)
        else:
            decisions.status_message(job, f"waits: {verdict.waits_for}")
            if verdict.holder:
                decisions.evicted[verdict.holder] = f"job {job.record.job_id} takes over"

    def wake_time(self, job: LiveJob, transition: TransitionRecord, now_text: str) -> str | None:
        """When the engine must look at a new transition of a job without worker."""
        match transition.trigger_type:
            case TriggerType.IMMEDIATE:
                return now_text
            case TriggerType.TIME:
                start = from_text(transition.trigger["startTime"])
                wake = later(start, -self._lead_us) if self._needs_worker(job, transition) else start
                return to_text(wake or start)
            case _:
                return None

    def _needs_worker(self, job: LiveJob, transition: TransitionRecord) -> bool:
        return job.record.kind is not None and transition.requested_proc_state in PREPARING

    def _needs_preparing(
        self, job: LiveJob, woken: Collection[str], decisions: Decisions
    ) -> TransitionRecord | None:
        for transition_id in woken:
            transition = job.pending.get(transition_id)
            if transition is None or transition.trigger_type != TriggerType.TIME:
                continue
            if self._needs_worker(job, transition) and not self._is_skipped(transition, decisions.now):
                return transition
        return None

    def _is_skipped(self, transition: TransitionRecord, now: datetime) -> bool:
        """Whether its misfire policy will exhaust it without effect, so that no worker is needed."""
        trigger = transition.trigger
        late = now - from_text(trigger["startTime"])
        grace = timedelta(milliseconds=trigger.get("misfireGraceMs", 1000))
        return late > grace and (trigger.get("misfire") == "skip" or bool(trigger.get("coalesce")))

    def _pass_due(
        self, job: LiveJob, transition: TransitionRecord, due: Due, ticks: int, decisions: Decisions
    ) -> None:
        if transition.trigger_type in ON_STREAM_CLOCK:
            transition.due_time = self._due_text(job, due, decisions)
            ticks = min(int(due.exact), ticks)
        self._pass(job, transition, ticks, due.skip, decisions)

    def _pass(
        self, job: LiveJob, transition: TransitionRecord, ticks: int, skip: str, decisions: Decisions
    ) -> None:
        info: dict[str, str] = {}
        state = job.state
        if not skip:
            try:
                state = decide(state, transition.requested_proc_state)
            except TransitionNotAllowed as error:
                info = {"refused": error.detail}
        clock = job.position
        at = _at(transition, ticks, decisions)
        if skip or info:
            at = at._replace(skip=skip, info=info)
        decisions.settle(job, transition, state, at)
        job.anchor(clock)

    def _due_text(self, job: LiveJob, due: Due, decisions: Decisions) -> str:
        late_us = max(0, job.position - int(due.exact))
        return to_text(decisions.now - timedelta(microseconds=late_us))

    def _keep_awake(self, job: LiveJob, decisions: Decisions) -> None:
        """One row that waits on the stream clock carries the time at which the engine looks again."""
        waiting = [t for t in job.pending.values() if t.trigger_type in ON_STREAM_CLOCK]
        if not waiting or job.record.kind is not None:
            return
        carrier = min(waiting, key=lambda t: t.position or 0)
        wake = self._stream_wake(job, decisions)
        if carrier.wake_time != wake:
            carrier.wake_time = wake
            decisions.change_transition(job, carrier)

    def _stream_wake(self, job: LiveJob, decisions: Decisions) -> str | None:
        if job.state is not JobState.RUNNING:
            return None
        reading = job.reading()
        plan = job.plan(decisions.now)
        moments = [plan.next_moment(decisions.now, reading)]
        position = plan.next_position(reading)
        if position is not None:
            moments.append(later(decisions.now, position - reading.position))
        earliest = min((m for m in moments if m is not None), default=None)
        return to_text(earliest) if earliest is not None else None


def _ends_at_once(transition: TransitionRecord) -> bool:
    """Whether a transition ends a job as soon as it is posted."""
    return transition.trigger_type is TriggerType.IMMEDIATE and transition.requested_proc_state in _ENDING


def _appointment(job: LiveJob, transition: TransitionRecord, due: datetime) -> Appointment | None:
    """That ``transition`` passes next; None if it would be refused, of which the row has to say why."""
    record = job.record
    state = reached(record.current_state, transition.requested_proc_state)
    if state is None:
        return None
    return Appointment(due, record.revision, Outcome(record, transition.copy(), state))


def _at(transition: TransitionRecord, ticks: int, decisions: Decisions) -> Passing:
    """Now, at ``ticks`` of the host's stream clock."""
    position = {"pts": ticks, "timeBase": TIME_BASE}
    return Passing(decisions.now_text, position, _lateness_ms(transition.due_time, decisions))


def _lateness_ms(due_text: str | None, decisions: Decisions) -> float:
    if due_text is None or due_text == decisions.now_text:
        return 0.0
    return max(0.0, (decisions.now - from_text(due_text)) / MS)
