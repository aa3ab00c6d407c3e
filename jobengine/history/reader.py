"""What clients read: jobs, their lists and history, outputs, the event feed.

Read-only and thread-safe; each call is one consistent view. Jobs that were deleted are not there, except
for auditors (`jobengine.history.audit`).
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Numeric, Select, bindparam, func, select

from jobengine.errors import MalformedError, NotFoundError
from jobengine.history.answers import find_answers
from jobengine.history.database import Database
from jobengine.history.loading import LIST_ORDER
from jobengine.history.query_sql import Order, after, condition, order
from jobengine.history.rows import (
    EVENT_COLUMNS,
    JOB_COLUMNS,
    OUTPUT_COLUMNS,
    SERVICE_COLUMNS,
    TRANSITION_COLUMNS,
    ServiceRecord,
    StoredAnswer,
    decode,
    output_from_row,
)
from jobengine.history.salvage import shown_event, shown_job, shown_transition
from jobengine.history.tables import events, jobs, outputs, services, transitions, variables
from jobengine.model.query import Node, matches, parse_sort
from jobengine.model.record import EventRecord, JobRecord, OutputRecord, TransitionRecord

NEWEST_FIRST = "-createdTime"
MAX_LIMIT = 1_000

_NOT_DELETED = jobs.c.deleted_time.is_(None)


class JobPage(NamedTuple):
    """Some jobs, and the cursor for those after them (None at the end)."""

    jobs: list[JobRecord]
    next_cursor: str | None


class EventPage(NamedTuple):
    """Some events, and how far the feed was looked through: ask for what comes after ``scanned``."""

    events: list[EventRecord]
    scanned: int


# Made once: putting a statement of many columns together costs more than running it.
_ONE_JOB = select(*JOB_COLUMNS).where(jobs.c.job_id == bindparam("job_id"), _NOT_DELETED)


class JobReader:
    """Reads for HTTP. Every method may block for the database and raises UnavailableError."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._dialect = database.engine.dialect.name

    def get_job(self, job_id: str) -> JobRecord:
        """Raises NotFoundError."""
        with self._of_job(job_id) as (_, job):
            return job

    def answer_under(self, key: str, scope: str) -> StoredAnswer | None:
        """What was answered to the request that first used this Idempotency-Key."""
        with self._database.reading() as connection:
            return find_answers(connection, [(key, scope)]).get((key, scope))

    def list_jobs(
        self,
        where: Node | None = None,
        *,
        sort: str | None = None,
        limit: int = 100,
        skip: int = 0,
        cursor: str | None = None,
    ) -> JobPage:
        """Up to ``limit`` (at most `MAX_LIMIT`) jobs in the order of ``sort``, by default newest first.

        ``skip`` counts rows and gets slow when large; ``cursor``, from the page before and for the same
        sort, does not. Raises MalformedError.
        """
        limit = min(max(limit, 0), MAX_LIMIT)
        orders = order(parse_sort(sort or NEWEST_FIRST), self._dialect)
        wanted = self._where(select(*JOB_COLUMNS, *[item.expression for item in orders]), where)
        wanted = wanted.order_by(*[o.expression.desc() if o.descending else o.expression for o in orders])
        if cursor is not None:
            wanted = wanted.where(after(orders, _read_cursor(cursor, sort, orders)))
        with self._database.reading() as connection:
            rows = connection.execute(wanted.limit(limit + 1).offset(max(skip, 0))).all()
        found = [shown_job(row[: len(JOB_COLUMNS)]) for row in rows[:limit]]
        more = bool(found) and len(rows) > limit
        return JobPage(found, _make_cursor(sort, rows[limit - 1][len(JOB_COLUMNS) :]) if more else None)

    def count_jobs(self, where: Node | None = None) -> int:
        """How many jobs there are of that kind."""
        with self._database.reading() as connection:
            count: int = connection.scalar(self._where(select(func.count()).select_from(jobs), where)) or 0
        return count

    def transitions(self, job_id: str) -> list[TransitionRecord]:
        """All rows of a job: settled ones as they passed, then the others in list order.

        Raises NotFoundError.
        """
        wanted = select(*TRANSITION_COLUMNS).where(transitions.c.job_id == job_id).order_by(*LIST_ORDER)
        with self._of_job(job_id) as (connection, _):
            return [shown_transition(row) for row in connection.execute(wanted)]

    def transition(self, job_id: str, transition_id: str) -> TransitionRecord:
        """One row of a job. Raises NotFoundError."""
        wanted = select(*TRANSITION_COLUMNS).where(
            transitions.c.job_id == job_id, transitions.c.transition_id == transition_id
        )
        with self._of_job(job_id) as (connection, _):
            row = connection.execute(wanted).one_or_none()
        if row is None:
            raise NotFoundError(f"job {job_id} has no transition {transition_id}")
        return shown_transition(row)

    def history(self, job_id: str) -> list[TransitionRecord]:
        """The rows that have passed or were skipped, in order. Raises NotFoundError."""
        wanted = (
            select(*TRANSITION_COLUMNS)
            .where(transitions.c.job_id == job_id, transitions.c.sequence.is_not(None))
            .order_by(transitions.c.sequence)
        )
        with self._of_job(job_id) as (connection, _):
            return [shown_transition(row) for row in connection.execute(wanted)]

    def outputs(self, job_id: str) -> list[OutputRecord]:
        """What was really written, in order. Raises NotFoundError."""
        wanted = select(*OUTPUT_COLUMNS).where(outputs.c.job_id == job_id).order_by(outputs.c.number)
        with self._of_job(job_id) as (connection, _):
            return [output_from_row(row) for row in connection.execute(wanted)]

    def events_after(self, sequence: int, limit: int = 500, where: Node | None = None) -> EventPage:
        """Events numbered above ``sequence``: of the next ``limit`` those that ``where`` asks for.

        A filter sees ``sequence``, ``time``, ``type``, ``jobId`` and ``data``.
        """
        wanted = select(*EVENT_COLUMNS).where(events.c.sequence > sequence).order_by(events.c.sequence)
        with self._database.reading() as connection:
            found = [shown_event(row) for row in connection.execute(wanted.limit(limit))]
        scanned = found[-1].sequence if found else sequence
        return EventPage([e for e in found if where is None or matches(where, _event_document(e))], scanned)

    def newest_event(self) -> int:
        """The number of the newest event; 0 when there is none."""
        with self._database.reading() as connection:
            return connection.scalar(select(func.max(events.c.sequence))) or 0

    def oldest_event(self) -> int:
        """The number of the oldest event that was not pruned; 0 when there is none."""
        with self._database.reading() as connection:
            return connection.scalar(select(func.min(events.c.sequence))) or 0

    def services(self) -> list[ServiceRecord]:
        """Every service that ever claimed a name, by name."""
        with self._database.reading() as connection:
            rows = connection.execute(select(*SERVICE_COLUMNS).order_by(services.c.name))
            return [ServiceRecord(*row) for row in rows]

    def variables(self) -> dict[str, Any]:
        """All variables by name."""
        with self._database.reading() as connection:
            rows = connection.execute(select(variables.c.name, variables.c.value).order_by(variables.c.name))
            return {name: decode(value) for name, value in rows}

    def variable(self, name: str) -> Any:
        """The value of a variable. Raises NotFoundError."""
        with self._database.reading() as connection:
            value = connection.scalar(select(variables.c.value).where(variables.c.name == name))
        if value is None:
            raise NotFoundError(f"there is no variable {name}")
        return decode(value)

    @contextmanager
    def _of_job(self, job_id: str) -> Iterator[tuple[Connection, JobRecord]]:
        with self._database.reading() as connection:
            row = connection.execute(_ONE_JOB, {"job_id": job_id}).one_or_none()
            if row is None:
                raise NotFoundError(f"there is no job {job_id}")
            yield connection, shown_job(row)

    def _where(self, wanted: Select[Any], where: Node | None) -> Select[Any]:
        wanted = wanted.where(_NOT_DELETED)
        return wanted if where is None else wanted.where(condition(where, self._dialect))


def _event_document(event: EventRecord) -> dict[str, Any]:
    return {
        "sequence": event.sequence,
        "time": event.time,
        "type": event.type,
        "jobId": event.job_id,
        "data": event.data,
    }


def _make_cursor(sort: str | None, values: Any) -> str:
    plain = [str(value) if isinstance(value, Decimal) else value for value in values]
    return urlsafe_b64encode(msgspec.json.encode([sort or NEWEST_FIRST, *plain])).decode().rstrip("=")


def _read_cursor(cursor: str, sort: str | None, orders: list[Order]) -> list[Any]:
    try:
        made_for, *values = msgspec.json.decode(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if made_for != (sort or NEWEST_FIRST) or len(values) != len(orders):
            raise MalformedError("the cursor belongs to a list with another sort")
        return [_bindable(value, item) for value, item in zip(values, orders, strict=True)]
    except (ValueError, TypeError, ArithmeticError, msgspec.DecodeError) as error:
        raise MalformedError("the cursor is not one from an earlier answer to this list") from error


def _bindable(value: Any, item: Order) -> Any:
    read: Callable[[Any], Any] = Decimal if isinstance(item.expression.type, Numeric) else lambda same: same
    bound = read(value)
    if not isinstance(bound, str | int | float | bool | Decimal):
        raise TypeError(f"{value!r} is not a value of a cursor")
    return bound
