"""The database goes away under load: recordings go on, clients are told, and nothing is missing."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

from jobengine.client import Client
from jobengine.errors import JobEngineError, UnavailableError
from tests.acceptance.documents import RATE_HZ, after, assert_counts, at_once, recording, samples_of, timeline
from tests.acceptance.observing import assert_intact, history_of, output_of, reach, record_on
from tests.databases import PostgresServer
from tests.services import NewService, Service
from tests.waiting import PATIENCE_S, wait_until

AWAY_S = 8.0
CHANGE_MS = 4_000


@dataclass
class Load:
    """Posts jobs until told to stop, and remembers what was acknowledged and what was refused."""

    url: str
    acknowledged: list[str] = field(default_factory=list)
    refused: int = 0
    surprises: list[str] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        with Client(self.url) as client:
            while not self.stopped.wait(0.02):
                try:
                    self.acknowledged.append(client.jobs.submit(timeline("load", at_once("Start"))).id)
                except UnavailableError:
                    self.refused += 1
                except JobEngineError as error:
                    self.surprises.append(repr(error))


@contextmanager
def under_load(service: Service) -> Iterator[Load]:
    load = Load(service.client.url)
    thread = threading.Thread(target=load.run)
    thread.start()
    try:
        yield load
    finally:
        load.stopped.set()
        thread.join(PATIENCE_S)


def go_through(service: Service, away: Callable[[], None], back: Callable[[], None]) -> None:
    job = reach(service.client.jobs.submit(recording("going-on", after(CHANGE_MS))), "Running")
    output = output_of(job)
    with under_load(service) as load:
        wait_until(lambda: len(load.acknowledged) > 10, "some load")
        away()
        try:
            record_on(output, AWAY_S)
            wait_until(lambda: load.refused, "requests are refused")
        finally:
            back()
        done = len(load.acknowledged)
        wait_until(lambda: len(load.acknowledged) > done + 10, "requests are accepted again")
    assert not load.surprises
    wait_until(lambda: len(history_of(service, job)) == 2, "the history has caught up")
    job.finish()
    reach(job, "Finished")
    rows = history_of(service, job)
    assert [r["samples"] for r in rows[:2]] == [0, CHANGE_MS * RATE_HZ // 1000]
    values = samples_of(output)
    assert len(values) == rows[-1]["samples"]
    assert_counts(values)
    stored = {row[0] for row in service.sql("SELECT job_id FROM job_history WHERE job_name = 'load'")}
    lost = set(load.acknowledged) - stored
    assert not lost, f"acknowledged and gone: {lost}"
    assert_intact(service, jobs=len(service.sql("SELECT job_id FROM jobs")))


def test_postgresql_is_stopped_and_started_under_load(
    new_service: NewService, postgres_server: PostgresServer, postgres_url: str
) -> None:
    service = new_service(postgres_url).start()
    go_through(service, lambda: postgres_server.stop("immediate"), postgres_server.start)


def test_sqlite_is_locked_by_somebody_else_under_load(new_service: NewService) -> None:
    service = new_service().start()
    with closing(
        sqlite3.connect(service.data / "jobengine.sqlite3", isolation_level=None, timeout=PATIENCE_S)
    ) as other:
        go_through(service, lambda: _lock(other), lambda: _unlock(other))


def _lock(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN EXCLUSIVE")


def _unlock(connection: sqlite3.Connection) -> None:
    connection.execute("ROLLBACK")
