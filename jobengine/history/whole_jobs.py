"""Jobs together with their transitions, as one consistent view: what a client gets when it asks for a job.

Read-only and thread-safe. Deleted jobs are not there. Single parts are read by `jobengine.history.reader`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import bindparam, literal_column, or_, select

from jobengine.errors import NotFoundError
from jobengine.history.database import Database
from jobengine.history.fixed_select import FixedSelect, Wanted, read_together
from jobengine.history.loading import LIST_ORDER
from jobengine.history.rows import JOB_COLUMNS, TRANSITION_COLUMNS
from jobengine.history.salvage import shown_job, shown_transition
from jobengine.history.tables import jobs, transitions
from jobengine.model.record import JobRecord, TransitionRecord


class WholeJob(NamedTuple):
    """A job and all its rows: settled ones as they passed, then the others in list order."""

    job: JobRecord
    transitions: list[TransitionRecord]


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
_TRANSITION = select(*TRANSITION_COLUMNS).where(
    transitions.c.job_id == bindparam("job_id"), transitions.c.transition_id == bindparam("transition_id")
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
        self._transitions = FixedSelect(database.engine.dialect, _TRANSITIONS)
        self._transitions_since = FixedSelect(database.engine.dialect, _TRANSITIONS_SINCE)
        self._transition = FixedSelect(database.engine.dialect, _TRANSITION)

    def get(self, job_id: str) -> WholeJob:
        """Raises NotFoundError."""
        return self._read(job_id, [(self._transitions, {"job_id": job_id})])

    def since(self, job_id: str, sequence: int) -> WholeJob:
        """A job with its rows settled after ``sequence`` and the pending ones. Raises NotFoundError."""
        return self._read(job_id, [(self._transitions_since, {"job_id": job_id, "sequence": sequence})])

    def some(self, job_id: str, transition_ids: Sequence[str]) -> WholeJob:
        """A job with only the rows of these ids, in their order. Raises NotFoundError for the job."""
        return self._read(
            job_id, [(self._transition, {"job_id": job_id, "transition_id": one}) for one in transition_ids]
        )

    def transitions_of(self, job_ids: Sequence[str]) -> dict[str, list[TransitionRecord]]:
        """The rows of each of these jobs (at most a page of them), in one statement."""
        found: dict[str, list[TransitionRecord]] = {job_id: [] for job_id in job_ids}
        with self._database.reading() as connection:
            for row in connection.execute(_TRANSITIONS_OF_MANY, {"job_ids": list(job_ids)}):
                transition = shown_transition(row)
                found[transition.job_id].append(transition)
        return found

    def _read(self, job_id: str, wanted: Sequence[Wanted]) -> WholeJob:
        with self._database.reading() as connection:
            found, *rows = read_together(connection, [(self._job, {"job_id": job_id}), *wanted])
        if not found:
            raise NotFoundError(f"there is no job {job_id}")
        return WholeJob(shown_job(found[0]), [shown_transition(row) for some in rows for row in some])
