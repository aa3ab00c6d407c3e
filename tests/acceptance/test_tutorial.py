"""The tutorial: record a test signal, change the level, pause, go on, finish, read the history with SQL."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import psycopg
import pytest

from jobengine.client import Job
from tests.acceptance.documents import after, assert_counts, level, recording, samples_of
from tests.acceptance.observing import assert_intact, history_of, output_of, reach, record_on
from tests.services import NewService, Service

QUIET_FROM, LOUD_FROM = 24_000, 36_000


def record(service: Service) -> Job:
    document = recording("tutorial", after(500, description=level(0.5)), after(250, description=level(1.0)))
    job = reach(service.client.jobs.submit(document), "Running")
    record_on(output_of(job), 1.2)
    job.pause()
    reach(job, "Paused")
    job.start()
    reach(job, "Running")
    record_on(output_of(job), 0.3)
    job.finish()
    return reach(job, "Finished")


def check_recording(service: Service, job: Job) -> None:
    rows = history_of(service, job)
    passed = [(r["trigger"], r["state"]) for r in rows]
    assert passed == [
        ("Immediate", "Running"),
        ("Duration", "Running"),
        ("Duration", "Running"),
        ("Immediate", "Paused"),
        ("Immediate", "Running"),
        ("Immediate", "Finished"),
    ]
    start, quiet, loud, paused, resumed, finished = (r["samples"] for r in rows)
    assert (start, quiet, loud) == (0, QUIET_FROM, LOUD_FROM)
    assert paused == resumed
    values = samples_of(output_of(job))
    assert len(values) == finished
    assert_counts(values[:QUIET_FROM])
    halves = np.rint(np.arange(QUIET_FROM, LOUD_FROM) * 0.5)
    assert (values[QUIET_FROM:LOUD_FROM] == halves).all()
    assert_counts(values[LOUD_FROM:paused], LOUD_FROM)
    assert values[paused] > paused, "a live input goes on while the job is paused"
    assert_counts(values[paused:], int(values[paused]))


def check_spans(service: Service, job: Job) -> None:
    statement = "SELECT state, from_time, to_time FROM job_state_spans WHERE job_id = ? ORDER BY from_time"
    spans = service.sql(statement, job.id)
    assert [s[0] for s in spans] == ["Pending", "Running", "Paused", "Running", "Finished"]
    assert [s[2] for s in spans[:-1]] == [s[1] for s in spans[1:]]


def test_on_sqlite_every_promise_of_the_tutorial_holds_and_tampering_is_found(
    new_service: NewService, tmp_path: Path
) -> None:
    service = new_service().start()
    job = record(service)
    check_recording(service, job)
    check_spans(service, job)
    assert_intact(service, jobs=1)
    assert service.stop() == 0
    database = service.data / "jobengine.sqlite3"
    second = history_of(service, job)[1]["id"]
    refuse_plain_change(database)
    for name, statement in TAMPERING.items():
        copy = tmp_path / name
        copy.mkdir()
        shutil.copy(database, copy)
        tamper(copy / database.name, statement)
        done = service.cli("audit", "verify", "-o", "json", "--data", str(copy))
        assert done.returncode == 1, name
        assert job.id in done.stdout, name
        assert FOUND[name].format(id=second, rest=f"x{second[1:]}") in done.stdout, f"{name}: {done.stdout}"


def test_on_postgresql_every_promise_holds(new_service: NewService, postgres_url: str) -> None:
    service = new_service(postgres_url).start()
    job = record(service)
    check_recording(service, job)
    check_spans(service, job)
    with psycopg.connect(postgres_url) as connection, pytest.raises(psycopg.Error):
        connection.execute("UPDATE transitions SET actor = 'nobody'")
    assert_intact(service, jobs=1)
    with psycopg.connect(postgres_url) as connection:
        connection.execute("ALTER TABLE transitions DISABLE TRIGGER USER")
        connection.execute("UPDATE transitions SET actor = 'nobody' WHERE sequence = 2")
    done = service.cli("audit", "verify")
    assert done.returncode == 1
    assert job.id in done.stdout


TAMPERING = {
    "change": "UPDATE transitions SET actor = 'nobody' WHERE sequence = 2",
    "remove": "DELETE FROM transitions WHERE sequence = 2",
    "insert": """INSERT INTO transitions SELECT 'x' || substr(transition_id, 2), job_id, {rest}
                   FROM transitions WHERE sequence = 2""",
}

FOUND = {"change": "{id}", "remove": "row 2 is missing", "insert": "{rest}"}


def refuse_plain_change(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        for statement in ("UPDATE transitions SET actor = 'nobody'", "DELETE FROM transitions"):
            with pytest.raises(sqlite3.IntegrityError):
                connection.execute(statement)


def tamper(database: Path, statement: str) -> None:
    """As somebody with the file and the will: the triggers go first."""
    with closing(sqlite3.connect(database)) as connection, connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        columns = [row[1] for row in connection.execute("PRAGMA table_info(transitions)")]
        rest = ", ".join("99" if c == "sequence" else c for c in columns[2:])
        changed = connection.execute(statement.format(rest=rest)).rowcount
        assert changed == 1
