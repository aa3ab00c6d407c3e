"""A job as the engine holds it in memory while it decides about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any, NamedTuple, Protocol

from jobengine.clock import Clock, from_text
from jobengine.engine.outcome import Outcome
from jobengine.model.condition import StreamReading
from jobengine.model.kind import MERGE_KEYS
from jobengine.model.lifecycle import JobState, RequestedState, TriggerType
from jobengine.model.merge import merge
from jobengine.model.plan import Plan, Planned
from jobengine.model.record import JobRecord, OutputRecord, TransitionRecord

HOST_RATE = Fraction(1_000_000)
"""The stream clock of a job without work ticks in microseconds of running."""
ON_STREAM_CLOCK = frozenset({TriggerType.DURATION, TriggerType.STREAM})
"""Triggers whose point is told on the stream clock, however late they pass."""
PREPARING = frozenset({RequestedState.WAIT, RequestedState.PAUSE, RequestedState.START})
"""Requests that need a worker, if the job has work."""


class Loaded(Protocol):
    """A job with what is needed to go on with it, as the store loads it."""

    @property
    def job(self) -> JobRecord: ...
    @property
    def pending(self) -> list[TransitionRecord]: ...
    @property
    def passed(self) -> list[TransitionRecord]: ...


class Appointment(NamedTuple):
    """What a job that waits for nothing but the clock passes next, as long as it is at ``revision``."""

    due: datetime
    revision: int
    outcome: Outcome


class LiveJob:
    """One job in memory.

    ``plan`` is there while no worker has the job: then the engine itself passes what needs no worker.
    ``committed`` is what the database is known to hold: (revision, epoch).
    """

    def __init__(self, record: JobRecord, clock: Clock) -> None:
        self.record = record
        self.committed = (record.revision, record.epoch)
        self.pending: dict[str, TransitionRecord] = {}
        self.settled: dict[int, int] = {}
        self.outputs: dict[int, OutputRecord] = {}
        self.effective: dict[str, Any] = {}
        self.last: TransitionRecord | None = None
        self.first_running: str | None = None
        self.has_worker = record.worker_process_id != 0
        self.appointment: Appointment | None = None
        self._clock = clock
        self._base = 0
        self._anchor_ns = clock.monotonic_ns()
        self._plan: Plan | None = None
        self._floor = 0

    @classmethod
    def load(cls, loaded: Loaded, clock: Clock) -> LiveJob:
        """Rebuild from the store."""
        job = cls(loaded.job, clock)
        for transition in loaded.passed:
            job.note_settled(transition)
        for transition in loaded.pending:
            job.pending[transition.transition_id] = transition
        job._resume_clock()
        return job

    @property
    def state(self) -> JobState:
        return self.record.current_state

    @property
    def is_idle(self) -> bool:
        """Whether nothing but the database needs to remember this job."""
        return not self.has_worker

    @property
    def position(self) -> int:
        """The host stream clock of a job without work, in microseconds of running."""
        if self.state is not JobState.RUNNING:
            return self._base
        return self._base + (self._clock.monotonic_ns() - self._anchor_ns) // 1000

    def reading(self) -> StreamReading:
        position = self.position
        return StreamReading(position, HOST_RATE, position, position, position / 1000)

    @property
    def has_plan(self) -> bool:
        return self._plan is not None

    def plan(self, now: datetime) -> Plan:
        """The plan as the engine runs it while no worker does; what is new in it is armed at ``now``."""
        if self._plan is None:
            self._plan = Plan(HOST_RATE, {place: Fraction(at) for place, at in self.settled.items()})
            self._plan.arm((planned(t) for t in self.pending.values()), now, self._floor)
        return self._plan

    def next_by_clock(self) -> TransitionRecord | None:
        """What passes next if all that is pending are Time triggers that pass however late they are.

        Then it needs no plan: the earlier goes first, at the same time list order decides. None: it does.
        """
        if not self.pending or self._plan is not None or self.record.kind is not None or self.state.is_final:
            return None
        if not all(_goes_by_clock(t) for t in self.pending.values()):
            return None
        return min(self.pending.values(), key=_by_due_time)

    def next_to_prepare(self) -> TransitionRecord | None:
        """For what a job that has not begun has its worker; None if it has begun, or no moment is known."""
        if self.state is not JobState.PENDING:
            return None
        due = [t for t in self.pending.values() if t.due_time and t.requested_proc_state in PREPARING]
        return min(due, key=_by_due_time, default=None)

    def append(self, transition: TransitionRecord, now: datetime) -> None:
        """A new pending transition."""
        if not self.pending:
            self._floor = self.position
        self.pending[transition.transition_id] = transition
        if self._plan is not None:
            self._plan.arm([planned(transition)], now, self.position)

    def forget_plan(self) -> None:
        """The plan must be made anew: a transition was changed, or a worker has it now."""
        self._plan, self._floor = None, self.position

    def note_settled(self, transition: TransitionRecord) -> None:
        """Fold a settled transition into what the job is now."""
        self.pending.pop(transition.transition_id, None)
        self.last = transition
        position = (transition.stream_position or {}).get("pts", 0)
        if transition.position is not None:
            self.settled[transition.position] = position
        if transition.status == "Passed" and transition.description:
            self.effective = merge(self.effective, transition.description, MERGE_KEYS)
        if self.first_running is None and transition.current_proc_state == JobState.RUNNING:
            self.first_running = transition.time_stamp

    def anchor(self, position: int) -> None:
        """The host stream clock shows ``position`` now and goes on from there if the job runs."""
        self._base, self._anchor_ns = position, self._clock.monotonic_ns()

    def _resume_clock(self) -> None:
        if self.last is None:
            return
        base = (self.last.stream_position or {}).get("pts", 0)
        if self.state is JobState.RUNNING and self.record.kind is None and self.last.time_stamp:
            late_us = (
                round((self.last.lateness_ms or 0.0) * 1000)
                if self.last.trigger_type in ON_STREAM_CLOCK
                else 0
            )
            since = self._clock.now() - from_text(self.last.time_stamp)
            base += late_us + max(0, since // timedelta(microseconds=1))
        self.anchor(base)


def _goes_by_clock(transition: TransitionRecord) -> bool:
    trigger = transition.trigger
    passes_late = trigger.get("misfire") != "skip" and not trigger.get("coalesce")
    return transition.trigger_type is TriggerType.TIME and passes_late


def _by_due_time(transition: TransitionRecord) -> tuple[str, int]:
    return transition.due_time or "", transition.position or 0


def planned(transition: TransitionRecord) -> Planned:
    """A pending transition as whoever runs the job wants it."""
    return Planned(
        transition_id=transition.transition_id,
        position=transition.position or 0,
        trigger=transition.trigger,
        description=transition.description,
        fired=transition.due_time if transition.event_name is not None else None,
    )


def in_list_order(pending: Iterable[TransitionRecord]) -> Sequence[TransitionRecord]:
    """Pending transitions by their place in the list."""
    return sorted(pending, key=lambda t: (t.position is None, t.position))
