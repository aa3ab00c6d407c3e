"""The planned timeline of a list of transitions: what would pass when, were it posted now.

A rehearsal of the real plan in virtual time. The stream clock is taken to run in step with the host's
while the job is Running; transitions that wait for what can't be foreseen (events, a clock that stands
still) come last, with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from jobengine.clock import later, to_text
from jobengine.model.condition import StreamReading
from jobengine.model.kind import MERGE_KEYS
from jobengine.model.lifecycle import JobState, decide
from jobengine.model.merge import merge
from jobengine.model.plan import Due, Plan, Planned

Json = Any
_FAR_FUTURE = timedelta(days=366 * 10)


@dataclass(slots=True)
class _Rehearsal:
    """Virtual clocks of a job that is in ``state`` at ``now``, and first ran when it ``started``."""

    now: datetime
    state: JobState
    rate: Fraction
    effective: dict[str, Json]
    started: datetime | None
    position: Fraction = Fraction(0)

    @property
    def reading(self) -> StreamReading:
        elapsed_ms = (self.now - self.started) / timedelta(milliseconds=1) if self.started else 0.0
        ticks = int(self.position)
        return StreamReading(ticks, self.rate, ticks, ticks, elapsed_ms, has_run=self.started is not None)

    def move_to(self, moment: datetime) -> None:
        if self.state is JobState.RUNNING:
            self.position += Fraction((moment - self.now) // timedelta(microseconds=1), 1_000_000) * self.rate
        self.now = moment

    def pass_due(self, due: Due) -> None:
        if not due.skip:
            self.state = decide(self.state, str(due.trigger.requested_proc_state))
            self.effective = merge(self.effective, due.planned.description or {}, MERGE_KEYS)
        if self.state is JobState.RUNNING and self.started is None:
            self.started = self.now


def rehearse(
    transitions: Sequence[Planned],
    now: datetime,
    rate: Fraction,
    state: JobState = JobState.PENDING,
    effective: dict[str, Json] | None = None,
    started: datetime | None = None,
) -> list[dict[str, Json]]:
    """One entry per transition in the order of passing: when, resulting state, effective description.

    ``started`` is when the job first ran, if it has.
    """
    run = _Rehearsal(now, state, rate, effective or {}, started)
    plan = Plan(rate)
    plan.arm(transitions, now)
    entries: list[dict[str, Json]] = []
    while not run.state.is_final and run.now - now < _FAR_FUTURE:
        due = plan.take(run.now, run.reading)
        if due is not None:
            run.pass_due(due)
            entries.append(_entry(due.planned, run, due.skip))
            continue
        moment = _next_moment(plan, run)
        if moment is None:
            break
        run.move_to(moment)
    passed = {entry["index"] for entry in entries}
    return entries + [_waiting(p, run) for p in transitions if p.position not in passed]


def _next_moment(plan: Plan, run: _Rehearsal) -> datetime | None:
    moments = [plan.next_moment(run.now, run.reading)]
    position = plan.next_position(run.reading)
    if position is not None and run.state is JobState.RUNNING:
        wait_us = (Fraction(position) - run.position) / run.rate * 1_000_000
        moments.append(later(run.now, -(-wait_us.numerator // wait_us.denominator)))
    return min((m for m in moments if m is not None), default=None)


def _entry(planned: Planned, run: _Rehearsal, skip: str) -> dict[str, Json]:
    return {
        "index": planned.position,
        "trigger": planned.trigger,
        "when": to_text(run.now),
        "streamTimeMs": round(float(run.position / run.rate * 1000), 3),
        "currentProcState": str(run.state),
        "effectiveDescription": run.effective,
        **({"reason": skip} if skip else {}),
    }


def _waiting(planned: Planned, run: _Rehearsal) -> dict[str, Json]:
    return {
        "index": planned.position,
        "trigger": planned.trigger,
        "when": None,
        "currentProcState": None,
        "effectiveDescription": None,
        "reason": _reason(planned, run),
    }


def _reason(planned: Planned, run: _Rehearsal) -> str:
    if run.state.is_final:
        return f"the job is {run.state} before this transition falls due"
    match planned.trigger["type"]:
        case "Event":
            return f"waits for the event {planned.trigger['name']}"
        case "Duration" | "Stream":
            return f"waits for the stream clock, which does not get there while the job is {run.state}"
        case _:
            return "is not due within ten years"
