"""Jobs that wait for a time, written straight into the database as the engine would have written them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from benchmarks.rigs import HOST
from jobengine.clock import SystemClock, to_text
from jobengine.history.database import Database
from jobengine.history.rows import job_row, transition_row
from jobengine.history.statements import Statements
from jobengine.history.tables import jobs, transitions
from jobengine.ids import new_id
from jobengine.model.lifecycle import TriggerType
from jobengine.model.record import JobRecord, TransitionRecord

CHUNK = 10_000

Row = tuple[Any, ...]


def fill(database: Database, count: int, first: datetime, span: timedelta) -> tuple[str, str]:
    """Jobs without work, each with a Time trigger that requests Start, evenly over ``span``.

    Returns the ids of the first and the last.
    """
    ends = ["", ""]
    for at in range(0, count, CHUNK):
        size = min(CHUNK, count - at)
        made = list(_rows(size, first + span * (at / count), span * (size / count)))
        ends = [ends[0] or made[0][0][0], made[-1][0][0]]
        _write(database, [job for job, _ in made], [transition for _, transition in made])
    return ends[0], ends[1]


def _rows(count: int, first: datetime, span: timedelta) -> Iterator[tuple[Row, Row]]:
    now = to_text(SystemClock().now())
    job, transition = _patterns(now)
    for number in range(count):
        due = to_text(first + span * (number / count))
        job_id = new_id()
        trigger = transition[_TRIGGER].replace(now, due)
        made = list(transition)
        made[0], made[1], made[_TRIGGER], made[_DUE], made[_WAKE] = new_id(), job_id, trigger, due, due
        yield (job_id, *job[1:]), tuple(made)


_PLACES = {column.name: at for at, column in enumerate(transitions.columns)}
_TRIGGER, _DUE, _WAKE = _PLACES["trigger"], _PLACES["due_time"], _PLACES["wake_time"]


def _patterns(now: str) -> tuple[Row, Row]:
    job = JobRecord(
        "", created_time=now, updated_time=now, service=HOST, processing_host=HOST, transition_count=1
    )
    trigger = {"type": "Time", "startTime": now, "requestedProcState": "Start"}
    transition = TransitionRecord(
        "", "", 0, TriggerType.TIME, "Start", trigger, actor="bench", created_time=now, due_time=now
    )
    return job_row(job), transition_row(transition)


def _write(database: Database, made_jobs: list[Row], made_transitions: list[Row]) -> None:
    statements = Statements(database.engine.dialect)
    with database.writing() as connection:
        if database.is_sqlite:
            statements.insert_job.run(connection, made_jobs)
            statements.insert_transition.run(connection, made_transitions)
            return
        driver: Any = connection.connection.driver_connection
        with driver.cursor() as cursor:
            for table, rows in ((jobs, made_jobs), (transitions, made_transitions)):
                with cursor.copy(f"COPY {table.name} FROM STDIN") as copy:
                    for row in rows:
                        copy.write_row(row)
