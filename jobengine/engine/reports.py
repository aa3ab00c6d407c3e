"""Taking workers' reports: each once, in order, into the history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import structlog

from jobengine.clock import from_text, to_text
from jobengine.engine.commands import Commands
from jobengine.engine.decisions import Decisions, Passing
from jobengine.engine.live_job import LiveJob
from jobengine.engine.workers import Workers
from jobengine.errors import TransitionNotAllowed
from jobengine.messaging.worker_messages import AnyReport, Changed, OutputClosed, OutputOpened, Passed
from jobengine.model.lifecycle import JobState, decide
from jobengine.model.record import OutputRecord


class ReportTaker:
    """Turns reports into decisions."""

    def __init__(self, workers: Workers, commands: Commands) -> None:
        self._workers = workers
        self._commands = commands
        self._log = structlog.get_logger("reports")

    def take(self, job: LiveJob, reports: Sequence[AnyReport], decisions: Decisions) -> None:
        """Take what has not been taken yet; a gap in the sequence waits for the missing ones."""
        taken = False
        for report in reports:
            if report.sequence == job.record.report_sequence + 1:
                self._take_one(job, report, decisions)
                job.record.report_sequence = report.sequence
                taken = True
        if taken:
            if job.state.is_final:
                job.record.worker_process_id = 0
                job.has_worker = False
            decisions.touch(job)
        self._commands.acknowledge(job, decisions)

    def _take_one(self, job: LiveJob, report: AnyReport, decisions: Decisions) -> None:
        match report:
            case Passed():
                self._passed(job, report, decisions)
            case Changed():
                self._changed(job, report, decisions)
            case OutputOpened():
                self._opened(job, report, decisions)
            case OutputClosed():
                self._closed(job, report, decisions)

    def _passed(self, job: LiveJob, report: Passed, decisions: Decisions) -> None:
        transition = job.pending.get(report.transition_id)
        if transition is None:
            self._log.error(
                "report.unknown_transition", job_id=job.record.job_id, transition=report.transition_id
            )
            return
        refused = report.skip or "refused" in report.info
        state = job.state if refused else self._reached(job, transition.requested_proc_state, report.state)
        lateness_ms = report.lateness_ms
        if transition.due_time is not None:
            late = from_text(report.time) - from_text(transition.due_time)
            lateness_ms = max(0.0, late / timedelta(milliseconds=1))
        else:
            due = from_text(report.time) - timedelta(milliseconds=report.lateness_ms)
            transition.due_time = report.due or to_text(due)
        decisions.settle(
            job,
            transition,
            state,
            Passing(report.time, report.position.document(), lateness_ms, report.skip, report.info),
        )

    def _changed(self, job: LiveJob, report: Changed, decisions: Decisions) -> None:
        state = self._reached(job, report.requested, report.state)
        if report.message:
            job.record.status_message = job.record.friendly_status_message = report.message
        elif state is JobState.RUNNING:
            job.record.status_message = job.record.friendly_status_message = ""
        worker = self._workers.of(job.record.job_id)
        if worker is not None:
            worker.return_to = ""
        at = Passing(report.time, report.position.document(), info=report.info)
        decisions.implicit(job, report.requested, state, at)

    def _reached(self, job: LiveJob, requested: str, reported: str) -> JobState:
        """The state by the lifecycle table; the worker, which decides by the same table, says the same."""
        try:
            state = decide(job.state, requested)
        except TransitionNotAllowed:
            state = JobState(reported)
        if state != reported:
            self._log.error("report.state_differs", job_id=job.record.job_id, engine=state, worker=reported)
        return state

    def _opened(self, job: LiveJob, report: OutputOpened, decisions: Decisions) -> None:
        output = OutputRecord(
            job_id=job.record.job_id,
            number=report.number,
            graph=report.graph,
            kind=report.kind,
            path=report.path,
            url=report.url,
            start_time=report.time,
            start_position=report.start_position,
        )
        job.outputs[report.number] = output
        decisions.output(output, "output.opened")

    def _closed(self, job: LiveJob, report: OutputClosed, decisions: Decisions) -> None:
        output = job.outputs[report.number]
        output.samples, output.elements, output.closed = report.samples, report.elements, True
        decisions.output(output, "output.closed")
