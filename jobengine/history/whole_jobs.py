"""Jobs together with their transitions, as one consistent view: what a client gets when it asks for a job.

Read-only and thread-safe. Deleted jobs are not there. Single parts are read by `jobengine.history.reader`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, literal_column, or_, select

from jobengine.errors import NotFoundError
from jobengine.history.database import Database
from jobengine.history.fixed_select import FixedSelect
from jobengine.history.loading import LIST_ORDER
from jobengine.history.rows import JOB_COLUMNS, TRANSITION_COLUMNS, job_from_row, transition_from_row
from jobengine.history.tables import jobs, transitions
from jobengine.model.record import JobRecord, TransitionRecord


class WholeJob(NamedTuple):
    """A job and all its rows: settled ones as they passed, then the others in list order."""

    job: JobRecord
    transitions: list[TransitionRecord]


_CHUNK = 500
"""Ids per statement."""

# No parameter: with one there, SQLite makes a new plan at each run, to see whether a partial index would do.
_IS_PENDING = transitions.c.status == literal_column("'Pending'")

# Made once: putting a statement of fifty columns together costs more than running it.
_JOB = select(*JOB_COLUMNS).where(jobs.c.job_id == bindparam("job_id"), jobs.c.deleted_time.is_(None))
_TRANSITIONS = (
    select(*TRANSITION_COLUMNS).where(transitions.c.job_id == bindparam("job_id")).order_by(*LIST_ORDER)
)
_TRANSITIONS_SINCE = (
    select(*TRANSITION_COLUMNS)
    .where(
        transitions.c.job_id == bindparam("job_id"),
        or_(
            transitions.c.sequence > bindparam("sequence"),
            # Saying that it has no sequence lets both halves be found in the index of (job_id, sequence).
            transitions.c.sequence.is_(None) & _IS_PENDING,
        ),
    )
    .order_by(*LIST_ORDER)
)
_SOME_TRANSITIONS = select(*TRANSITION_COLUMNS).where(
    transitions.c.job_id == bindparam("job_id"),
    transitions.c.transition_id.in_(bindparam("transition_ids", expanding=True)),
)
_TRANSITIONS_OF_MANY = (
    select(*TRANSITION_COLUMNS)
    .where(transitions.c.job_id.in_(bindparam("job_ids", expanding=True)))
    .order_by(*LIST_ORDER)
)


class WholeJobs:
    """Every method may block for the database and raises UnavailableError."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._job = FixedSelect(database.engine.dialect, _JOB)
        self._transitions_since = FixedSelect(database.engine.dialect, _TRANSITIONS_SINCE)

    def get(self, job_id: str) -> WholeJob:
        """Raises NotFoundError."""
        with self._database.reading() as connection:
            job = self._read_job(connection, job_id)
            rows = connection.execute(_TRANSITIONS, {"job_id": job_id})
            return WholeJob(job, [transition_from_row(t) for t in rows])

    def since(self, job_id: str, sequence: int) -> WholeJob:
        """A job with its rows settled after ``sequence`` and the pending ones. Raises NotFoundError."""
        with self._database.reading() as connection:
            job = self._read_job(connection, job_id)
            rows = self._transitions_since.rows(connection, job_id=job_id, sequence=sequence)
            return WholeJob(job, [transition_from_row(t) for t in rows])

    def some(self, job_id: str, transition_ids: Sequence[str]) -> WholeJob:
        """A job with only the rows of these ids, in their order. Raises NotFoundError for the job."""
        with self._database.reading() as connection:
            job = self._read_job(connection, job_id)
            found = {}
            for start in range(0, len(transition_ids), _CHUNK):
                wanted = {"job_id": job_id, "transition_ids": list(transition_ids[start : start + _CHUNK])}
                for one in connection.execute(_SOME_TRANSITIONS, wanted):
                    transition = transition_from_row(one)
                    found[transition.transition_id] = transition
            return WholeJob(job, [found[i] for i in transition_ids if i in found])

    def transitions_of(self, job_ids: Sequence[str]) -> dict[str, list[TransitionRecord]]:
        """The rows of each of these jobs (at most a page of them), in one statement."""
        found: dict[str, list[TransitionRecord]] = {job_id: [] for job_id in job_ids}
        with self._database.reading() as connection:
            for row in connection.execute(_TRANSITIONS_OF_MANY, {"job_ids": list(job_ids)}):
                transition = transition_from_row(row)
                found[transition.job_id].append(transition)
        return found

    def _read_job(self, connection: Connection, job_id: str) -> JobRecord:
        row = self._job.row(connection, job_id=job_id)
        if row is None:
            raise NotFoundError(f"there is no job {job_id}")
        return job_from_row(row)
