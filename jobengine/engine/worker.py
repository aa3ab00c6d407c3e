"""What the engine knows of one job's worker."""

from __future__ import annotations

from dataclasses import dataclass

from jobengine.messaging.worker_messages import Progress, Resume


@dataclass(slots=True)
class Worker:
    """A worker from the moment it is asked for until its job is over.

    ``process_id`` is 0 until it has been forked; jobs of one ``group`` may share a process. ``is_assigned``:
    it was given the job. ``is_gone``: it ended while there was no service, which is yet to be dealt with.
    ``acknowledged`` is the sequence number of the last report taken, ``armed_revision`` the revision of the
    job when its plan was last sent, at ``armed_ns``. Moments ending in ``_ns`` are of the monotonic clock;
    0 is never. ``prepare_id`` names the transition for which it was launched. A successor goes on at
    ``resume``, returns to the state ``return_to`` and is number ``restarts`` in a row.
    """

    job_id: str
    process_id: int = 0
    is_assigned: bool = False
    is_gone: bool = False
    acknowledged: int = 0
    armed_revision: int = 0
    armed_ns: int = 0
    last_heard_ns: int = 0
    progress: Progress | None = None
    prepare_id: str | None = None
    resume: Resume | None = None
    return_to: str = ""
    restarts: int = 0
    group: str = ""
    needs_sync: bool = False

    @property
    def is_taken_over(self) -> bool:
        """Whether a former service gave it its job, and this one has not heard of it yet."""
        return self.is_assigned and self.armed_ns == 0 and self.progress is None

    @property
    def identity(self) -> str:
        """The name under which it speaks and is spoken to."""
        return f"{self.job_id}:{self.process_id}"
