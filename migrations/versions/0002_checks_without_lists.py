"""Checks that compare instead of searching a list.

Revision ID: 0002

SQLite builds a table of its own for each ``IN`` with more than two values, each time a row is checked: that took
more than half of the time of a write. The checks now allow the very same values one by one. PostgreSQL, which
compares anyway, keeps its own.

SQLite can't change a check, but allows its text to be replaced, since nothing of what is stored depends on it
(https://www.sqlite.org/lang_altertable.html#otheralter, the shorter procedure).
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

STATES = "Pending Waiting Running Paused Updating Finished Cancelled Error Terminated".split()
CHECKS: tuple[tuple[str, str, Sequence[str]], ...] = (
    ("jobs", "current_state", STATES),
    ("jobs", "current_state", ("Cancelled", "Error", "Finished", "Terminated")),
    ("jobs", "restart_policy", ("never", "resume")),
    ("transitions", "current_proc_state", STATES),
    (
        "transitions",
        "requested_proc_state",
        "None Wait Pause Start Finish Cancel Update Fail Terminate".split(),
    ),
    ("transitions", "status", "Pending Passed Skipped Superseded".split()),
    (
        "transitions",
        "trigger_type",
        "Immediate Time Duration Level Event Stream Implicit OutputSwitch".split(),
    ),
    ("outputs", "kind", ("file", "stream", "device", "content")),
)


def upgrade() -> None:
    _replace([(table, _listed(column, them), _compared(column, them)) for table, column, them in CHECKS])


def downgrade() -> None:
    _replace([(table, _compared(column, them), _listed(column, them)) for table, column, them in CHECKS])


def _listed(column: str, values: Sequence[str]) -> str:
    listed = ", ".join(f"'{value}'" for value in values)
    return f"({column} IN ({listed}))"


def _compared(column: str, values: Sequence[str]) -> str:
    return "(" + " OR ".join(f"{column} = '{value}'" for value in values) + ")"


def _replace(changes: Sequence[tuple[str, str, str]]) -> None:
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        return
    version = connection.scalar(sa.text("PRAGMA schema_version"))
    connection.execute(sa.text("PRAGMA writable_schema = ON"))
    try:
        for table, before, after in changes:
            _replace_in(connection, table, before, after)
        connection.execute(sa.text(f"PRAGMA schema_version = {version + 1}"))
    finally:
        connection.execute(sa.text("PRAGMA writable_schema = RESET"))


def _replace_in(connection: sa.Connection, table: str, before: str, after: str) -> None:
    changed = connection.execute(
        sa.text(
            "UPDATE sqlite_master SET sql = replace(sql, :before, :after) "
            "WHERE type = 'table' AND name = :table AND instr(sql, :before)"
        ),
        {"table": table, "before": before, "after": after},
    )
    if changed.rowcount != 1:
        raise RuntimeError(f"the table {table} has no check {before}")
