"""What an engine does before its first request: it decides about a job of its own, of which nothing is kept.

Its process shares its memory with the template until it writes there, and the first job would wait for those
pages to be copied. Nothing is read from the database and nothing is written: a million rows may pend there.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from jobengine.clock import Clock, to_text
from jobengine.engine.admission import Admission, AdmissionTerms
from jobengine.engine.commands import Commands
from jobengine.engine.decisions import Decisions
from jobengine.engine.host import HostRunner
from jobengine.engine.live_job import LiveJob
from jobengine.engine.reports import ReportTaker
from jobengine.engine.requests import Requests
from jobengine.engine.workers import WorkerFolders, Workers
from jobengine.history.store import SqlJobStore
from jobengine.messaging.engine_messages import Draft, SubmitJob
from jobengine.messaging.worker_messages import AnyReport, OutputOpened, Passed, Position, ToWorker, encode
from jobengine.ports.work import WorkerProcess

_NAME = "rehearsal"
_PROCESS = 1
_SPECIFICATION = {
    "source": {"content": _NAME},
    "resultingStream": _NAME,
    "sink": {"url": "dealer+connect:tcp://127.0.0.1:9"},
    "anchor": "first",
}
_START = Draft({"type": "Immediate", "requestedProcState": "Start"}, {"restreamSpec": _SPECIFICATION})


def rehearse(store: SqlJobStore, clock: Clock) -> None:
    """A job is posted, gets a worker, and runs. Blocks for some 10 ms. Raises UnavailableError."""
    _Rehearsal(store, clock).play()
    store.get_ready()


class _Rehearsal:
    """The deciding parts of an engine, with nobody to tell and nothing to write."""

    def __init__(self, store: SqlJobStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        workers = Workers(_Nobody(), WorkerFolders(Path(), Path()), clock, Admission(AdmissionTerms()))
        self._commands = Commands(_NAME, workers, _Nobody(), clock, _NAME)
        self._host = HostRunner(workers, timedelta(0))
        self._requests = Requests(_NAME, _NAME, self._commands, self._host, clock)
        self._reports = ReportTaker(workers, self._commands)

    def play(self) -> None:
        """From the request of a client to a job that runs."""
        decisions = self._begin()
        job, answer = self._requests.submit(SubmitJob(request_id="", drafts=(_START,)), decisions)
        encode(answer)
        self._host.advance(job, decisions)
        self._end(decisions)
        decisions = self._begin()
        self._commands.greet(job, f"{job.record.job_id}:{_PROCESS}", _PROCESS, decisions)
        self._end(decisions)
        decisions = self._begin()
        self._reports.take(job, self._told(job), decisions)
        self._end(decisions)

    def _begin(self) -> Decisions:
        return Decisions(self._store.new_batch(), self._clock.now())

    def _end(self, decisions: Decisions) -> None:
        """As if it were on disk."""
        self._store.prepare(decisions.batch)
        decisions.committed()

    def _told(self, job: LiveJob) -> list[AnyReport]:
        (start,) = job.pending
        now, at = to_text(self._clock.now()), Position(0, "1/1")
        return [
            Passed(sequence=1, time=now, position=at, transition_id=start, state="Running"),
            OutputOpened(sequence=2, time=now, position=at, number=1, graph="", kind="stream"),
        ]


class _Nobody:
    """Neither processes nor anybody to tell."""

    failures: Mapping[str, int] = {}

    def launch(self, process: WorkerProcess) -> None: ...
    def kill(self, process_id: int) -> None: ...

    def watch(self, process_id: int, job_id: str = "") -> bool:
        return True

    def command(self, identity: str, command: ToWorker) -> None:
        encode(command)
