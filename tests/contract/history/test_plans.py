"""The engine's questions are answered from an index, however many rows there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import event

from jobengine.history.database import Database
from jobengine.history.reader import JobReader
from jobengine.history.statements import Statements
from jobengine.history.store import SqlJobStore
from jobengine.history.value_rows import SIZES
from tests.contract.history.records import a_job, a_transition, commit, moment

ROWS = 100_000

MANY = f"""
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})
    INSERT INTO transitions (transition_id, job_id, position, trigger_type, requested_proc_state, trigger,
        actor, created_time, due_time, wake_time, status, sequence, time_stamp, previous_hash, hash)
    SELECT 'row-' || i, 'busy', i, 'Time', 'Start', '{{}}', '', '2026', '2026',
        CASE WHEN i / 1000 * 1000 = i THEN '2026-12-01T12:00:00.000000Z' END,
        CASE WHEN i / 10 * 10 = i THEN 'Pending' ELSE 'Passed' END,
        CASE WHEN i / 10 * 10 = i THEN NULL ELSE i END, '2026', '', 'hash'
    FROM n
"""


@pytest.fixture
def store(database: Database) -> SqlJobStore:
    """A store with `ROWS` rows, a few of which wait for the clock."""
    return _filled(database)


def _filled(database: Database) -> SqlJobStore:
    filled = SqlJobStore(database)
    job = a_job(job_id="busy")
    commit(filled, lambda batch: batch.insert_job(job))
    with database.writing() as connection:
        connection.exec_driver_sql(MANY)
        connection.exec_driver_sql("ANALYZE")
    row = a_transition(job, transition_id="first", position=0, wake_time=moment(0))
    commit(filled, lambda batch: batch.insert_transition(row))
    return filled


def test_due_rows_and_the_next_wake_come_from_their_index(database: Database, store: SqlJobStore) -> None:
    with _plans(database) as plans:
        assert store.due(moment(1), 500) == [(moment(0), "busy", "first")]
        assert store.next_wake() == moment(0)
    assert len(plans) == 2
    for plan in plans:
        assert "ix_transitions_wake_time" in plan
        assert "Sort" not in plan
        assert "TEMP B-TREE" not in plan


def test_the_history_of_a_job_comes_from_an_index(database: Database, store: SqlJobStore) -> None:
    with _plans(database) as plans:
        JobReader(database).transition("busy", "first")
    assert all("SCAN" not in plan and "Seq Scan on transitions" not in plan for plan in plans)


def test_a_change_reads_no_table_through_however_many_rows_it_is_given(tmp_path: Path) -> None:
    """SQLite only: a server is given any number of rows by the same statement."""
    with Database(f"sqlite:///{tmp_path / 'filled.sqlite3'}") as database:
        database.upgrade()
        _filled(database)
        changes = vars(Statements(database.engine.dialect)).values()
        texts = [text for change in changes for text in change.texts.values()]
        plans = {text: _plan(database, text, (None,) * text.count("?")) for text in texts}
    assert len(plans) == len(changes) * len(SIZES)
    for text, plan in plans.items():
        assert not re.search(r"(SCAN|BLOOM FILTER ON) (jobs|transitions|outputs|variables)\b", plan), text[
            :60
        ]


def _plan(database: Database, statement: str, parameters: tuple[object, ...]) -> str:
    explain = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "
    with database.reading() as connection:
        rows = connection.exec_driver_sql(explain + statement, parameters)
        return "\n".join(str(row[-1]) for row in rows)


class _plans:
    """Collects the plan of every SELECT on the reading side."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._statements: list[tuple[str, tuple[object, ...]]] = []

    def __enter__(self) -> list[str]:
        event.listen(self._database._reading, "before_cursor_execute", self._collect)
        self._plans: list[str] = []
        return self._plans

    def __exit__(self, *exc_info: object) -> None:
        event.remove(self._database._reading, "before_cursor_execute", self._collect)
        self._plans += [_plan(self._database, *asked) for asked in self._statements]

    def _collect(
        self, _c: object, _cursor: object, statement: str, parameters: tuple[object, ...], *_: object
    ) -> None:
        if statement.startswith("SELECT"):
            self._statements.append((statement, parameters))
