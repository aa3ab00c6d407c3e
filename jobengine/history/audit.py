"""Is the history what was written? Checks the hash chains and exports histories with their hashes.

Found are changed, removed (also the last), inserted and re-ordered rows. Not found is a forger who
computes the whole chain of a job anew, head included: keep exported head hashes somewhere else. How the
hash is made is in `jobengine.model.chain`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, select

from jobengine.errors import NotFoundError
from jobengine.history.database import Database
from jobengine.history.rows import JOB_COLUMNS, TRANSITION_COLUMNS, Row, job_from_row
from jobengine.history.tables import jobs, transitions
from jobengine.model.chain import HashedRow, number
from jobengine.model.lifecycle import TransitionStatus

FETCH = 2_000
"""Rows in memory at a time."""

_PLACE = {column.name: i for i, column in enumerate(TRANSITION_COLUMNS)}
_ID, _STATUS, _SEQUENCE, _PREVIOUS, _HASH = (
    _PLACE[name] for name in ("transition_id", "status", "sequence", "previous_hash", "hash")
)
_covered = itemgetter(*(_PLACE[name] for name in HashedRow.__struct_fields__))
"""What the hash of a row covers, in the order of `HashedRow`."""
_DOCUMENTS = tuple(
    HashedRow.__struct_fields__.index(name)
    for name in ("info", "job_description", "resolved", "stream_position", "trigger")
)
_LATENESS = HashedRow.__struct_fields__.index("lateness_ms")
_LENGTH, _HEAD, _JOB = len(_PLACE), len(_PLACE) + 1, len(_PLACE) + 2


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. ``kind``: changed, removed, inserted, moved, head or orphan."""

    job_id: str
    kind: str
    detail: str
    transition_id: str | None = None
    sequence: int | None = None


@dataclass(slots=True)
class Verification:
    """The result of a check; ``rows`` and ``jobs`` count what was looked at."""

    jobs: int = 0
    rows: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def is_intact(self) -> bool:
        return not self.findings


def verify(database: Database, job_id: str | None = None) -> Verification:
    """Check the history of one job or of all, deleted jobs included, in one consistent view.

    Streams, so memory does not grow with the history. Raises NotFoundError and UnavailableError.
    """
    result = Verification()
    with database.reading() as connection:
        for of_job, rows in groupby(_stream(connection, job_id), key=itemgetter(_JOB)):
            result.jobs += 1
            _verify_job(of_job, rows, result)
        if job_id is None:
            result.findings += _orphans(connection)
    if job_id is not None and not result.jobs:
        raise NotFoundError(f"there is no job {job_id}")
    return result


def export(database: Database, job_id: str) -> dict[str, Any]:
    """The job, its settled rows exactly as they are hashed, its head hash and the result of the check.

    Whoever has the document can check it: the SHA-256 of a row's RFC 8785 JSON without ``hash`` is its
    ``hash``, and ``previousHash`` is the hash of the row before. Raises NotFoundError.
    """
    checked = verify(database, job_id)
    with database.reading() as connection:
        job = job_from_row(connection.execute(select(*JOB_COLUMNS).where(jobs.c.job_id == job_id)).one())
        settled = [row for row in _stream(connection, job_id) if row[_ID] is not None]
    rows = [{**msgspec.json.decode(_hashed(row).bytes()), "hash": row[_HASH]} for row in settled]
    return {
        "job": {_camel(name): value for name, value in asdict(job).items()},
        "history": [row for row in rows if row["status"] != TransitionStatus.SUPERSEDED],
        "superseded": [row for row in rows if row["status"] == TransitionStatus.SUPERSEDED],
        "headHash": job.history_hash,
        "verification": {
            "intact": checked.is_intact,
            "rows": checked.rows,
            "findings": [{_camel(k): v for k, v in asdict(f).items()} for f in checked.findings],
        },
    }


def _stream(connection: Connection, job_id: str | None) -> Iterator[Row]:
    """Every settled row with its job's head, each chain in order; a job without any gives one row of NULLs.

    Where Superseded rows come, which have no sequence, differs between databases and does not matter.
    """
    t = transitions.c
    settled = (t.job_id == jobs.c.job_id) & (t.status != "Pending")
    wanted: Select[Any] = (
        select(*TRANSITION_COLUMNS, jobs.c.history_length, jobs.c.history_hash, jobs.c.job_id.label("of_job"))
        .select_from(jobs.outerjoin(transitions, settled))
        .order_by(jobs.c.job_id, t.sequence)
    )
    if job_id is not None:
        wanted = wanted.where(jobs.c.job_id == job_id)
    if connection.dialect.name != "sqlite":
        yield from connection.execution_options(yield_per=FETCH).execute(wanted)
        return
    # SQLite's driver streams by itself, and its plain tuples come in two thirds of the time.
    cursor = connection.execute(wanted).cursor
    while rows := cursor.fetchmany(FETCH):
        yield from rows


def _verify_job(job_id: str, rows: Iterator[Row], result: Verification) -> None:
    length, previous = 0, ""
    found = result.findings
    head: Row | None = None
    for row in rows:
        head = row
        if row[_ID] is None:
            break
        result.rows += 1
        if not _is_unchanged(row):
            found.append(_about(row, "changed", "the row is not what was written"))
        if row[_STATUS] == TransitionStatus.SUPERSEDED and row[_SEQUENCE] is None:
            continue
        if row[_SEQUENCE] is None:
            found.append(_about(row, "inserted", "the row passed but has no place in the history"))
            continue
        length += 1
        if row[_SEQUENCE] != length:
            found.append(_about(row, "removed", f"{_rows(length, row[_SEQUENCE] - 1)} missing before it"))
            length = row[_SEQUENCE]
        elif row[_PREVIOUS] != previous:
            found.append(_about(row, "moved", "it does not follow the row that is before it"))
        previous = row[_HASH]
    if head is not None:
        _verify_head(job_id, head, (length, previous), found)


def _rows(first: int, last: int) -> str:
    return f"row {first} is" if first == last else f"rows {first} to {last} are"


def _verify_head(job_id: str, head: Row, reached: tuple[int, str], found: list[Finding]) -> None:
    length, last_hash = reached
    if length < head[_LENGTH]:
        text = f"{_rows(length + 1, head[_LENGTH])} missing at the end of the history"
        found.append(Finding(job_id, "removed", text, sequence=length + 1))
    elif length > head[_LENGTH]:
        text = f"the history has {length} rows but the job knows of {head[_LENGTH]}"
        found.append(Finding(job_id, "inserted", text, sequence=head[_LENGTH] + 1))
    elif last_hash != head[_HEAD]:
        found.append(Finding(job_id, "head", "the last row is not the one that the job knows as its last"))


def _is_unchanged(row: Row) -> bool:
    """Whether the row has its hash, and its documents are whole documents.

    The second matters because the hash is over the row's texts put together: text moved from the end of
    one document to the start of the next would not show.
    """
    try:
        hashed = _hashed(row)
        for document in (hashed.info, hashed.job_description, hashed.resolved, hashed.stream_position):
            if document is not None:
                _check_json(document)
        _check_json(hashed.trigger)
    except (msgspec.DecodeError, TypeError, ValueError):
        return False
    return bool(hashed.hash() == row[_HASH])


_check_json = msgspec.json.Decoder(msgspec.Raw).decode


def _hashed(row: Row) -> HashedRow:
    """A stored row as its hash covers it."""
    values = list(_covered(row))
    for place in _DOCUMENTS:
        if values[place] is not None:
            values[place] = msgspec.Raw(values[place])
    values[_LATENESS] = number(values[_LATENESS])
    return HashedRow(*values)


def _about(row: Row, kind: str, detail: str) -> Finding:
    return Finding(row[_JOB], kind, detail, row[_ID], row[_SEQUENCE])


def _orphans(connection: Connection) -> list[Finding]:
    """Jobs that are gone although they had history."""
    wanted = (
        select(transitions.c.job_id)
        .outerjoin(jobs, jobs.c.job_id == transitions.c.job_id)
        .where(jobs.c.job_id.is_(None))
        .distinct()
    )
    text = "the job is gone but rows of its history are there"
    return [Finding(job_id, "orphan", text) for job_id in connection.scalars(wanted)]


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.title() for part in tail)
