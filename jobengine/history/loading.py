"""Jobs read as the engine goes on with them: their pending rows, and what there is to know of the others.

The statements are fixed, whatever number of jobs is asked for: the ids are given as one value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Dialect,
    Text,
    any_,
    bindparam,
    cast,
    func,
    literal_column,
    or_,
    select,
)

from jobengine.history.fixed_select import FixedSelect, read_together
from jobengine.history.rows import JOB_COLUMNS, TRANSITION_COLUMNS, job_from_row, transition_from_row
from jobengine.history.tables import jobs, transitions
from jobengine.model.lifecycle import TransitionStatus
from jobengine.model.record import JobRecord, TransitionRecord

LIST_ORDER = (
    transitions.c.sequence.is_(None),
    transitions.c.sequence,
    transitions.c.position,
    transitions.c.transition_id,
)
"""Settled rows as they passed, then the others as they are in the list."""


class LoadedJob(NamedTuple):
    """A job with what is needed to go on with it."""

    job: JobRecord
    pending: list[TransitionRecord]
    """In the order of the list."""
    passed: list[TransitionRecord]
    """In the order of passing: every row with a description or a place in the list, and the last one."""


class BareJob(NamedTuple):
    """A job by its own row, without what its client says of it if that can't be read."""

    job: JobRecord
    position: dict[str, Any]
    """Where its stream was when its last row passed."""
    waking: list[str]
    """Its pending transitions that have a wake time."""


_BARE = select(*JOB_COLUMNS).where(jobs.c.job_id == bindparam("job_id"))
_CLIENT_DATA = jobs.c.keys().index(jobs.c.client_data.key)
_LAST_POSITION = (
    select(transitions.c.stream_position)
    .where(transitions.c.job_id == bindparam("job_id"), transitions.c.sequence.is_not(None))
    .order_by(transitions.c.sequence.desc())
    .limit(literal_column("1"))
)

_ITS_WAKING = select(transitions.c.transition_id).where(
    transitions.c.job_id == bindparam("job_id"),
    transitions.c.status == literal_column("'Pending'"),
    transitions.c.wake_time.is_not(None),
)


def load_bare(connection: Connection, job_id: str) -> BareJob | None:
    """None if there is no such job. Blocks for the database; raises DBAPIError, and TypeError if one of its
    numbers is none."""
    row = connection.execute(_BARE, {"job_id": job_id}).one_or_none()
    if row is None:
        return None
    position = _position(connection.scalar(_LAST_POSITION, {"job_id": job_id}))
    try:
        record = job_from_row(row)
    except msgspec.DecodeError:
        record = job_from_row((*row[:_CLIENT_DATA], None, *row[_CLIENT_DATA + 1 :]))
    numbers = (record.revision, record.epoch, record.history_length, record.transition_count)
    if not all(isinstance(number, int) for number in numbers):
        raise TypeError(f"numbers of the job are none: {numbers}")
    return BareJob(record, position, list(connection.scalars(_ITS_WAKING, {"job_id": job_id})))


def _position(text: str | None) -> dict[str, Any]:
    """Of a job that never ran, and where it can't be read, the beginning."""
    try:
        return msgspec.json.decode(text or "null", type=dict[str, Any])
    except msgspec.MsgspecError:
        return {"pts": 0, "timeBase": "1/1"}


class JobLoading:
    """For one kind of database."""

    def __init__(self, dialect: Dialect) -> None:
        self._is_sqlite = dialect.name == "sqlite"
        self._jobs = FixedSelect(dialect, select(*JOB_COLUMNS).where(self._among(jobs.c.job_id)))
        t = transitions.c
        needed = or_(
            t.status == literal_column("'Pending'"),
            t.position.is_not(None),
            t.job_description.is_not(None),
            t.sequence == jobs.c.history_length,
        )
        rows = select(*TRANSITION_COLUMNS).join(jobs, jobs.c.job_id == t.job_id)
        wanted = rows.where(self._among(t.job_id), t.status != literal_column("'Superseded'"), needed)
        self._rows = FixedSelect(dialect, wanted.order_by(*LIST_ORDER))

    def load(self, connection: Connection, job_ids: Sequence[str]) -> dict[str, LoadedJob]:
        """Those of ``job_ids`` that exist. Blocks for the database; raises DBAPIError."""
        ids = msgspec.json.encode(job_ids).decode() if self._is_sqlite else list(job_ids)
        found, rows = read_together(connection, [(self._jobs, {"ids": ids}), (self._rows, {"ids": ids})])
        loaded = {row[0]: LoadedJob(job_from_row(row), [], []) for row in found}
        for row in rows:
            transition = transition_from_row(row)
            job = loaded[transition.job_id]
            is_pending = transition.status is TransitionStatus.PENDING
            (job.pending if is_pending else job.passed).append(transition)
        return loaded

    def _among(self, column: ColumnElement[str]) -> ColumnElement[bool]:
        given: Any = bindparam("ids")
        if self._is_sqlite:
            return column.in_(select(literal_column("value")).select_from(func.json_each(given)))
        return column == any_(cast(given, ARRAY(Text)))
