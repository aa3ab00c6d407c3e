"""What an engine reads at its start does not grow with what is pending, on either database."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import zmq
from sqlalchemy import Engine, event

from jobengine.app.engine_process import build_engine
from jobengine.history.database import Database
from jobengine.history.store import SqlJobStore
from jobengine.messaging.addresses import addresses
from jobengine.messaging.engine_client import EngineClient
from jobengine.messaging.engine_messages import ReadService
from jobengine.settings import EngineSettings, Settings
from jobengine.testing.empty_database import new_database
from tests.contract.history.records import a_job, a_transition
from tests.databases import PostgresServer
from tests.waiting import wait_until

HOST = "studio"
FAR = "2100-01-01T00:00:00.000000Z"
FEW, MANY = 20, 2_000


def test_a_start_on_sqlite_takes_as_many_steps_with_many_pending_as_with_few(tmp_path: Path) -> None:
    steps = {}
    for count in (FEW, MANY):
        folder = tmp_path / str(count)
        folder.mkdir()
        url = new_database(folder / "jobs.db")
        fill(url, count)
        with steps_of_sqlite() as taken:
            start_engine(folder, url)
        steps[count] = len(taken)
    assert steps[MANY] - steps[FEW] < MANY - FEW, "at least one step for each that is pending"


def test_a_start_on_postgresql_reads_as_many_rows_with_many_pending_as_with_few(
    tmp_path: Path, postgres_server: PostgresServer, postgres_url: str
) -> None:
    rows = {}
    for count in (FEW, MANY):
        folder = tmp_path / str(count)
        folder.mkdir()
        fill(postgres_url, count)
        before = rows_read(postgres_url)
        start_engine(folder, postgres_url)
        rows[count] = rows_read(postgres_url) - before
    assert rows[MANY] - rows[FEW] < (MANY - FEW) / 10, "a row for each that is pending"


def fill(url: str, count: int) -> None:
    """So many jobs more, each with a transition that is pending for long."""
    with Database(url) as database:
        with SqlJobStore(database).batch() as batch:
            for _ in range(count):
                job = a_job(service=HOST, processing_host=HOST, transition_count=1)
                batch.insert_job(job)
                batch.insert_transition(a_transition(job, wake_time=FAR, due_time=FAR))
        with database.writing() as connection:
            connection.exec_driver_sql("ANALYZE")


def start_engine(folder: Path, url: str) -> None:
    """Start one, in this process, and end it as soon as it answers."""
    engine = EngineSettings(processing_host=HOST, spare_workers=0)
    settings = Settings(data=folder, database_url=url, engine=engine)
    with ExitStack() as stack, zmq.Context() as context:
        service = build_engine(settings, stack)
        runner = threading.Thread(target=service.run, args=(lambda: None,))
        runner.start()
        client = EngineClient(context, addresses(folder).requests)
        try:
            client.ask(ReadService, actor="test")
        finally:
            client.close()
            service.stop(finish_jobs=False)
            runner.join()


@contextmanager
def steps_of_sqlite() -> Iterator[list[None]]:
    """One for each step of SQLite's machine, in all connections that are made meanwhile."""
    taken: list[None] = []

    def count(connection: Any, _record: Any) -> None:
        connection.set_progress_handler(lambda: taken.append(None), 1)

    event.listen(Engine, "connect", count)
    try:
        yield taken
    finally:
        event.remove(Engine, "connect", count)


def rows_read(url: str) -> int:
    """Rows of tables and entries of indexes that were read so far by connections that are closed."""
    with Database(url) as database:

        def read() -> int | None:
            with database.reading() as connection:
                others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                if connection.exec_driver_sql(others).scalar() != 1:
                    return None
                tables = "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_user_tables"
                indexes = "SELECT sum(idx_tup_read) FROM pg_stat_user_indexes"
                return sum(int(connection.exec_driver_sql(each).scalar() or 0) for each in (tables, indexes))

        found = wait_until(read, "the other connections are closed")
        assert found is not None
        return found
