"""What an engine does before its first job: it carries out one of its own, which is taken back.

The first job of an engine costs some 30 ms of CPU more than the second: pages are copied that the process
shares with the template, statements are put together for the database, code is run for the first time. So
an engine decides, writes and tells about a job that it has made up, with a worker that is made up too. The
database holds nothing of it afterwards: all is written in one transaction that is rolled back.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from datetime import timedelta
from typing import Any

import structlog

from jobengine.clock import Clock, to_text
from jobengine.engine.admission import Admission
from jobengine.engine.commands import Commands
from jobengine.engine.engine import Engine
from jobengine.engine.host import HostRunner
from jobengine.engine.losses import Losses
from jobengine.engine.parts import EngineParts
from jobengine.engine.requests import Requests
from jobengine.engine.silence import SilenceWatch
from jobengine.engine.workers import WorkerFolders, Workers
from jobengine.errors import JobEngineError
from jobengine.history.store import SqlJobStore
from jobengine.ids import new_id
from jobengine.messaging import engine_messages, worker_messages
from jobengine.messaging.engine_messages import Accepted, Answer, AnyRequest, ChangeJob, Draft, SubmitJob
from jobengine.messaging.worker_messages import (
    PROTOCOL_VERSION,
    FromWorker,
    Hello,
    Passed,
    Position,
    Progress,
    ToWorker,
)
from jobengine.model.lifecycle import JobState, RequestedState, TriggerType
from jobengine.ports.work import WorkerProcess, WorkerStarted

_PROCESS_ID = -1
"""The worker that is made up; no process has it."""
_SPECIFICATION = {
    "source": {"content": "rehearsal"},
    "resultingStream": "rehearsal",
    "sink": {"url": "dealer+connect:tcp://127.0.0.1:9"},
}


def rehearse_engine(store: SqlJobStore, executor: Executor, folders: WorkerFolders, clock: Clock) -> None:
    """Carry out a job. Blocks for some 50 ms, in which nobody else can write to SQLite, and no service events
    to PostgreSQL. An engine that could not is as good, only slower to begin, and says so in the log."""
    try:
        with store.taking_back():
            _Rehearsal(store, executor, folders, clock).run()
    except JobEngineError as error:
        structlog.get_logger("engine").warning("engine.not_rehearsed", detail=error.detail)


class _Outside:
    """All that an engine speaks to: takes what it says, packed as it would be sent."""

    def __init__(self) -> None:
        self.accepted: list[Accepted] = []

    def answer(self, client: bytes, answer: Answer) -> None:
        engine_messages.encode(answer)
        if isinstance(answer, Accepted):
            self.accepted.append(answer)

    def notify(self, job_ids: tuple[str, ...]) -> None:
        engine_messages.encode(engine_messages.Committed(job_ids))

    def command(self, identity: str, command: ToWorker) -> None:
        worker_messages.to_worker.decode(worker_messages.encode(command))

    def launch(self, process: WorkerProcess) -> None:
        """The worker is told of by whoever drives the rehearsal."""

    def watch(self, process_id: int) -> bool:
        return True

    def kill(self, process_id: int) -> None:
        """There is no process."""


class _Rehearsal:
    """An engine of a service that has no other job, so that it meets none of anybody's."""

    def __init__(self, store: SqlJobStore, executor: Executor, folders: WorkerFolders, clock: Clock) -> None:
        self._clock = clock
        self._outside = _Outside()
        service = new_id()
        workers = Workers(self._outside, folders, clock, Admission())
        commands = Commands(service, workers, self._outside, clock, service)
        host = HostRunner(workers, timedelta(0))
        parts = EngineParts(
            store=store,
            teller=self._outside,
            workers=workers,
            commands=commands,
            losses=Losses(workers, 0, lambda _: None),
            silence=SilenceWatch(workers, 1.0),
            host=host,
            requests=Requests(service, service, commands, host, clock),
            clock=clock,
            executor=executor,
            wake=lambda: None,
        )
        self._engine = Engine(service, parts, 1)

    def run(self) -> None:
        """Post, start and cancel a job."""
        start = _draft(RequestedState.START, {"restreamSpec": _SPECIFICATION})
        job_id, started = self._ask(SubmitJob, drafts=(start,))
        self._engine.step(news=[WorkerStarted(job_id, _PROCESS_ID)])
        self._hear(job_id, Hello(PROTOCOL_VERSION, _PROCESS_ID))
        self._hear(job_id, self._passed(1, started, JobState.RUNNING))
        self._hear(job_id, Progress(JobState.RUNNING, _POSITION, 0, ""))
        _, cancelled = self._ask(ChangeJob, job_id=job_id, drafts=(_draft(RequestedState.CANCEL),))
        self._hear(job_id, self._passed(2, cancelled, JobState.CANCELLED))

    def _ask(self, kind: type[AnyRequest], **members: Any) -> tuple[str, str]:
        """The ids of the job and of the transition that were answered."""
        self._engine.step([(b"", kind(request_id=new_id(), actor="rehearsal", **members))])
        self._engine.settle()
        answer = self._outside.accepted[-1]
        return answer.job_id, answer.transition_ids[0]

    def _hear(self, job_id: str, *messages: FromWorker) -> None:
        said: Sequence[tuple[str, FromWorker]] = [(f"{job_id}:{_PROCESS_ID}", each) for each in messages]
        self._engine.step(reports=said)
        self._engine.settle()

    def _passed(self, sequence: int, transition_id: str, state: JobState) -> Passed:
        now = to_text(self._clock.now())
        return Passed(
            sequence=sequence, time=now, position=_POSITION, transition_id=transition_id, state=state
        )


_POSITION = Position(0, "1/1000000", elements=0)


def _draft(requested: RequestedState, description: dict[str, Any] | None = None) -> Draft:
    return Draft({"type": TriggerType.IMMEDIATE, "requestedProcState": requested}, description)
