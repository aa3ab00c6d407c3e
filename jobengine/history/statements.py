"""The statements of the hot path: written in SQLAlchemy Core, compiled once, run by the driver.

Core's work per row costs more than the rows do; the driver's ``executemany`` takes tuples as they are.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, Table, bindparam, delete, insert, literal_column, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.sql.dml import Insert, Update, UpdateBase

from jobengine.history.tables import events, idempotency, jobs, outputs, transitions, variables

Rows = list[tuple[Any, ...]]

JOB_FIXED = ("job_id", "created_time")
"""Columns of ``jobs`` that no update writes."""

TRANSITION_FIXED = ("transition_id", "job_id")
"""Columns of ``transitions`` that no update writes."""


TRANSITION_SETTLED = (
    "info",
    "actor",
    "due_time",
    "wake_time",
    "status",
    "sequence",
    "time_stamp",
    "lateness_ms",
    "current_proc_state",
    "stream_position",
    "superseded_by",
    "previous_hash",
    "hash",
)
"""Columns that settling a transition writes: the fewer, the fewer indexes are touched."""


class Statement:
    """One compiled statement; ``columns`` names its parameters in order."""

    def __init__(self, engine: Engine, statement: UpdateBase) -> None:
        compiled = statement.compile(dialect=engine.dialect)
        self.text = str(compiled)
        self.columns = tuple(compiled.positiontup or ())

    def run(self, connection: Connection, rows: Rows) -> int:
        """Run once per row; how many rows of the table were hit in total."""
        return connection.exec_driver_sql(self.text, rows).rowcount


class Statements:
    """Every statement that a batch may run, for one kind of database."""

    def __init__(self, engine: Engine) -> None:
        self.insert_job = Statement(engine, _insert(jobs))
        self.insert_transition = Statement(engine, _insert(transitions))
        self.insert_event = Statement(engine, _insert(events, "sequence"))
        self.insert_idempotency = Statement(engine, _insert(idempotency))
        self.update_job = Statement(
            engine,
            _update(jobs, *JOB_FIXED).where(
                jobs.c.job_id == bindparam("of_job_id"),
                jobs.c.revision == bindparam("expected_revision"),
                jobs.c.epoch == bindparam("expected_epoch"),
            ),
        )
        of_pending = (
            transitions.c.transition_id == bindparam("of_transition_id"),
            transitions.c.status == literal_column("'Pending'"),
        )
        self.update_transition = Statement(engine, _update(transitions, *TRANSITION_FIXED).where(*of_pending))
        unsettled = [c.name for c in transitions.columns if c.name not in TRANSITION_SETTLED]
        self.settle_transition = Statement(engine, _update(transitions, *unsettled).where(*of_pending))
        self.upsert_output = Statement(engine, _upsert(engine, outputs))
        self.upsert_variable = Statement(engine, _upsert(engine, variables))
        self.delete_variable = Statement(
            engine, delete(variables).where(variables.c.name == bindparam("of_name"))
        )


def _insert(table: Table, *without: str) -> Insert:
    return insert(table).values({c.name: bindparam(c.name) for c in table.columns if c.name not in without})


def _update(table: Table, *without: str) -> Update:
    return update(table).values({c.name: bindparam(c.name) for c in table.columns if c.name not in without})


def _upsert(engine: Engine, table: Table) -> UpdateBase:
    build: Any = sqlite_insert if engine.dialect.name == "sqlite" else postgresql_insert
    statement = build(table).values({c.name: bindparam(c.name) for c in table.columns})
    keys = [column.name for column in table.primary_key]
    changed = {c.name: statement.excluded[c.name] for c in table.columns if c.name not in keys}
    upsert: UpdateBase = statement.on_conflict_do_update(index_elements=keys, set_=changed)
    return upsert
