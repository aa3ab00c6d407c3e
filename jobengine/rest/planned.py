"""What is planned, rehearsed in virtual time: for a document that is only checked, and for a job's future."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from jobengine.clock import from_text
from jobengine.messaging.engine_messages import Draft
from jobengine.model.kind import MERGE_KEYS
from jobengine.model.lifecycle import JobState, TransitionStatus, TriggerType
from jobengine.model.merge import fold
from jobengine.model.plan import Planned
from jobengine.model.record import JobRecord, TransitionRecord
from jobengine.model.timeline import rehearse

Json = Any
DEFAULT_RATE = Fraction(48_000)
_REHEARSAL = threading.Lock()
"""The lifecycle's machine serves one thread at a time, and http processes have many."""


def planned_timeline(drafts: Sequence[Draft], now: datetime) -> list[dict[str, Json]]:
    """When each draft would pass, were they posted as a job at ``now``."""
    planned = [Planned(str(index), index, d.trigger, d.description) for index, d in enumerate(drafts)]
    with _REHEARSAL:
        return rehearse(planned, now, _rate(d.description for d in drafts))


def planned_future(
    job: JobRecord, transitions: Sequence[TransitionRecord], now: datetime
) -> list[dict[str, Json]]:
    """When each pending transition of ``job`` would pass from ``now`` on, with its ``transitionId``.

    An estimate: the stream clock is taken to have run in step with the host's since the last transition.
    """
    passed = [t for t in transitions if t.status is TransitionStatus.PASSED]
    pending = [t for t in transitions if t.status is TransitionStatus.PENDING]
    if not job.is_active:
        return []
    planned = [
        Planned(t.transition_id, index, _remaining(t, index, passed, job, now), t.description)
        for index, t in enumerate(pending)
    ]
    effective = fold((t.description for t in passed), MERGE_KEYS)
    with _REHEARSAL:
        entries = rehearse(planned, now, _rate([effective]), job.current_state, effective, _started(passed))
    shown = [(pending[entry["index"]], entry) for entry in entries]
    return [{**entry, "transitionId": t.transition_id, "trigger": t.trigger} for t, entry in shown]


def _started(passed: Sequence[TransitionRecord]) -> datetime | None:
    """When the job first ran."""
    running = (t.time_stamp for t in passed if t.current_proc_state == JobState.RUNNING and t.time_stamp)
    first = next(running, None)
    return from_text(first) if first else None


def _remaining(
    transition: TransitionRecord,
    index: int,
    passed: Sequence[TransitionRecord],
    job: JobRecord,
    now: datetime,
) -> dict[str, Json]:
    """The trigger, a Duration after a passed transition shortened by what has gone by already."""
    is_counting = index == 0 and passed and job.current_state is JobState.RUNNING
    if transition.trigger_type is not TriggerType.DURATION or not is_counting:
        return transition.trigger
    since = passed[-1].time_stamp
    gone_ms = (now - from_text(since)) // timedelta(milliseconds=1) if since else 0
    return {**transition.trigger, "duration": max(0, transition.trigger["duration"] - gone_ms)}


def _rate(descriptions: Iterable[Mapping[str, Json] | None]) -> Fraction:
    """Ticks per second of the job's stream clock, as far as the descriptions tell."""
    for description in descriptions:
        graphs = ((description or {}).get("pipeSpec") or {}).get("outputGraph") or []
        for graph in graphs:
            rate = (graph.get("format") or {}).get("sampleRate")
            if isinstance(rate, int) and rate > 0:
                return Fraction(rate)
    return DEFAULT_RATE
