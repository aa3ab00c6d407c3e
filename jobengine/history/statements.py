"""The statements of the hot path: written in SQLAlchemy Core, compiled once, run by the driver.

Core's work per row costs more than the rows do, so rows are tuples and go to the driver all at once, in the
form that the database likes best.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Dialect, FromClause, case, func, literal_column, select

from jobengine.history.json_columns import JsonColumns
from jobengine.history.row_change import RowChange, RowChanges, columns_without
from jobengine.history.tables import ROOM, events, idempotency, jobs, outputs, transitions, variables
from jobengine.history.value_rows import ValueRows

JOB_FIXED = ("job_id", "created_time", ROOM)
"""Columns of ``jobs`` that no update is given."""

JOB_EXPECTED = ("job_id", "revision", "epoch")
"""What a job's row must still be for an update to be ours to make."""

JOB_RUN = (
    "current_state",
    "is_active",
    "worker_process_id",
    "status_message",
    "friendly_status_message",
    "updated_time",
    "revision",
    "epoch",
    "report_sequence",
    "history_length",
    "history_hash",
    "transition_count",
)
"""Columns of ``jobs`` that its run changes; the others say what clients say of it, which may be long."""

TRANSITION_FIXED = ("transition_id", "job_id", ROOM)
"""Columns of ``transitions`` that no update is given."""

TRANSITION_EXPECTED = ("transition_id", "status")
"""What a row must still be to be changed: pending. Each row says so: of a condition on the table alone
SQLite, from 3.38 on and with statistics, makes a Bloom filter for a statement of many rows, and reads the
whole table for it."""

EVENT_ORDER_LOCK = 0x6A6F6566
"""Key of the PostgreSQL advisory lock under which event numbers become visible in their order."""

JOB_ROOM = 72
TRANSITION_ROOM = 160
"""Characters by which a row grows when its first transition passes, or it passes itself. SQLite fills its
pages to the brim as rows come; one that grows later makes it split the page, at the cost of several."""


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


class Statements:
    """Every statement that a batch may run, for one kind of database."""

    def __init__(self, dialect: Dialect) -> None:
        is_sqlite = dialect.name == "sqlite"
        make = RowChanges(dialect, ValueRows(dialect) if is_sqlite else JsonColumns(dialect))
        rooms = (_room_of_job, _room_of_transition) if is_sqlite else (None, None)
        unsettled = columns_without(transitions, TRANSITION_SETTLED)
        self.insert_job = make.insert(jobs, ROOM, more=rooms[0])
        self.insert_transition = make.insert(transitions, ROOM, more=rooms[1])
        self.insert_event = make.insert(events, "sequence", where=() if is_sqlite else (_in_turn(),))
        self.insert_idempotency = make.insert(idempotency)
        self.update_job = make.update(jobs, JOB_FIXED, JOB_EXPECTED)
        self.advance_job = make.update(jobs, columns_without(jobs, JOB_RUN), JOB_EXPECTED)
        self.update_transition = make.update(transitions, TRANSITION_FIXED, TRANSITION_EXPECTED)
        self.settle_transition = make.update(transitions, unsettled, TRANSITION_EXPECTED)
        not_waking = columns_without(transitions, ("wake_time",))
        self.clear_wake = make.update(transitions, not_waking, TRANSITION_EXPECTED)
        self.upsert_output = make.upsert(outputs)
        self.upsert_variable = make.upsert(variables)
        self.delete_variable = make.delete(variables, "name")

    def all(self) -> list[RowChange]:
        """Each of them."""
        return list(vars(self).values())


def _in_turn() -> ColumnElement[bool]:
    """Wait, once and before the first row has its number, for the commit of whoever else numbers events."""
    lock = select(func.pg_advisory_xact_lock(literal_column(str(EVENT_ORDER_LOCK))))
    return lock.scalar_subquery().is_not(None)


def _room_of_job(given: FromClause) -> ColumnElement[str]:
    return _room(given.c.history_length == literal_column("0"), JOB_ROOM)


def _room_of_transition(given: FromClause) -> ColumnElement[str]:
    return _room(given.c.status == literal_column("'Pending'"), TRANSITION_ROOM)


def _room(is_needed: ColumnElement[bool], size: int) -> ColumnElement[str]:
    blanks: ColumnElement[str] = literal_column(f"'{' ' * size}'")
    return case((is_needed, blanks))
