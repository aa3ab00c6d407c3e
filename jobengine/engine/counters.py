"""Live counters of jobs, as their workers last told them, and of what makes workers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobengine.clock import Clock
from jobengine.engine.worker import Worker
from jobengine.engine.workers import Workers
from jobengine.messaging.engine_messages import Accepted, ReadProgress, ReadService


class Counters:
    """Answers what is known in memory of running jobs, and of those that wait to be admitted."""

    def __init__(self, workers: Workers, faults: Mapping[str, int], clock: Clock) -> None:
        """``faults``: how often somebody was to blame for an error that nobody expected, by who it was."""
        self._workers = workers
        self._faults = faults
        self._clock = clock

    def read(self, request: ReadProgress) -> Accepted:
        """Counters by job, of all workers if no job is named; jobs of which nothing is known are left out."""
        ids = request.job_ids or tuple(worker.job_id for worker in self._workers.all())
        now_ns = self._clock.monotonic_ns()
        data = {job_id: self._of(job_id, now_ns) for job_id in ids}
        return Accepted(request.request_id, data={job_id: found for job_id, found in data.items() if found})

    def read_service(self, request: ReadService) -> Accepted:
        """What is counted of the service itself."""
        data = {"failures": dict(self._workers.failures), "faults": dict(self._faults)}
        return Accepted(request.request_id, data=data)

    def _of(self, job_id: str, now_ns: int) -> dict[str, Any] | None:
        worker = self._workers.of(job_id)
        return (worker and _counted(worker, now_ns)) or self._queue(job_id)

    def _queue(self, job_id: str) -> dict[str, Any] | None:
        queued = self._workers.admission.queued(job_id)
        if queued is None:
            return None
        return {"queue": {"waitsFor": queued.waits_for, "place": queued.place, "waiting": queued.waiting}}


def _counted(worker: Worker, now_ns: int) -> dict[str, Any] | None:
    """What the last heartbeat said, and how old it is; None before the first."""
    beat = worker.progress
    if beat is None:
        return None
    return {
        "state": beat.state,
        "position": beat.position.document(),
        "elapsedSeconds": beat.elapsed_s,
        "speed": beat.speed,
        "drops": beat.drops,
        "lateMs": beat.late_ms,
        "levels": beat.levels,
        "counters": beat.counters,
        "outputs": {str(number): samples for number, samples in beat.outputs.items()},
        "workerProcessId": worker.process_id,
        "ageMs": round((now_ns - worker.last_heard_ns) / 1e6, 1),
    }
