"""History can't be changed by anybody who speaks SQL to the database."""

from __future__ import annotations

import pytest

from jobengine.errors import ConflictError, JobEngineError, NotFoundError
from jobengine.history.database import Database
from jobengine.history.store import SqlJobStore
from jobengine.history.whole_jobs import WholeJobs
from tests.contract.history.records import NOON, a_job, a_job_with_history, a_transition

FORBIDDEN = [
    "UPDATE transitions SET actor = 'me' WHERE sequence = 2",
    "UPDATE transitions SET status = 'Pending' WHERE sequence = 2",
    "DELETE FROM transitions WHERE sequence = 5",
    "DELETE FROM transitions",
    "DELETE FROM jobs",
]


def execute(database: Database, *statements: str) -> None:
    with database.writing() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_the_database_refuses_to_change_history(
    database: Database, store: SqlJobStore, statement: str
) -> None:
    job, rows = a_job_with_history(store)
    with pytest.raises(ConflictError, match="history is append-only"):
        execute(database, statement)
    assert WholeJobs(database).get(job.job_id) == (job, rows)


@pytest.mark.parametrize("statement", ["TRUNCATE transitions", "TRUNCATE jobs CASCADE"])
def test_postgresql_refuses_to_truncate(postgres_url: str, statement: str) -> None:
    with Database(postgres_url) as database:
        job, _ = a_job_with_history(SqlJobStore(database))
        with pytest.raises(ConflictError, match="history is append-only"):
            execute(database, statement)
        assert len(WholeJobs(database).get(job.job_id)[1]) == 5


def test_sqlite_refuses_to_replace(sqlite_url: str) -> None:
    with Database(sqlite_url) as database:
        store = SqlJobStore(database)
        job, rows = a_job_with_history(store)
        pending = a_transition(job, position=9)
        with store.batch() as batch:
            batch.insert_transition(pending)
        columns = ", ".join(f"'new' AS {c}" if c == "actor" else c for c in _columns(database))
        replaced = f"INSERT OR REPLACE INTO transitions SELECT {columns} FROM transitions WHERE sequence = 2"
        moved = "UPDATE OR REPLACE transitions SET sequence = 2 WHERE status = 'Pending'"
        for statement in (replaced, moved):
            with pytest.raises(ConflictError, match="history is append-only"):
                execute(database, statement)
        assert WholeJobs(database).get(job.job_id)[1] == [*rows, pending]


def test_a_job_without_history_may_go_and_pending_rows_may_change(
    database: Database, store: SqlJobStore
) -> None:
    job = a_job()
    with store.batch() as batch:
        batch.insert_job(job)
        batch.insert_transition(a_transition(job))
    execute(database, "UPDATE transitions SET actor = 'me'")
    assert [row.actor for row in WholeJobs(database).get(job.job_id)[1]] == ["me"]
    execute(database, "DELETE FROM transitions", "DELETE FROM jobs")
    with pytest.raises(NotFoundError):
        WholeJobs(database).get(job.job_id)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE jobs SET current_state = 'Bored'",
        "UPDATE jobs SET is_active = (1 = 0)",
        "UPDATE jobs SET restart_policy = 'perhaps'",
        "UPDATE transitions SET status = 'Lost'",
        "UPDATE transitions SET trigger_type = 'Whim'",
        "UPDATE transitions SET status = 'Passed'",
        "UPDATE transitions SET job_id = 'nobody'",
    ],
)
def test_the_database_refuses_what_the_lifecycle_does_not_know(
    database: Database, store: SqlJobStore, change: str
) -> None:
    job = a_job()
    with store.batch() as batch:
        batch.insert_job(job)
        batch.insert_transition(a_transition(job))
    with pytest.raises(ConflictError):
        execute(database, change)


def test_readers_can_not_write(database: Database) -> None:
    with pytest.raises(JobEngineError), database.reading() as connection:
        connection.exec_driver_sql("DELETE FROM jobs")


def test_auditors_read_flat_rows_and_spans(database: Database, store: SqlJobStore) -> None:
    job, rows = a_job_with_history(store, 2)
    with database.reading() as connection:
        history = connection.exec_driver_sql(
            "SELECT job_id, sequence, samples, time_base, hash FROM job_history ORDER BY sequence"
        ).all()
        spans = connection.exec_driver_sql(
            "SELECT state, from_time, to_time, seconds FROM job_state_spans ORDER BY from_time"
        ).all()
    assert history == [(job.job_id, n + 1, 48_000, "1/48000", row.hash) for n, row in enumerate(rows)]
    assert spans == [("Pending", NOON, rows[0].time_stamp, 1.0), ("Running", rows[0].time_stamp, None, None)]


def _columns(database: Database) -> list[str]:
    with database.reading() as connection:
        return [row[1] for row in connection.exec_driver_sql("PRAGMA table_info(transitions)")]
