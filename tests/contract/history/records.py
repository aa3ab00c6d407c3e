"""Records to write in tests: jobs with a history that is chained as it should be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jobengine.history.batch import Batch
from jobengine.history.store import SqlJobStore
from jobengine.ids import new_id
from jobengine.model.chain import row_hash
from jobengine.model.lifecycle import JobState, TransitionStatus, TriggerType
from jobengine.model.record import JobRecord, TransitionRecord

NOON = "2026-12-01T11:00:00.000000Z"


def moment(second: int) -> str:
    """A time that many seconds after `NOON` (0 to 3599)."""
    return f"2026-12-01T11:{second // 60 % 60:02}:{second % 60:02}.000000Z"


def a_job(**fields: Any) -> JobRecord:
    """A new job."""
    return JobRecord(**{"job_id": new_id(), "created_time": NOON, "updated_time": NOON, **fields})


def a_transition(job: JobRecord, **fields: Any) -> TransitionRecord:
    """A pending Start at noon in ``job``."""
    given: dict[str, Any] = {
        "transition_id": new_id(),
        "job_id": job.job_id,
        "position": 1,
        "trigger_type": TriggerType.TIME,
        "requested_proc_state": "Start",
        "trigger": {"type": "Time", "startTime": NOON},
        "job_description": {"pipeSpec": {"mixer": {"outputLevel": [{"graph": "Out", "level": 1.0}]}}},
        "created_time": NOON,
        "wake_time": NOON,
        "due_time": NOON,
    }
    return TransitionRecord(**{**given, **fields})


def settle(job: JobRecord, transition: TransitionRecord, state: JobState = JobState.RUNNING) -> None:
    """Let ``transition`` pass as the next row of the chain."""
    transition.status = TransitionStatus.PASSED
    transition.sequence = job.history_length + 1
    transition.time_stamp = moment(transition.sequence)
    transition.lateness_ms = 0.25
    transition.current_proc_state = str(state)
    transition.stream_position = {"pts": 48_000, "samples": 48_000, "timeBase": "1/48000"}
    transition.wake_time = None
    transition.previous_hash = job.history_hash
    transition.hash = row_hash(transition, job.history_hash)
    job.history_hash, job.history_length = transition.hash, transition.sequence
    job.current_state = state


def commit(store: SqlJobStore, *steps: Callable[[Batch], object]) -> None:
    """One batch of these steps."""
    with store.batch() as batch:
        for step in steps:
            step(batch)


def a_job_with_history(store: SqlJobStore, length: int = 5) -> tuple[JobRecord, list[TransitionRecord]]:
    """A job with ``length`` passed rows, kept."""
    job = a_job()
    rows = [a_transition(job, position=n + 1) for n in range(length)]
    for row in rows:
        settle(job, row)
    with store.batch() as batch:
        batch.insert_job(job)
        for row in rows:
            batch.insert_transition(row)
    return job, rows
