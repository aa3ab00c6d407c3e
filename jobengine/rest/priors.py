"""What a job has before transitions are appended to it, read without reading all of its history each time.

What has passed never changes, so the description it folds to is kept with the place up to which it is folded;
only rows behind that place are read. Checking what is appended is done by `jobengine.model.check`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from threading import Lock
from typing import Any, NamedTuple

from jobengine.history.whole_jobs import WholeJobs
from jobengine.model.check import Prior, kind_of
from jobengine.model.kind import MERGE_KEYS
from jobengine.model.lifecycle import JobState, RequestedState, TransitionStatus
from jobengine.model.merge import fold
from jobengine.model.record import JobRecord, TransitionRecord

Json = Any
CAPACITY = 500
"""Jobs of which a process keeps what has passed; the least used leave."""

_PREPARING = frozenset({RequestedState.WAIT, RequestedState.PAUSE, RequestedState.START})
_IN_FORCE = frozenset({TransitionStatus.PASSED, TransitionStatus.PENDING})


class _Folded(NamedTuple):
    """What the history of a job up to and with the row ``sequence`` folds to."""

    sequence: int
    effective: Mapping[str, Json]


class Priors:
    """Thread-safe. One for each http process."""

    def __init__(self, whole_jobs: WholeJobs, capacity: int = CAPACITY) -> None:
        self._whole_jobs = whole_jobs
        self._capacity = capacity
        self._kept: OrderedDict[str, _Folded] = OrderedDict()
        self._lock = Lock()

    def read(self, job_id: str) -> tuple[JobRecord, Prior]:
        """A job and what it has by now, as one consistent view. May block; raises NotFoundError."""
        with self._lock:
            known = self._kept.get(job_id, _Folded(0, {}))
        job, rows = self._whole_jobs.since(job_id, known.sequence)
        passed = [t.description for t in rows if t.status is TransitionStatus.PASSED]
        folded = _Folded(job.history_length, fold(passed, MERGE_KEYS, known.effective))
        self._keep(job_id, folded)
        pending = [t for t in rows if t.status is TransitionStatus.PENDING]
        return job, prior_of(job, pending, folded.effective)

    def _keep(self, job_id: str, folded: _Folded) -> None:
        with self._lock:
            self._kept[job_id] = folded
            self._kept.move_to_end(job_id)
            if len(self._kept) > self._capacity:
                self._kept.popitem(last=False)


def prior_of(
    job: JobRecord, listed: Sequence[TransitionRecord], effective: Mapping[str, Json] | None = None
) -> Prior:
    """What ``job`` has after the rows ``listed``; ``effective`` is what those before them fold to."""
    folded = fold((t.description for t in listed), MERGE_KEYS, effective)
    is_prepared = job.current_state is not JobState.PENDING or any(
        t.status is TransitionStatus.PENDING and t.requested_proc_state in _PREPARING for t in listed
    )
    return Prior(folded, job.kind or kind_of(folded), is_prepared)


def in_force(transitions: Iterable[TransitionRecord]) -> list[TransitionRecord]:
    """Those whose descriptions count: passed in order, then pending ones as listed."""
    return [t for t in transitions if t.status in _IN_FORCE]
