"""What came of a convert job, as its history tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobengine.errors import JobEngineError, TimeLimitPassed, WorkerError, error_class
from jobengine.history.whole_jobs import WholeJob
from jobengine.model.lifecycle import JobState, TransitionStatus

Json = Any


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished conversion. ``file`` holds the body; None: the service itself is to answer."""

    is_declined: bool
    file: Path | None
    media_type: str
    status: int
    headers: Mapping[str, str]


def outcome_of(whole: WholeJob) -> Outcome | JobEngineError | None:
    """How a job ended, or what is to be told instead; None while it has not."""
    state = whole.job.current_state
    if not state.is_final:
        return None
    passed = [t for t in whole.transitions if t.status is TransitionStatus.PASSED]
    info = (passed[-1].info if passed else None) or {}
    if state is JobState.FINISHED:
        return _finished(info.get("result") or {})
    if state is JobState.CANCELLED:
        return TimeLimitPassed("the job was cancelled while it was waited for", jobId=whole.job.job_id)
    cause = info.get("cause") or info.get("reason") or whole.job.status_message or f"the job is {state}"
    code = info.get("code")
    error = error_class(code) if isinstance(code, str) else WorkerError
    return error(str(cause), jobId=whole.job.job_id)


def _finished(told: Mapping[str, Json]) -> Outcome:
    path = told.get("path")
    return Outcome(
        is_declined=bool(told.get("declined")),
        file=Path(path) if path else None,
        media_type=str(told.get("mediaType", "application/octet-stream")),
        status=int(told.get("status", 200)),
        headers=told.get("headers") or {},
    )
