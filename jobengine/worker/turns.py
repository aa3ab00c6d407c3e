"""Whose turn it is among the jobs that share a process.

Elements that are due at a moment come first, in the order of their moments. Whatever else a job does - begin,
end, search, send as fast as it can - gets the time that they leave, or a bounded share if they leave none.
"""

from __future__ import annotations

from heapq import heappop, heappush, heapreplace
from typing import Final, Generic, Protocol, TypeVar

PATIENCE: Final = 4
"""How many times the time that a job without a moment to meet has just taken belongs to those that have one,
if they need it: a start takes about a millisecond, and hundreds at once may take a fifth of the loop."""
COURTESY_NS: Final = 1_000_000
"""How long one without a moment waits for those that are due within as long: its own turn may take that."""


class Waiter(Protocol):
    """A job. ``wake_ns``: when its turn is; ``is_timely``: whether it has a moment to meet."""

    wake_ns: int
    is_timely: bool


Job = TypeVar("Job", bound=Waiter)


class Turns(Generic[Job]):
    """The moments of all jobs. A job that is put in again has only its new moment. Used by one thread."""

    def __init__(self) -> None:
        self._timely: list[tuple[int, int, Job]] = []
        self._patient: list[tuple[int, int, Job]] = []
        self._number = 0
        self._began_ns = self._patient_ns = 0

    def put(self, job: Job, wake_ns: int) -> None:
        """Its next turn is at ``wake_ns``; by its ``is_timely`` as it is now."""
        self._number += 1
        job.wake_ns = wake_ns
        heap, entry = self._timely if job.is_timely else self._patient, (wake_ns, self._number, job)
        if heap and heap[0][2] is job:
            heapreplace(heap, entry)
        else:
            heappush(heap, entry)

    def next_ns(self, now_ns: int) -> int | None:
        """The earliest moment of all, as it is now; None where there is no job."""
        timely, patient = _first_ns(self._timely), self._first_patient_ns(now_ns)
        if timely is None or patient is None:
            return patient if timely is None else timely
        return min(timely, patient)

    def take(self, now_ns: int) -> Job | None:
        """The job whose turn is now; it has none any more until it is put in again. None: nobody's.

        Called anew when that turn is over. What it was in with stays in its place until then, as most are put
        in again at once.
        """
        if self._began_ns:
            self._patient_ns = now_ns + PATIENCE * (now_ns - self._began_ns)
            self._began_ns = 0
        timely = self._timely
        while timely:
            wake_ns, _, job = timely[0]
            if wake_ns == job.wake_ns:
                if wake_ns > now_ns:
                    break
                if self._patient and now_ns >= self._patient_ns and self._is_patient_due(now_ns):
                    break
                job.wake_ns = -1
                return job
            heappop(timely)
        if not self._is_patient_due(now_ns):
            return None
        self._began_ns = now_ns
        job = self._patient[0][2]
        job.wake_ns = -1
        return job

    def _is_patient_due(self, now_ns: int) -> bool:
        patient = self._first_patient_ns(now_ns)
        return patient is not None and patient <= now_ns

    def _first_patient_ns(self, now_ns: int) -> int | None:
        """When the first of those without a moment has its turn, if nobody comes in between."""
        patient, timely = _first_ns(self._patient), _first_ns(self._timely)
        if patient is None or timely is None or max(patient, now_ns) + COURTESY_NS < timely:
            return patient
        return patient + COURTESY_NS


def _first_ns(heap: list[tuple[int, int, Job]]) -> int | None:
    """The earliest moment; entries of jobs that were put in again since are dropped."""
    while heap:
        wake_ns, _, job = heap[0]
        if wake_ns == job.wake_ns:
            return wake_ns
        heappop(heap)
    return None
