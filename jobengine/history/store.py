"""The store as the engine sees it: batches to write, and the few reads on which it decides.

Reads for clients are in `jobengine.history.reader`. The engine calls this from the thread that decides and
from the one that commits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    String,
    and_,
    bindparam,
    cast,
    func,
    literal_column,
    or_,
    select,
    text,
    tuple_,
    update,
)

from jobengine.errors import ConflictError
from jobengine.history.answers import find_answers
from jobengine.history.batch import Batch, Step
from jobengine.history.database import Database
from jobengine.history.fixed_select import FixedSelect
from jobengine.history.loading import BareJob, JobLoading, LoadedJob, load_bare
from jobengine.history.one_way import in_one_way
from jobengine.history.row_change import rows_hit
from jobengine.history.rows import StoredAnswer, output_from_row
from jobengine.history.statements import Statements
from jobengine.history.tables import HAS_WORKER, events, idempotency, jobs, outputs, services, transitions
from jobengine.model.record import OutputRecord

_T = TypeVar("_T")

CHUNK = 500
"""Ids per statement: well under every database's limit of parameters."""

_PENDING: ColumnElement[bool] = transitions.c.status == literal_column(
    "'Pending'"
)  # as the partial indexes say it

# Made once: putting a statement together costs more than running it.
_SERVICE = cast(bindparam("service"), String)
_WAKING = transitions.join(jobs, jobs.c.job_id == transitions.c.job_id)
_IS_WAKING = and_(
    _PENDING, transitions.c.wake_time.is_not(None), or_(_SERVICE.is_(None), jobs.c.service == _SERVICE)
)
_WAKE_ORDER = (transitions.c.wake_time, transitions.c.transition_id)
_AFTER = tuple_(*_WAKE_ORDER) > tuple_(
    cast(bindparam("after_time"), String), cast(bindparam("after_id"), String)
)
_DUE = (
    select(transitions.c.wake_time, transitions.c.job_id, transitions.c.transition_id)
    .select_from(_WAKING)
    .where(_IS_WAKING, _AFTER, transitions.c.wake_time <= bindparam("until"))
    .order_by(*_WAKE_ORDER)
    .limit(bindparam("limit"))
)
_PUT_OFF = _DUE.where(or_(transitions.c.due_time.is_(None), transitions.c.due_time <= bindparam("now")))
_NEXT_WAKE = (
    select(transitions.c.wake_time, transitions.c.job_id, transitions.c.transition_id)
    .select_from(_WAKING)
    .where(_IS_WAKING, _AFTER)
    .order_by(*_WAKE_ORDER)
    .limit(literal_column("1"))
)
_EPOCH = select(services.c.epoch).where(services.c.name == bindparam("name")).with_for_update(read=True)


class _Undone(Exception):
    """Ends a transaction of which nothing is to be kept."""


class Stale(Exception):
    """Guarded updates hit fewer rows than expected; the store finds out which and tells."""


class Prepared(NamedTuple):
    """A batch, ready to be written."""

    batch: Batch
    steps: list[Step]


class SqlJobStore:
    """Jobs in SQL. Every method may block for the database and raises UnavailableError when it is away."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._statements = Statements(database.engine.dialect)
        self._loading = JobLoading(database.engine.dialect)
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
                self._run(connection, prepared.steps)
        except Stale as error:
            raise self._name_stale(prepared.batch) from error

    def try_out(self, batch: Batch) -> None:
        """Write a batch and keep nothing of it; raises what `commit` would."""
        try:
            with suppress(_Undone), self._database.writing() as connection:
                self._run(connection, self.prepare(batch).steps)
                raise _Undone
        except Stale as error:
            raise self._name_stale(batch) from error

    def get_ready(self) -> None:
        """Do what the first `write` would for its connection, ahead; nothing is written. Raises
        UnavailableError."""
        with self._database.writing() as connection, in_one_way(connection) as driver:
            for statement in self._statements.all():
                statement.get_ready(driver)

    def load_jobs(self, job_ids: Iterable[str]) -> dict[str, LoadedJob]:
        """The jobs of ``job_ids`` that exist, each with what the engine needs to go on."""
        loaded: dict[str, LoadedJob] = {}
        with self._database.reading() as connection:
            for chunk in _chunks(job_ids):
                loaded |= self._loading.load(connection, chunk)
        return loaded

    def load_bare(self, job_id: str) -> BareJob | None:
        """A job by its own row, whatever else of it can't be read; None if there is none."""
        with self._database.reading() as connection:
            return load_bare(connection, job_id)

    def jobs_with_workers(self, service: str) -> list[str]:
        """Ids of the service's jobs that have a worker, had one at its end, or wait for another."""
        is_ours = jobs.c.is_active.is_(True) & (jobs.c.service == service)
        wanted = select(jobs.c.job_id).where(is_ours, text(f"({HAS_WORKER})"))
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
        self, now_text: str, limit: int, service: str | None = None, after: tuple[str, str] = ("", "")
    ) -> list[tuple[str, str, str]]:
        """(wake time, job id, transition id) of what must be woken by ``now_text``, earliest first.

        ``after`` leaves out everything up to a wake time and, of those at that time, a transition id.
        """
        return self._waking(_DUE, after, until=now_text, limit=limit, service=service)

    def put_off(self, now_text: str, until_text: str, limit: int, service: str) -> list[tuple[str, str, str]]:
        """As `due`: what is due by ``now_text`` and was put off, to be woken later, but by ``until_text``."""
        after = (now_text, "")
        return self._waking(_PUT_OFF, after, until=until_text, limit=limit, service=service, now=now_text)

    def next_wake(self, service: str | None = None, after: tuple[str, str] = ("", "")) -> str | None:
        """The earliest wake time behind ``after``, as in `due`; None when nothing more waits for a clock."""
        found = self._waking(_NEXT_WAKE, after, service=service)
        return found[0][0] if found else None

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
        with self._database.reading() as connection:
            for chunk in _chunks(keys):
                found |= find_answers(connection, chunk)
        return found

    def expire_idempotency(self, before: str) -> int:
        """Forget the answers given before that time; how many."""
        with self._database.writing() as connection:
            return connection.execute(
                idempotency.delete().where(idempotency.c.created_time < before)
            ).rowcount

    def prune_events(self, before: str) -> int:
        """Drop the oldest lines of the event feed, up to the first from that time or later; how many.

        Numbers are never reused.
        """
        kept = select(events.c.sequence).where(events.c.time >= before).order_by(events.c.sequence).limit(1)
        newest = select(func.max(events.c.sequence) + 1)
        is_old = events.c.sequence < func.coalesce(kept.scalar_subquery(), newest.scalar_subquery())
        with self._database.writing() as connection:
            return connection.execute(events.delete().where(is_old)).rowcount

    def tidy(self) -> None:
        """What makes later commits quick, for when nobody waits: see `Database.checkpoint`."""
        self._database.checkpoint()

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

    def _waking(
        self, wanted: Select[Any], after: tuple[str, str], **given: Any
    ) -> list[tuple[str, str, str]]:
        with self._database.reading() as connection:
            values = {"after_time": after[0], "after_id": after[1], **given}
            return [(row[0], row[1], row[2]) for row in connection.execute(wanted, values).all()]

    def _run(self, connection: Connection, steps: list[Step]) -> None:
        """Everything but the commit, in one way: what it comes to is looked at before that."""
        name, epoch = self._service or ("", 0)
        with in_one_way(connection) as driver:
            claim = self._epoch.ask(driver, {"name": name})
            ran = [step.statement.run(driver, step.rows) for step in steps]
        if self._service is not None and self._epoch.answer(claim) != [(epoch,)]:
            raise ConflictError(f"service {name} was claimed by another process", service=name)
        if any(step.is_guarded and rows_hit(r) != len(step.rows) for step, r in zip(steps, ran, strict=True)):
            raise Stale

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
        meant = {i: t.job_id for i, t in batch.updated_transitions.items()}
        meant |= {i: job_id for i, (job_id, _) in batch.settled_transitions.items()}
        settled = {i: job_id for i, job_id in meant.items() if i not in pending}
        named = sorted(stale | set(settled.values()))
        return ConflictError(
            f"{', '.join(named) or 'a row'} was changed by another owner or before; nothing was written",
            jobs=named,
            transitions=sorted(settled),
        )


def _chunks(items: Iterable[_T]) -> Iterator[list[_T]]:
    everything = list(items)
    for start in range(0, len(everything), CHUNK):
        yield everything[start : start + CHUNK]
