"""The REST API over a real database and the real engine, in this process: no sockets, no workers.

Jobs here have no work, so the engine carries them out itself; before an answer is given, everything that is
due has passed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import Any

from flask.testing import FlaskClient

from jobengine.clock import SystemClock, to_text
from jobengine.engine.admission import Admission
from jobengine.engine.commands import Commands
from jobengine.engine.engine import Engine
from jobengine.engine.host import HostRunner
from jobengine.engine.losses import Losses
from jobengine.engine.parts import EngineParts
from jobengine.engine.requests import Requests
from jobengine.engine.silence import SilenceWatch
from jobengine.engine.workers import WorkerFolders, Workers
from jobengine.errors import UnavailableError, error_class
from jobengine.history.database import Database
from jobengine.history.keys import ApiKeyRecord, ApiKeys
from jobengine.history.reader import JobReader
from jobengine.history.store import SqlJobStore
from jobengine.history.whole_jobs import WholeJobs
from jobengine.ids import new_id
from jobengine.messaging.engine_messages import Accepted, AnyRequest, Refused
from jobengine.model.api_key import ApiKey
from jobengine.model.roots import MediaRoots
from jobengine.rest.factory import create_app
from jobengine.rest.priors import Priors
from jobengine.rest.services import HttpServices
from jobengine.settings import Settings, load
from jobengine.testing.contents.store import MemoryContents
from jobengine.web.pages import pages

CLOCK = SystemClock()
HOST = "studio-2"
PIPE: dict[str, Any] = {
    "pipeSpec": {
        "inputGraph": [{"name": "In", "filter": [{"name": "Audio Synthesizer"}]}],
        "outputGraph": [
            {
                "name": "Out",
                "format": {"sampleRate": 48000, "resolution": 16, "channels": 2},
                "filter": [
                    {"name": "WAVDest", "title": "from ${ProcessingHost}"},
                    {"name": "FileWriter", "filePath": "a.wav"},
                ],
            }
        ],
    }
}
"""A recording, as a description."""


class CountedNotices:
    """Notices from an engine in this process."""

    def __init__(self) -> None:
        self.count = 0
        self.has_ended = False
        self._changed = threading.Condition()

    def notify(self) -> None:
        with self._changed:
            self.count += 1
            self._changed.notify_all()

    def wait(self, after: int, timeout_s: float) -> int:
        with self._changed:
            self._changed.wait_for(lambda: self.count > after, timeout_s)
            return self.count


class FailingTask:
    """As a process that watches contents and can't shows it."""

    name = "content-events"
    failures = 3

    def overdue_s(self) -> float:
        return 7.5


class NoWorkers:
    """There is no way to a worker, and none is launched."""

    def command(self, identity: str, command: Any) -> None:
        raise AssertionError("no worker should be told anything here")

    def launch(self, process: Any) -> None:
        return

    @property
    def failures(self) -> Mapping[str, int]:
        return {"nursery": 2}

    def watch(self, process_id: int, job_id: str = "") -> bool:
        return False

    def kill(self, process_id: int) -> None:
        raise AssertionError("no worker should be killed here")


class AtOnce(Executor):
    """Commits where it is told to, so that no thread is left behind."""

    def submit(self, work: Callable[..., Any], /, *given: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(work(*given, **named))
        except Exception as error:
            future.set_exception(error)
        return future


class EngineHere:
    """Stands where the ZeroMQ client would: asks the real engine by calling it."""

    def __init__(self, database: Database, folder: Path, notices: CountedNotices) -> None:
        self._notices = notices
        self._answers: list[Accepted | Refused] = []
        self._lock = threading.Lock()
        self.is_away = False
        self.is_told_to_end = False
        store = SqlJobStore(database)
        store.claim_service("test", process_id=1, url="", now="2026-01-01T00:00:00.000000Z")
        nobody = NoWorkers()
        folders = WorkerFolders(folder / "spools", folder / "logs")
        workers = Workers(nobody, folders, CLOCK, Admission())
        commands = Commands("engine-1", workers, nobody, CLOCK, HOST)
        host = HostRunner(workers, timedelta(0))
        requests = Requests("test", HOST, commands, host, CLOCK)
        losses = Losses(workers, 5, lambda path: 0)
        silence = SilenceWatch(workers, 10)
        parts = EngineParts(
            store=store,
            teller=self,
            workers=workers,
            commands=commands,
            losses=losses,
            silence=silence,
            host=host,
            requests=requests,
            clock=CLOCK,
            executor=AtOnce(),
            wake=lambda: None,
        )
        self._engine = Engine("test", parts, 500)

    def answer(self, client: bytes, answer: Accepted | Refused) -> None:
        self._answers.append(answer)

    def notify(self, job_ids: tuple[str, ...]) -> None:
        self._notices.notify()

    def ask(self, kind: type[AnyRequest], **members: Any) -> Accepted:
        if self.is_away:
            raise UnavailableError("the engine is not running; nothing was changed")
        with self._lock:
            self._engine.step([(b"here", kind(request_id=new_id(), **members))])
            self._engine.settle()
            answer = self._answers.pop()
            self._settle()
        if isinstance(answer, Refused):
            raise error_class(answer.code)(answer.detail, **answer.facts)
        return answer

    def shut_down(self) -> None:
        self.is_told_to_end = True

    def _settle(self) -> None:
        """Carry out everything that is due."""
        while (wake := self._engine.next_wake()) is not None and wake <= to_text(CLOCK.now()):
            self._engine.step()
            self._engine.settle()


@dataclass
class Bench:
    """Everything that a test of the API may want to touch."""

    client: FlaskClient
    engine: EngineHere
    keys: ApiKeys
    settings: Settings
    database: Database
    notices: CountedNotices
    contents: MemoryContents
    services: HttpServices

    def submit(self, *transitions: dict[str, Any], **members: Any) -> dict[str, Any]:
        """Post a job; its JSON."""
        response = self.client.post("/api/jobs", json={"transitions": list(transitions), **members})
        assert response.status_code == 201, response.text
        job: dict[str, Any] = response.get_json()
        return job

    def key(self, role: str, name: str = "", **members: Any) -> str:
        """Make a key; the text that a client sends."""
        key = ApiKey(new_id().replace("-", ""), "s3cret")
        record = ApiKeyRecord(key.key_id, key.secret_hash, role, name or role, "2026-01-01", **members)
        self.keys.create(record)
        return str(key)


def immediate(requested: str, **members: Any) -> dict[str, Any]:
    """A transition that passes at once."""
    return {"trigger": {"type": "Immediate", "requestedProcState": requested}, **members}


def on_event(requested: str, name: str = "go") -> dict[str, Any]:
    """A transition that waits for an event."""
    return {"trigger": {"type": "Event", "name": name, "requestedProcState": requested}}


def make_bench(folder: Path, url: str, contents: dict[str, Any] | None = None, **http: Any) -> Bench:
    """A bench on the database ``url``, whose tables are there."""
    settings = load(
        flags={
            "data": str(folder),
            "database_url": url,
            "http": http,
            "contents": contents or {},
            "engine": {"processing_host": HOST},
        }
    )
    database = Database(url)
    notices = CountedNotices()
    engine: Any = EngineHere(database, folder, notices)
    keys = ApiKeys(database)
    store = MemoryContents(CLOCK)
    whole_jobs = WholeJobs(database)
    services = HttpServices(
        settings=settings,
        contents=store,
        reader=JobReader(database),
        whole_jobs=whole_jobs,
        priors=Priors(whole_jobs),
        keys=keys,
        engine=engine,
        probe=engine,
        clock=CLOCK,
        notices=notices,
        roots=MediaRoots(PurePosixPath(settings.media_base), (PurePosixPath(folder),)),
        check_migrations=database.check_head,
        worker_log=settings.worker_log,
        shut_down=engine.shut_down,
        tasks=(FailingTask(),),
    )
    app = create_app(services, [pages()])
    return Bench(app.test_client(), engine, keys, settings, database, notices, store, services)
