"""The store as the engine sees it: batches to write, and the few reads on which it decides.

Reads for clients are in `jobengine.history.reader`. The engine calls this from one thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    String,
    and_,
    bindparam,
    cast,
    literal_column,
    or_,
    select,
    update,
)

from jobengine.errors import ConflictError
from jobengine.history.batch import Batch, Step
from jobengine.history.database import Database
from jobengine.history.fixed_select import FixedSelect
from jobengine.history.rows import (
    JOB_COLUMNS,
    TRANSITION_COLUMNS,
    StoredAnswer,
    from_json,
    job_from_row,
    output_from_row,
    transition_from_row,
)
from jobengine.history.statements import Statements
from jobengine.history.tables import events, idempotency, jobs, outputs, services, transitions
from jobengine.model.lifecycle import JobState, TransitionStatus
from jobengine.model.record import JobRecord, OutputRecord, TransitionRecord

_T = TypeVar("_T")

EVENT_ORDER_LOCK = 0x6A6F6566
"""Key of the PostgreSQL advisory lock under which event numbers become visible in their order."""

CHUNK = 500
"""Ids per statement: well under every database's limit of parameters."""

_PENDING: ColumnElement[bool] = transitions.c.status == literal_column(
    "'Pending'"
)  # as the partial indexes say it

LIST_ORDER = (
    transitions.c.sequence.is_(None),
    transitions.c.sequence,
    transitions.c.position,
    transitions.c.transition_id,
)


# Made once: putting a statement together costs more than running it.
_SERVICE = cast(bindparam("service"), String)
_WAKING = transitions.join(jobs, jobs.c.job_id == transitions.c.job_id)
_IS_WAKING = and_(_PENDING, or_(_SERVICE.is_(None), jobs.c.service == _SERVICE))
_DUE = (
    select(transitions.c.wake_time, transitions.c.job_id, transitions.c.transition_id)
    .select_from(_WAKING)
    .where(
        _IS_WAKING,
        transitions.c.wake_time >= bindparam("since"),
        transitions.c.wake_time <= bindparam("until"),
    )
    .order_by(transitions.c.wake_time)
    .limit(bindparam("limit"))
)
_PUT_OFF = _DUE.where(or_(transitions.c.due_time.is_(None), transitions.c.due_time <= bindparam("now")))
_NEXT_WAKE = (
    select(transitions.c.wake_time)
    .select_from(_WAKING)
    .where(_IS_WAKING, transitions.c.wake_time > bindparam("after"))
    .order_by(transitions.c.wake_time)
    .limit(literal_column("1"))
)
_EPOCH = select(services.c.epoch).where(services.c.name == bindparam("name")).with_for_update(read=True)


class Stale(Exception):
    """Guarded updates hit fewer rows than expected; the store finds out which and tells."""


class Prepared(NamedTuple):
    """A batch, ready to be written."""

    batch: Batch
    steps: list[Step]


class LoadedJob(NamedTuple):
    """A job with what is needed to go on with it."""

    job: JobRecord
    pending: list[TransitionRecord]
    """In the order of the list."""
    passed: list[TransitionRecord]
    """In the order of passing: every row with a description or a place in the list, and the last one."""


class SqlJobStore:
    """Jobs in SQL. Every method may block for the database and raises UnavailableError when it is away."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._statements = Statements(database.engine.dialect)
        self._epoch = FixedSelect(database.engine.dialect, _EPOCH)
        self._service: tuple[str, int] | None = None

    @contextmanager
    def batch(self) -> Iterator[Batch]:
        """Collect writes; committed together when the block ends, dropped when it raises.

        Raises ConflictError when a guarded row was not as expected (facts ``jobs`` and ``transitions``
        name the stale ones); then nothing of the batch is kept.
        """
        batch = Batch()
        yield batch
        self.commit(batch)

    def new_batch(self) -> Batch:
        """An empty batch, for a caller that commits it itself."""
        return Batch()

    def commit(self, batch: Batch) -> None:
        """Write a batch in one transaction; as `batch` does at its end."""
        if batch:
            self.write(self.prepare(batch))

    def prepare(self, batch: Batch) -> Prepared:
        """What `write` has to do. The records may change again afterwards."""
        return Prepared(batch, batch.steps(self._statements))

    def write(self, prepared: Prepared) -> None:
        """Write what was prepared in one transaction. May be called from another thread than the reads."""
        try:
            with self._database.writing() as connection:
                self._check_service(connection)
                for step in prepared.steps:
                    self._run(connection, step)
        except Stale as error:
            raise self._name_stale(prepared.batch) from error

    def load_jobs(self, job_ids: Iterable[str]) -> dict[str, LoadedJob]:
        """The jobs of ``job_ids`` that exist, each with what the engine needs to go on."""
        loaded: dict[str, LoadedJob] = {}
        with self._database.reading() as connection:
            for chunk in _chunks(job_ids):
                _load_chunk(connection, chunk, loaded)
        return loaded

    def jobs_with_workers(self, service: str) -> list[str]:
        """Ids of the service's jobs that have a worker, had one at its end, or wait for another."""
        has_worker = or_(jobs.c.worker_process_id != 0, jobs.c.current_state == JobState.UPDATING)
        is_ours = jobs.c.is_active.is_(True) & (jobs.c.service == service)
        wanted = select(jobs.c.job_id).where(is_ours, has_worker)
        with self._database.reading() as connection:
            return list(connection.scalars(wanted.order_by(jobs.c.created_time, jobs.c.job_id)))

    def load_outputs(self, job_ids: Iterable[str]) -> list[OutputRecord]:
        """The outputs of these jobs in the order of their opening."""
        found: list[OutputRecord] = []
        with self._database.reading() as connection:
            for chunk in _chunks(job_ids):
                wanted = select(outputs).where(outputs.c.job_id.in_(chunk))
                rows = connection.execute(wanted.order_by(outputs.c.job_id, outputs.c.number))
                found += [output_from_row(row) for row in rows]
        return found

    def due(
        self, now_text: str, limit: int, service: str | None = None, since: str = ""
    ) -> list[tuple[str, str, str]]:
        """(wake time, job id, transition id) of what must be woken by ``now_text``, earliest first.

        ``since`` leaves out what has an earlier wake time.
        """
        given = {"since": since, "until": now_text, "limit": limit, "service": service}
        with self._database.reading() as connection:
            return [(row[0], row[1], row[2]) for row in connection.execute(_DUE, given).all()]

    def put_off(self, now_text: str, until_text: str, limit: int, service: str) -> list[tuple[str, str, str]]:
        """As `due`: what is due by ``now_text`` and was put off, to be woken later, but by ``until_text``."""
        given = {"now": now_text, "since": now_text, "until": until_text, "limit": limit, "service": service}
        with self._database.reading() as connection:
            return [(row[0], row[1], row[2]) for row in connection.execute(_PUT_OFF, given).all()]

    def next_wake(self, service: str | None = None, after: str = "") -> str | None:
        """The earliest wake time later than ``after``; None when nothing more waits for the clock."""
        with self._database.reading() as connection:
            return connection.scalar(_NEXT_WAKE, {"after": after, "service": service})

    def pending_event_names(self) -> set[str]:
        """Names of the events that some pending transition waits for."""
        wanted = select(transitions.c.event_name).where(_PENDING, transitions.c.event_name.is_not(None))
        with self._database.reading() as connection:
            return set(connection.scalars(wanted.distinct()))

    def pending_for_events(self, names: Iterable[str]) -> list[tuple[str, str, str]]:
        """(event name, job id, transition id) of the pending transitions that wait for one of ``names``."""
        found: list[tuple[str, str, str]] = []
        with self._database.reading() as connection:
            for chunk in _chunks(names):
                wanted = select(
                    transitions.c.event_name, transitions.c.job_id, transitions.c.transition_id
                ).where(_PENDING, transitions.c.event_name.in_(chunk))
                found += [(row[0], row[1], row[2]) for row in connection.execute(wanted)]
        return found

    def find_idempotency(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], StoredAnswer]:
        """What was answered for each known (key, scope)."""
        found: dict[tuple[str, str], StoredAnswer] = {}
        t = idempotency.c
        columns = (t.key, t.scope, t.request_hash, t.status, t.job_id, t.response)
        with self._database.reading() as connection:
            for chunk in _chunks(keys):
                same = [(t.scope == scope) & (t.key == key) for key, scope in chunk]
                for row in connection.execute(select(*columns).where(or_(*same))):
                    found[row[0], row[1]] = StoredAnswer(row[2], row[3], row[4], from_json(row[5]))
        return found

    def expire_idempotency(self, before: str) -> int:
        """Forget the answers given before that time; how many."""
        with self._database.writing() as connection:
            return connection.execute(
                idempotency.delete().where(idempotency.c.created_time < before)
            ).rowcount

    def prune_events(self, before: str) -> int:
        """Drop the lines of the event feed from before that time; how many. Numbers are never reused."""
        with self._database.writing() as connection:
            return connection.execute(events.delete().where(events.c.time < before)).rowcount

    def claim_service(self, name: str, *, process_id: int, url: str, now: str) -> int:
        """Become service ``name`` and fence who was it before; the new epoch of the service.

        From here on this store commits only while its claim is the latest. No job's row is touched, so a
        million pending jobs cost nothing at a start.
        """
        with self._database.writing() as connection:
            values = {"process_id": process_id, "url": url, "started_time": now, "alive_time": now}
            claim = update(services).where(services.c.name == name)
            epoch = connection.scalar(
                claim.values(epoch=services.c.epoch + 1, **values).returning(services.c.epoch)
            )
            if epoch is None:
                connection.execute(services.insert().values(name=name, epoch=1, **values))
                epoch = 1
        self._service = (name, epoch)
        return int(epoch)

    def beat(self, name: str, epoch: int, now: str) -> None:
        """Say that service ``name`` is alive. Raises ConflictError when another claimed the name."""
        still_ours = (services.c.name == name) & (services.c.epoch == epoch)
        with self._database.writing() as connection:
            beaten = connection.execute(update(services).where(still_ours).values(alive_time=now))
            if beaten.rowcount != 1:
                raise ConflictError(f"service {name} was claimed by another process", service=name)

    def _run(self, connection: Connection, step: Step) -> None:
        if step.statement is self._statements.insert_event and not self._database.is_sqlite:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({EVENT_ORDER_LOCK})")
        if step.statement.run(connection, step.rows) != len(step.rows) and step.is_guarded:
            raise Stale

    def _check_service(self, connection: Connection) -> None:
        if self._service is None:
            return
        name, epoch = self._service
        if self._epoch.row(connection, name=name) != (epoch,):
            raise ConflictError(f"service {name} was claimed by another process", service=name)

    def _name_stale(self, batch: Batch) -> ConflictError:
        """Which guarded rows of a refused batch are not as expected."""
        found: dict[str, tuple[int, int]] = {}
        pending: set[str] = set()
        with self._database.reading() as connection:
            for chunk in _chunks(batch.expected_jobs):
                wanted = select(jobs.c.job_id, jobs.c.revision, jobs.c.epoch).where(jobs.c.job_id.in_(chunk))
                found.update((row[0], (row[1], row[2])) for row in connection.execute(wanted))
            for chunk in _chunks([*batch.updated_transitions, *batch.settled_transitions]):
                rows = select(transitions.c.transition_id).where(
                    _PENDING, transitions.c.transition_id.in_(chunk)
                )
                pending.update(connection.scalars(rows))
        stale = {i for i, expected in batch.expected_jobs.items() if found.get(i) != expected}
        settled = {
            i: t.job_id
            for i, t in (batch.updated_transitions | batch.settled_transitions).items()
            if i not in pending
        }
        named = sorted(stale | set(settled.values()))
        return ConflictError(
            f"{', '.join(named) or 'a row'} was changed by another owner or before; nothing was written",
            jobs=named,
            transitions=sorted(settled),
        )


def _load_chunk(connection: Connection, job_ids: list[str], loaded: dict[str, LoadedJob]) -> None:
    for row in connection.execute(select(*JOB_COLUMNS).where(jobs.c.job_id.in_(job_ids))).all():
        loaded[row[0]] = LoadedJob(job_from_row(row), [], [])
    t = transitions.c
    wanted = (
        select(*TRANSITION_COLUMNS)
        .join(jobs, jobs.c.job_id == t.job_id)
        .where(
            t.job_id.in_(job_ids),
            t.status.in_(("Pending", "Passed", "Skipped")),
            or_(
                t.status == "Pending",
                t.position.is_not(None),
                t.job_description.is_not(None),
                t.sequence == jobs.c.history_length,
            ),
        )
        .order_by(*LIST_ORDER)
    )
    for row in connection.execute(wanted).all():
        transition = transition_from_row(row)
        entry = loaded[transition.job_id]
        is_pending = transition.status is TransitionStatus.PENDING
        (entry.pending if is_pending else entry.passed).append(transition)


def _chunks(items: Iterable[_T]) -> Iterator[list[_T]]:
    everything = list(items)
    for start in range(0, len(everything), CHUNK):
        yield everything[start : start + CHUNK]
