"""Workers that have not been heard of for a while: said in the job's status, so that people look.

A silent worker may be stuck in a media library or starved of the processor. It is not killed: whether it is
dead the kernel tells at once, and what it does is still recorded.
"""

from __future__ import annotations

from jobengine.engine.worker import Worker
from jobengine.engine.workers import Workers

STOOD_STILL_NS = 3_000_000_000
"""Who looks every second for who says nothing, and finds that the last look was longer ago, stood still."""
_SILENT = "the worker has not been heard of for more than {:g} s; it may be stuck"


class SilenceWatch:
    """Finds workers whose silence began or ended since last asked."""

    def __init__(self, workers: Workers, timeout_s: float) -> None:
        self._workers = workers
        self._timeout_ns = int(timeout_s * 1e9)
        self._message = _SILENT.format(timeout_s)
        self._silent: set[str] = set()

    def changes(self, now_ns: int) -> dict[str, str]:
        """New status messages by job; empty text for a worker that speaks again."""
        silent = {w.job_id for w in self._workers.all() if self._is_silent(w, now_ns)}
        spoken = {job_id for job_id in self._silent - silent if self._workers.of(job_id) is not None}
        changes = dict.fromkeys(spoken, "") | dict.fromkeys(silent - self._silent, self._message)
        self._silent = silent
        return changes

    def _is_silent(self, worker: Worker, now_ns: int) -> bool:
        is_expected = worker.progress is not None or worker.is_taken_over
        return is_expected and now_ns - worker.last_heard_ns > self._timeout_ns
