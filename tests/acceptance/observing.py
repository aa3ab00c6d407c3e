"""What the stories look at: how far a recording is, what the history says."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil

from jobengine.client import Job
from jobengine.clock import SystemClock, from_text, to_text
from tests.acceptance.documents import FRAME_BYTES, RATE_HZ
from tests.services import Service
from tests.waiting import PATIENCE_S, wait_until

HISTORY = """
SELECT sequence, trigger_type, requested_proc_state, current_proc_state, samples, transition_id, time_stamp,
       due_time, lateness_ms, info
  FROM job_history WHERE job_id = ? ORDER BY sequence"""
COLUMNS = ("sequence", "trigger", "requested", "state", "samples", "id", "time", "due", "late_ms", "info")

Row = dict[str, Any]


def reach(job: Job, state: str) -> Job:
    """Wait until the job is in ``state``; fails if it ends in another."""
    assert job.wait(state, timeout_s=PATIENCE_S) == state, job.message
    return job


def recorded(path: str | Path) -> int:
    """Samples on disk, roughly: the header counts as a few hundred."""
    return Path(path).stat().st_size // FRAME_BYTES


def record_on(path: str | Path, seconds: float) -> int:
    """Wait until a file has grown by so many seconds of sound; the samples on disk then."""
    wanted = recorded(path) + int(seconds * RATE_HZ)
    wait_until(lambda: recorded(path) >= wanted, f"{path} holds {wanted} samples")
    return recorded(path)


def output_of(job: Job, index: int = -1) -> str:
    """The path of an output, when there is one."""
    outputs = wait_until(job.outputs, "the job has an output")
    return str(outputs[index]["path"])


def worker_of(job: Job) -> psutil.Process:
    """The job's worker, when there is one."""
    pid = wait_until(lambda: job.refresh().document["workerProcessId"], "the job has a worker")
    return psutil.Process(pid)


def history_of(service: Service, job: Job) -> list[Row]:
    """The history by plain SQL; numbered without a gap, or the test fails."""
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in service.sql(HISTORY, job.id)]
    assert [row["sequence"] for row in rows] == list(range(1, len(rows) + 1))
    ids = [row["id"] for row in rows]
    assert len(set(ids)) == len(ids), "a transition is in the history twice"
    return rows


def info_of(row: Row) -> dict[str, object]:
    """What a transition's ``info`` says."""
    info: dict[str, object] = json.loads(row["info"])
    return info


def assert_intact(service: Service, jobs: int) -> None:
    """``jobengine audit verify`` finds nothing."""
    done = service.cli("audit", "verify")
    assert done.returncode == 0, done.stderr
    assert f"rows of {jobs} jobs" in done.stdout


def in_seconds(seconds: float) -> str:
    """A time from now, as documents have it."""
    return to_text(SystemClock().now() + timedelta(seconds=seconds))


def is_over(moment: str) -> bool:
    """Whether a time has passed."""
    return SystemClock().now() > from_text(moment)
