"""Workers that are gone before their job was done: end the job, or put another worker in their place."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from jobengine.clock import from_text, later, to_text
from jobengine.engine.decisions import Decisions, Passing
from jobengine.engine.live_job import LiveJob
from jobengine.engine.resuming import resume_at
from jobengine.engine.worker import Worker
from jobengine.engine.workers import Workers
from jobengine.messaging.worker_messages import Resume
from jobengine.model.lifecycle import EngineRequest, JobState, decide

Measure = Callable[[Path], int | None]
"""How many samples a file on disk holds, its header mended; None if that can't be told."""
EndStreams = Callable[[str, Sequence[str]], None]
"""Takes a job and the URLs of the streams of contents that nobody records any more; returns at once."""


class Losses:
    """What becomes of a job whose worker was lost; ``restart_limit`` bounds the replacements in a row.

    ``end_streams`` is told once the job is over, none if there are no contents.
    """

    def __init__(
        self,
        workers: Workers,
        restart_limit: int,
        measure: Measure,
        end_streams: EndStreams | None = None,
    ) -> None:
        self._workers = workers
        self._restart_limit = restart_limit
        self._measure = measure
        self._end_streams = end_streams

    def lost(self, job: LiveJob, worker: Worker, cause: str, decisions: Decisions) -> None:
        """Note the loss in the history; the job fails, or goes on with another worker.

        With one that was not given the job yet nothing is lost: another is asked for, whatever the policy.
        """
        record = job.record
        record.worker_process_id = 0
        job.has_worker = False
        if not worker.is_assigned and worker.restarts < self._restart_limit:
            self._succeed(job, _successor(worker, worker.return_to, worker.resume), decisions)
            return
        position = last_position(job, worker)
        info = {"cause": cause, "lastConfirmedPosition": position, "stage": str(record.current_state)}
        self._close_outputs(job, decisions)
        at = Passing(decisions.now_text, position, info=info)
        if record.restart_policy == "resume" and worker.restarts < self._restart_limit:
            self._replace(job, worker, at, decisions)
            return
        record.status_message = record.friendly_status_message = cause
        decisions.implicit(job, EngineRequest.FAIL, decide(record.current_state, EngineRequest.FAIL), at)
        decisions.after_commit(record.job_id, lambda: self._leave(job, worker))

    def terminate(self, job: LiveJob, worker: Worker, reason: str, decisions: Decisions) -> None:
        """The worker had to be killed: what is known of it is all there will be."""
        record = job.record
        position = last_position(job, worker)
        info = {"reason": reason, "lastConfirmedPosition": position}
        record.worker_process_id = 0
        job.has_worker = False
        record.status_message = record.friendly_status_message = reason
        self._close_outputs(job, decisions)
        state = decide(record.current_state, EngineRequest.TERMINATE)
        decisions.implicit(
            job, EngineRequest.TERMINATE, state, Passing(decisions.now_text, position, info=info)
        )
        decisions.after_commit(record.job_id, lambda: self._leave(job, worker))

    def _leave(self, job: LiveJob, worker: Worker) -> None:
        self._workers.forget(worker)
        urls = [output.url for output in job.outputs.values() if output.kind == "content" and output.url]
        if urls and self._end_streams is not None:
            self._end_streams(job.record.job_id, urls)

    def _replace(self, job: LiveJob, worker: Worker, at: Passing, decisions: Decisions) -> None:
        record = job.record
        reached = _reached(job, worker, at)
        former = worker.return_to or str(record.current_state)
        if record.current_state is JobState.PENDING:
            self._keep_awake(job, decisions)
        else:
            state = decide(record.current_state, EngineRequest.UPDATE)
            at = at._replace(info={**at.info, "returnTo": former})
            decisions.implicit(job, EngineRequest.UPDATE, state, at)
        resume = resume_at(job, int(at.position.get("pts", 0)), reached)
        self._succeed(job, _successor(worker, former, resume), decisions)

    def _succeed(self, job: LiveJob, successor: Worker, decisions: Decisions) -> None:
        job.forget_plan()
        decisions.launching.add(job.record.job_id)
        decisions.after_commit(job.record.job_id, lambda: self._workers.start(successor))

    def _keep_awake(self, job: LiveJob, decisions: Decisions) -> None:
        """Nothing in the state says that one is missing: should this service end, the next one is woken."""
        for transition in job.pending.values():
            if transition.due_time is not None:
                transition.wake_time = decisions.now_text
                decisions.change_transition(job, transition)
        decisions.touch(job)

    def _close_outputs(self, job: LiveJob, decisions: Decisions) -> None:
        """Nobody writes these any more: of files, what is on disk is what there is."""
        for output in job.outputs.values():
            if not output.closed:
                if output.path is not None:
                    output.samples = self._measure(Path(output.path))
                output.closed = True
                decisions.output(output, "output.closed")


def _successor(worker: Worker, return_to: str, resume: Resume | None) -> Worker:
    """The next in a row."""
    return Worker(
        worker.job_id,
        prepare_id=worker.prepare_id,
        resume=resume,
        return_to=return_to,
        restarts=worker.restarts + 1,
        group=worker.group,
    )


def _reached(job: LiveJob, worker: Worker, at: Passing) -> str:
    """When the stream was at the last known position: long before ``at`` if nobody watched meanwhile.

    A running stream goes with the host's clock from the last transition on; one that is quicker, as it is
    not paced, was there at the latest when the loss was noticed.
    """
    if job.state is JobState.UPDATING and worker.resume is not None:
        return worker.resume.time
    last = job.last
    if job.state is not JobState.RUNNING or last is None or not last.stream_position or not last.time_stamp:
        return at.time_stamp
    ticks = at.position.get("pts", 0) - last.stream_position["pts"]
    moved_us = int(ticks * Fraction(last.stream_position["timeBase"]) * 1_000_000)
    moment = later(from_text(last.time_stamp), moved_us)
    return at.time_stamp if moment is None else min(to_text(moment), at.time_stamp)


def describe_end(status: int | None) -> str:
    """How a worker ended, in words."""
    if status is None:
        return "the worker process is gone"
    if status < 0:
        named = {member.value: member.name for member in signal.Signals}
        return f"the worker was killed by signal {-status} ({named.get(-status, 'a real-time signal')})"
    return f"the worker ended by itself with exit code {status}"


def last_position(job: LiveJob, worker: Worker) -> dict[str, Any]:
    """The furthest point known: of the last heartbeat or the last transition."""
    last = (job.last.stream_position if job.last else None) or {"pts": 0, "timeBase": "1/1"}
    beat = worker.progress.position.document() if worker.progress else None
    return beat if beat and beat["pts"] >= last.get("pts", 0) else last
