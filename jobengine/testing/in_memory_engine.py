"""A whole engine in the test's own process, on a clock that the test moves."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Protocol, Self

from jobengine.clock import from_text, to_text
from jobengine.engine.admission import Admission, AdmissionTerms
from jobengine.engine.commands import CommandChannel, Commands
from jobengine.engine.engine import Engine
from jobengine.engine.host import HostRunner
from jobengine.engine.losses import Losses
from jobengine.engine.parts import EngineParts
from jobengine.engine.requests import Requests
from jobengine.engine.silence import SilenceWatch
from jobengine.engine.workers import WorkerFolders, Workers
from jobengine.errors import UnavailableError, error_class
from jobengine.history.audit import Verification, verify
from jobengine.history.database import Database
from jobengine.history.reader import JobReader
from jobengine.history.store import SqlJobStore
from jobengine.ids import new_id
from jobengine.messaging.engine_messages import (
    Accepted,
    Answer,
    AnyRequest,
    ChangeJob,
    Draft,
    IdempotencyKey,
    RaiseEvent,
    Refused,
    SubmitJob,
)
from jobengine.messaging.worker_messages import FromWorker
from jobengine.model.check import Surroundings
from jobengine.model.document import JobDocument, TransitionDocument, read, read_transitions
from jobengine.model.record import JobRecord, OutputRecord, TransitionRecord
from jobengine.model.roots import MediaRoots
from jobengine.ports.work import WorkerEnded, WorkerLauncher, WorkerStarted
from jobengine.rest.drafts import draft, new_drafts
from jobengine.testing.clock import ManualClock
from jobengine.testing.empty_database import new_database
from jobengine.testing.in_process_workers import InProcessWorkers
from jobengine.testing.synthetic_work import SyntheticWork

SERVICE = "test"
HOUSEKEEPING = timedelta(seconds=1)
HEARTBEAT_TIMEOUT_S = 10.0
MAX_ROUNDS = 100_000


class WorkersInTests(WorkerLauncher, CommandChannel, Protocol):
    """What the engine needs of its workers here: `InProcessWorkers` or `PuppetWorkers`."""

    def take_news(self) -> list[WorkerStarted | WorkerEnded]: ...
    def take_reports(self) -> list[tuple[str, FromWorker]]: ...
    def run_until_idle(self) -> bool: ...
    def next_wake_ns(self) -> int | None: ...
    def service_is_away(self) -> None: ...
    def service_is_back(self) -> None: ...
    def close(self) -> None: ...


class InMemoryEngine:
    """Submit documents, move time, read what happened. A context manager; used by one thread.

    clock: shared by everything here. workers: who executes work; by default real workers, each with a
    `SyntheticWork`. lead: how early workers are prepared. restart_limit: as in the settings.
    database_url: a migrated database to use in place of a temporary one. admission: bounds on
    re-streaming jobs, as in the settings. executor: who commits, by default a thread.
    group_size: as in the settings.
    """

    def __init__(  # noqa: PLR0913 - what a test may want to be otherwise
        self,
        clock: ManualClock | None = None,
        workers: WorkersInTests | None = None,
        *,
        lead: timedelta = timedelta(milliseconds=1500),
        restart_limit: int = 5,
        database_url: str | None = None,
        admission: AdmissionTerms | None = None,
        executor: Executor | None = None,
        group_size: int = 500,
    ) -> None:
        self.clock = clock or ManualClock()
        self.workers = workers or InProcessWorkers(self.clock, lambda kind: SyntheticWork())
        self._lead = lead
        self._restart_limit = restart_limit
        self._admission = admission
        self._group_size = group_size
        self._folder = tempfile.TemporaryDirectory(prefix="jobengine-test-")
        self.path = Path(self._folder.name)
        self.database = Database(database_url or new_database(self.path / "jobs.sqlite3"), busy_timeout_ms=50)
        self.reader = JobReader(self.database)
        self._executor = executor or ThreadPoolExecutor(1, "commit")
        self.answers: dict[str, Answer] = {}
        """Every answer given so far, by the id of its request."""
        self.notices: list[tuple[str, ...]] = []
        self._engine: Engine | None = None
        self._wake: str | None = None
        self._housekeeping_due = self.clock.now()
        self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the workers and remove the database."""
        self.workers.close()
        self._executor.shutdown()
        self.database.close()
        self._folder.cleanup()

    @property
    def engine(self) -> Engine:
        """The engine that runs now. Raises UnavailableError between `stop` and `start`."""
        if self._engine is None:
            raise UnavailableError("the engine was stopped")
        return self._engine

    def stop(self) -> None:
        """The service dies, as by SIGKILL; its workers go on."""
        self._engine = None
        self.workers.service_is_away()

    def start(self) -> None:
        """A service starts over the same database and takes up what it finds."""
        store = SqlJobStore(self.database)
        store.claim_service(SERVICE, process_id=1, url="", now=to_text(self.clock.now()))
        folders = WorkerFolders(self.path / "spool", self.path / "log")
        workers = Workers(self.workers, folders, self.clock, Admission(self._admission))
        commands = Commands(new_id(), workers, self.workers, self.clock, SERVICE)
        host = HostRunner(workers, self._lead)
        parts = EngineParts(
            store=store,
            teller=_Teller(self),
            workers=workers,
            commands=commands,
            losses=Losses(workers, self._restart_limit, lambda path: None),
            silence=SilenceWatch(workers, HEARTBEAT_TIMEOUT_S),
            host=host,
            requests=Requests(SERVICE, SERVICE, commands, host, self.clock),
            clock=self.clock,
            executor=self._executor,
            wake=lambda: None,
        )
        self._engine = Engine(SERVICE, parts, group_size=self._group_size)
        self.workers.service_is_back()
        self._engine.resume()
        self._wake = to_text(self.clock.now())

    def restart(self) -> None:
        """`stop`, `start`, and everything that follows at this moment."""
        self.stop()
        self.start()
        self.settle()

    def submit(self, document: Mapping[str, Any], *, idempotency_key: str | None = None) -> str:
        """Post a job document; the id of the job. Raises DocumentError and what the engine refuses."""
        return self.ask(self.submission(document, idempotency_key=idempotency_key)).job_id

    def submission(self, document: Mapping[str, Any], *, idempotency_key: str | None = None) -> SubmitJob:
        """The checked request that `submit` makes. Raises DocumentError."""
        job = read(JobDocument, document)
        return SubmitJob(
            request_id=new_id(),
            actor="test",
            name=job.name,
            alias=job.alias,
            client_data=job.client_data,
            restart_policy=job.restart_policy,
            drafts=new_drafts(job.transitions, self.surroundings()),
            idempotency=IdempotencyKey(idempotency_key, "test", repr(document)) if idempotency_key else None,
        )

    def append(self, job_id: str, document: Any) -> tuple[str, ...]:
        """Append one transition or several; their ids. They are checked by shape, not against the job."""
        drafts = self.drafts(read_transitions(document))
        return self.ask(
            ChangeJob(request_id=new_id(), actor="test", job_id=job_id, drafts=drafts)
        ).transition_ids

    def request(self, job_id: str, state: str) -> str:
        """Append one Immediate transition that requests ``state``; its id."""
        return self.append(job_id, {"trigger": {"type": "Immediate", "requestedProcState": state}})[0]

    def raise_event(self, name: str, data: Mapping[str, Any] | None = None) -> None:
        """Raise a named event."""
        self.ask(RaiseEvent(request_id=new_id(), actor="test", name=name, data=dict(data or {})))

    def drafts(self, documents: Sequence[TransitionDocument]) -> tuple[Draft, ...]:
        """Transitions as the engine takes them."""
        return tuple(draft(document, self.surroundings()) for document in documents)

    def surroundings(self) -> Surroundings:
        """What checks know of this service: media under ``/media``, the variables of the database."""
        return Surroundings(MediaRoots(PurePosixPath("/media")), SERVICE, self.reader.variables())

    def ask(self, request: AnyRequest) -> Accepted:
        """Let the engine carry out a request, and everything that follows at this moment.

        Raises the error that the engine answers, UnavailableError if it has not answered yet.
        """
        self.send(request)
        self.settle()
        return self.answer_to(request)

    def send(self, *requests: AnyRequest) -> None:
        """Hand requests to the engine as one group, without waiting for what follows."""
        self._step(requests=[(b"test", request) for request in requests])

    def answer_to(self, request: AnyRequest) -> Accepted:
        """What was answered. Raises as `ask`."""
        answer = self.answers.get(request.request_id)
        if answer is None:
            raise UnavailableError("the engine has not answered yet")
        if isinstance(answer, Refused):
            raise error_class(answer.code)(answer.detail, **answer.facts)
        return answer

    def settle(self) -> None:
        """Carry out everything that is due at this moment. Raises RuntimeError if there is no end to it."""
        for _ in range(MAX_ROUNDS):
            self.workers.run_until_idle()
            if self._engine is None:
                return
            news, reports, wake = self.workers.take_news(), self.workers.take_reports(), self._wake
            is_due = wake is not None and wake <= to_text(self.clock.now())
            if not (news or reports or is_due):
                return
            self._step(reports=reports, news=news)
            if not (news or reports) and self._wake == wake:
                return
        raise RuntimeError("the engine is never done with this moment")

    def advance(self, span: timedelta) -> None:
        """Let time pass, stopping wherever the engine or a worker has something to do."""
        if self._engine is not None:
            self._step()
            self._keep_house()
        self.settle()
        end_ns = self._monotonic_ns() + span // timedelta(microseconds=1) * 1000
        while (left_ns := end_ns - self._monotonic_ns()) > 0:
            step_ns = min([left_ns, *self._waits_ns()])
            self.clock.advance(timedelta(microseconds=max(1, -(-step_ns // 1000))))
            self._keep_house()
            self.settle()

    def job(self, job_id: str) -> JobRecord:
        """The job as it is in the database. Raises NotFoundError."""
        return self.reader.get_job(job_id)

    def state(self, job_id: str) -> str:
        """The job's current state."""
        return str(self.job(job_id).current_state)

    def history(self, job_id: str) -> list[TransitionRecord]:
        """Its settled transitions in order."""
        return self.reader.history(job_id)

    def transitions(self, job_id: str) -> list[TransitionRecord]:
        """All of its transitions, settled ones first."""
        return self.reader.transitions(job_id)

    def outputs(self, job_id: str) -> list[OutputRecord]:
        """What it has written."""
        return self.reader.outputs(job_id)

    def audit(self) -> Verification:
        """Check the hash chains of all jobs."""
        return verify(self.database)

    def _step(self, **arrivals: Any) -> None:
        """One group. A database that is away is asked again when time moves."""
        self.engine.step(**arrivals)
        self.engine.settle()
        try:
            self._wake = self.engine.next_wake()
        except UnavailableError:
            self._wake = to_text(self.clock.now() + HOUSEKEEPING)

    def _monotonic_ns(self) -> int:
        return self.clock.monotonic_ns()

    def _waits_ns(self) -> list[int]:
        """Nanoseconds until the next reasons to stop."""
        waits: list[int] = []
        worker_ns = self.workers.next_wake_ns()
        if worker_ns is not None:
            waits.append(worker_ns - self._monotonic_ns())
        if self._engine is not None:
            if self._wake is not None:
                waits.append((from_text(self._wake) - self.clock.now()) // timedelta(microseconds=1) * 1000)
            if self._engine.worker_count:
                waits.append((self._housekeeping_due - self.clock.now()) // timedelta(microseconds=1) * 1000)
        return [wait for wait in waits if wait > 0]

    def _keep_house(self) -> None:
        if self._engine is not None and self.clock.now() >= self._housekeeping_due:
            self._housekeeping_due = self.clock.now() + HOUSEKEEPING
            self._engine.tick()
            self._step()


class _Teller:
    """Keeps what the engine answers."""

    def __init__(self, owner: InMemoryEngine) -> None:
        self._owner = owner

    def answer(self, client: bytes, answer: Answer) -> None:
        self._owner.answers[answer.request_id] = answer

    def notify(self, job_ids: tuple[str, ...]) -> None:
        self._owner.notices.append(job_ids)
