"""Where a worker has to take a job up, told by what is known of the job itself.

What a former worker itself said last is the business of `jobengine.engine.losses`.
"""

from __future__ import annotations

from jobengine.engine.live_job import LiveJob
from jobengine.messaging.worker_messages import PreviousOutput, Resume
from jobengine.model.lifecycle import JobState


def resume_at(job: LiveJob, position: int, time: str) -> Resume | None:
    """Go on at ``position``, where the stream was at ``time``; None if the job never ran."""
    if job.first_running is None:
        return None
    outputs = tuple(
        PreviousOutput(o.number, o.graph, o.path, o.start_position)
        for o in job.outputs.values()
        if o.path is not None
    )
    return Resume(position, time, outputs)


def interruption(job: LiveJob) -> tuple[str, Resume | None]:
    """The state to which a job returns that waits for a successor, and where it goes on; ("", None) if it
    does not. The stream was there at the latest when the loss was noted."""
    last = job.last
    if job.state is not JobState.UPDATING or last is None or last.time_stamp is None:
        return "", None
    position = (last.stream_position or {}).get("pts", 0)
    return (last.info or {}).get("returnTo", ""), resume_at(job, int(position), last.time_stamp)
