"""Passing transitions in the engine: for jobs without work, and for what needs no worker yet.

A job of some kind gets its worker when a transition that must be prepared (Wait, Pause, Start) falls due,
planned ones ``lead`` earlier; what only changes the description or ends the job passes right here.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from fractions import Fraction

from jobengine.clock import from_text, to_text
from jobengine.engine.decisions import Decisions, Passing
from jobengine.engine.live import HOST_RATE, LiveJob
from jobengine.engine.workers import Workers
from jobengine.errors import TransitionNotAllowed
from jobengine.model.lifecycle import JobState, RequestedState, TriggerType, decide
from jobengine.model.plan import Due
from jobengine.model.record import TransitionRecord

TIME_BASE = f"1/{HOST_RATE}"
_PREPARING = frozenset({RequestedState.WAIT, RequestedState.PAUSE, RequestedState.START})
_ON_STREAM_CLOCK = frozenset({TriggerType.DURATION, TriggerType.STREAM})


class HostRunner:
    """Runs the plans of jobs that have no worker. ``lead`` is how early workers are prepared."""

    def __init__(self, workers: Workers, lead: timedelta) -> None:
        self._workers = workers
        self._lead = lead

    def advance(self, job: LiveJob, decisions: Decisions, woken: Collection[str] = ()) -> None:
        """Pass everything that is due, or ask for a worker; then see to it that the engine wakes in time."""
        job_id = job.record.job_id
        if job.has_worker or job_id in decisions.launching or self._workers.of(job_id) is not None:
            return
        early = self._needs_preparing(job, woken, decisions)
        if early is not None:
            self._workers.launch(job, early, decisions)
            return
        while not job.state.is_final:
            due = job.plan.take(decisions.now, job.reading())
            if due is None:
                self._keep_awake(job, decisions)
                return
            transition = job.pending[due.planned.transition_id]
            if not due.skip and self._needs_worker(job, transition):
                self._workers.launch(job, transition, decisions)
                return
            self._pass(job, transition, due, decisions)

    def wake_time(self, job: LiveJob, transition: TransitionRecord, now_text: str) -> str | None:
        """When the engine must look at a new transition of a job without worker."""
        match transition.trigger_type:
            case TriggerType.IMMEDIATE:
                return now_text
            case TriggerType.TIME:
                start = from_text(transition.trigger["startTime"])
                return to_text(start - self._lead if self._needs_worker(job, transition) else start)
            case _:
                return None

    def _needs_worker(self, job: LiveJob, transition: TransitionRecord) -> bool:
        return job.record.kind is not None and transition.requested_proc_state in _PREPARING

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

    def _pass(self, job: LiveJob, transition: TransitionRecord, due: Due, decisions: Decisions) -> None:
        info: dict[str, str] = {}
        state = job.state
        if not due.skip:
            try:
                state = decide(job.state, transition.requested_proc_state)
            except TransitionNotAllowed as error:
                info = {"refused": error.detail}
        exact = min(due.exact, Fraction(job.position))
        ticks = int(exact) if transition.trigger_type in _ON_STREAM_CLOCK else job.position
        transition.due_time = transition.due_time or self._due_text(job, due, decisions)
        late = decisions.now - from_text(transition.due_time)
        at = Passing(
            time_stamp=decisions.now_text,
            position={"pts": ticks, "timeBase": TIME_BASE},
            lateness_ms=max(0.0, late / timedelta(milliseconds=1)),
            skip=due.skip,
            info=info,
        )
        decisions.settle(job, transition, state, at)
        job.anchor(ticks + self._ticks_since(job, ticks, state))

    def _ticks_since(self, job: LiveJob, ticks: int, state: JobState) -> int:
        """A Duration that passed late must not move the ones behind it."""
        return max(0, job.position - ticks) if state is JobState.RUNNING else 0

    def _due_text(self, job: LiveJob, due: Due, decisions: Decisions) -> str:
        late_us = max(0, job.position - int(due.exact))
        return to_text(decisions.now - timedelta(microseconds=late_us))

    def _keep_awake(self, job: LiveJob, decisions: Decisions) -> None:
        """One row that waits on the stream clock carries the time at which the engine looks again."""
        waiting = [t for t in job.pending.values() if t.trigger_type in _ON_STREAM_CLOCK]
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
        moments = [job.plan.next_moment(decisions.now, reading)]
        position = job.plan.next_position(reading)
        if position is not None:
            moments.append(decisions.now + timedelta(microseconds=position - reading.position))
        earliest = min((m for m in moments if m is not None), default=None)
        return to_text(earliest) if earliest is not None else None
