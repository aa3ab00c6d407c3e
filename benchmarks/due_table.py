"""A due table and a poller over it, bare: the least that makes a trigger durable, where nothing is decided.

``sqlite3`` alone, in a process of its own, WAL, ``synchronous=FULL``. In the table are a whole number as key,
when a row is due and when it was claimed, and beside it an index by due time of what is not claimed: no job,
no history, no hash, no event, nobody who is told. There are as many rows as ours has pending, and those of a
burst are spread over all of them, as ours are. The poller looks every `PERIOD_S`, at once after a full batch,
and claims up to `AT_ONCE` rows in one statement, which is one transaction. Its log of changes may grow as
long as ours, and is put into the file between bursts.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.bursts import Burst, Lateness, spread_places
from benchmarks.peers import Order, obey, peer
from benchmarks.prepared import FAR, SPAN
from jobengine.history.database import WAL_LIMIT_PAGES

AT_ONCE = 500
PERIOD_S = 0.005
PATIENCE_S = 60.0
"""How long after its call a burst may take."""

_TABLE = "CREATE TABLE due (id INTEGER PRIMARY KEY, due_s REAL NOT NULL, claimed_s REAL)"
_INDEX = "CREATE INDEX ix_due ON due (due_s) WHERE claimed_s IS NULL"
_FILL = (
    "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < :count - 1)"
    " INSERT INTO due SELECT i, :first_s + :span_s * i / :count, NULL FROM n"
)
_CLAIM = (
    "UPDATE due SET claimed_s = :now_s WHERE id IN"
    " (SELECT id FROM due WHERE claimed_s IS NULL AND due_s <= :now_s ORDER BY due_s LIMIT :limit)"
    " RETURNING due_s"
)


Poller = Callable[[Burst], Lateness]


@contextmanager
def poller(folder: Path, pending: int, bursts: Sequence[Burst]) -> Iterator[Poller]:
    """A process that claims the bursts, each when it is called with it, before it is due."""
    path = folder / "due.db"
    with closing(_opened(path)) as connection:
        _fill(connection, pending, bursts)
    with peer(_serve, str(path)) as order:
        yield partial(_claimed, order)


def _claimed(order: Order, burst: Burst) -> Lateness:
    if datetime.now(UTC) > burst.first:
        raise RuntimeError("what came before a burst of the due table took longer than there was time")
    rows = order(burst.count)
    stamped = [(stamped_s - due_s) * 1000 for due_s, stamped_s, _ in rows]
    return Lateness(stamped, [(on_disk_s - due_s) * 1000 for due_s, _, on_disk_s in rows])


def _serve(channel: Connection, path: str) -> None:
    with closing(_opened(Path(path))) as connection:
        obey(channel, partial(_claim, connection))


def _claim(connection: sqlite3.Connection, count: int) -> list[tuple[float, float, float]]:
    """Poll until ``count`` rows are claimed: when each was due, its time stamp, and when it was on disk."""
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    claimed: list[tuple[float, float, float]] = []
    deadline_s = time.time() + PATIENCE_S
    while len(claimed) < count:
        now_s = time.time()
        if now_s > deadline_s:
            raise RuntimeError(f"only {len(claimed):,} rows of the due table have been claimed")
        rows = connection.execute(_CLAIM, {"now_s": now_s, "limit": AT_ONCE}).fetchall()
        on_disk_s = time.time()
        claimed += [(due_s, now_s, on_disk_s) for (due_s,) in rows]
        if len(rows) < AT_ONCE:
            time.sleep(PERIOD_S)
    return claimed


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_LIMIT_PAGES}")
    return connection


def _fill(connection: sqlite3.Connection, pending: int, bursts: Sequence[Burst]) -> None:
    """``pending`` rows, of which those of ``bursts`` are due soon."""
    connection.execute(_TABLE)
    given = {"count": pending, "first_s": FAR.timestamp(), "span_s": SPAN / timedelta(seconds=1)}
    connection.execute(_FILL, given)
    connection.execute("BEGIN")
    for places, burst in zip(spread_places(pending, bursts), bursts, strict=True):
        moved = zip((moment.timestamp() for moment in burst.moments), places, strict=True)
        connection.executemany("UPDATE due SET due_s = ? WHERE id = ?", moved)
    connection.execute("COMMIT")
    connection.execute(_INDEX)
    connection.execute("ANALYZE")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
