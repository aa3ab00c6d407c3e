"""Jobs that wait for a time, as the engine would have written them, made by the database itself.

Each has no work and one Time trigger that requests Start. Nothing of a pending row is hashed: its place in
the history is made when it passes, by the engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from benchmarks.bursts import Burst, spread_places
from benchmarks.rigs import HOST
from jobengine.clock import SystemClock, to_text
from jobengine.history.database import Database
from jobengine.history.row_change import columns_without
from jobengine.history.rows import job_row, transition_row
from jobengine.history.statements import JOB_ROOM, TRANSITION_ROOM
from jobengine.history.tables import ROOM, jobs, transitions
from jobengine.model.lifecycle import TriggerType
from jobengine.model.record import JobRecord, TransitionRecord

JOB_PREFIX, TRANSITION_PREFIX = "01900000-0000-7000-8000-", "01900000-0000-7000-9000-"
"""What the ids of all rows begin with; the rest counts."""

_NUMBERS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < :count - 1)",
    "postgresql": "WITH n(i) AS (SELECT generate_series(0, CAST(:count AS integer) - 1))",
}
_COUNTED = {
    "sqlite": ":{prefix} || printf('%012x', i)",
    "postgresql": "CAST(:{prefix} AS text) || lpad(to_hex(i), 12, '0')",
}
_DUE = {
    "sqlite": "strftime('%Y-%m-%dT%H:%M:%f', julianday(:first) + :days * i / :count) || '000Z'",
    "postgresql": "to_char(CAST(:first AS timestamp) + :days * i / :count * interval '1 day',"
    """ 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')""",
}


def fill(database: Database, count: int, first: datetime, span: timedelta) -> None:
    """``count`` jobs, due evenly over ``span`` from ``first`` on, in the order of their making."""
    kind = database.engine.dialect.name
    now = to_text(SystemClock().now())
    job, transition = _patterns(now)
    given = {"count": count, "first": to_text(first)[:-1], "days": span / timedelta(days=1), "now": now}
    given |= {"job": JOB_PREFIX, "transition": TRANSITION_PREFIX, "trigger": transition["trigger"]}
    job_id, due = _COUNTED[kind].format(prefix="job"), _DUE[kind]
    made = {
        "transition_id": _COUNTED[kind].format(prefix="transition"),
        "job_id": job_id,
        "trigger": f"replace(:trigger, :now, {due})",
        "due_time": due,
        "wake_time": due,
    }
    if database.is_sqlite:
        job[ROOM], transition[ROOM] = " " * JOB_ROOM, " " * TRANSITION_ROOM
    with database.writing() as connection:
        _insert(connection, jobs.name, job, {"job_id": job_id}, given)
        _insert(connection, transitions.name, transition, made, given)


def make_due(database: Database, pending: int, bursts: Sequence[Burst]) -> list[list[str]]:
    """Let some of the ``pending`` rows fall due in each of ``bursts``; the ids of their jobs.

    Those of a burst are spread over all rows, and in no order. PostgreSQL writes a changed row to where there
    is room, so there the table is put in order again. Then nothing is left to be tidied.
    """
    spread = [[f"{place:012x}" for place in places] for places in spread_places(pending, bursts)]
    with database.writing() as connection:
        for ends, burst in zip(spread, bursts, strict=True):
            moved = zip(ends, map(to_text, burst.moments), strict=True)
            connection.execute(_MOVE, [{"of": TRANSITION_PREFIX + end, "to": due} for end, due in moved])
        if not database.is_sqlite:
            connection.exec_driver_sql("CLUSTER transitions USING pk_transitions")
    _tidy(database)
    return [[JOB_PREFIX + end for end in ends] for ends in spread]


def _tidy(database: Database) -> None:
    """Have done now what a database does by itself within a minute of many changes.

    A server would vacuum a million new rows, and write the pages it has changed, in the middle of the
    measurement; of jobs that wait for months it does so long before they are due.
    """
    if database.is_sqlite:
        database.checkpoint()
        return
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in ("VACUUM", "CHECKPOINT"):
            connection.exec_driver_sql(statement)


_MOVE = text(
    "UPDATE transitions SET trigger = replace(trigger, due_time, :to), due_time = :to, wake_time = :to"
    " WHERE transition_id = :of"
)


def _patterns(now: str) -> tuple[dict[str, Any], dict[str, Any]]:
    job = JobRecord(
        "", created_time=now, updated_time=now, service=HOST, processing_host=HOST, transition_count=1
    )
    trigger = {"type": "Time", "startTime": now, "requestedProcState": "Start"}
    transition = TransitionRecord(
        "", "", 0, TriggerType.TIME, "Start", trigger, actor="bench", created_time=now, due_time=now
    )
    made = dict(zip(columns_without(jobs, (ROOM,)), job_row(job), strict=True))
    rows = zip(columns_without(transitions, (ROOM,)), transition_row(transition), strict=True)
    return made, dict(rows)


def _insert(
    connection: Connection, table: str, pattern: dict[str, Any], made: dict[str, str], given: dict[str, Any]
) -> None:
    """Rows like ``pattern``, with the columns of ``made`` computed."""
    fixed = {name: value for name, value in pattern.items() if value is not None and name not in made}
    columns = ", ".join([*made, *fixed])
    values = ", ".join([*made.values(), *(f":fixed_{name}" for name in fixed)])
    numbers = _NUMBERS[connection.dialect.name]
    statement = f"INSERT INTO {table} ({columns}) {numbers} SELECT {values} FROM n"
    wanted = {name: value for name, value in given.items() if f":{name}" in statement}
    connection.execute(text(statement), wanted | {f"fixed_{name}": value for name, value in fixed.items()})
