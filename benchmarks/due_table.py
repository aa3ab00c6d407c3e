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
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.bursts import Burst, Lateness, spread_places
from benchmarks.peers import Order, obey, peer
from jobengine.history.database import WAL_LIMIT_PAGES

AT_ONCE = 500
PERIOD_S = 0.005
SOON_S = 2.0
"""From a call to the beginning of its burst, so that whoever had the turn before has tidied up."""
APART_S = 1_000.0
"""Due times in the table count from a moment that each call sets, so that a burst waits for its turn. It is
so long from one to the next."""
PATIENCE_S = 60.0
"""How long a burst may take."""

FAR_S, SPAN_S = 1e9, 3e7
"""When the others fall due: for no run of a benchmark."""
SECOND = timedelta(seconds=1)

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


Poller = Callable[[int], tuple[Burst, Lateness]]


@contextmanager
def poller(folder: Path, pending: int, bursts: Sequence[Burst]) -> Iterator[Poller]:
    """A process that has a burst like each of ``bursts``, a moment after it is called with its number."""
    path = folder / "due.db"
    with closing(_opened(path)) as connection:
        _fill(connection, pending, bursts)
    with peer(_serve, str(path)) as order:
        yield lambda number: _claimed(order, number, bursts[number])


def _claimed(order: Order, number: int, like: Burst) -> tuple[Burst, Lateness]:
    first_s, rows = order(number, like.count)
    stamped = [(stamped_s - due_s) * 1000 for due_s, stamped_s, _ in rows]
    on_disk = [(on_disk_s - due_s) * 1000 for due_s, _, on_disk_s in rows]
    return replace(like, first=datetime.fromtimestamp(first_s, UTC)), Lateness(stamped, on_disk)


def _serve(channel: Connection, path: str) -> None:
    with closing(_opened(Path(path))) as connection:
        obey(channel, partial(_claim, connection))


def _claim(
    connection: sqlite3.Connection, number: int, count: int
) -> tuple[float, list[tuple[float, float, float]]]:
    """Poll until all ``count`` rows of a burst are claimed, which begins soon.

    When that is, and of each row when it was due, its time stamp, and when it was on disk.
    """
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    first_s = time.time() + SOON_S
    origin_s = first_s - number * APART_S
    claimed: list[tuple[float, float, float]] = []
    while len(claimed) < count:
        now_s = time.time() - origin_s
        if now_s > number * APART_S + PATIENCE_S:
            raise RuntimeError(f"only {len(claimed):,} rows of the due table have been claimed")
        rows = connection.execute(_CLAIM, {"now_s": now_s, "limit": AT_ONCE}).fetchall()
        on_disk_s = time.time() - origin_s
        claimed += [(due_s, now_s, on_disk_s) for (due_s,) in rows]
        if len(rows) < AT_ONCE:
            time.sleep(PERIOD_S)
    return first_s, claimed


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_LIMIT_PAGES}")
    return connection


def _fill(connection: sqlite3.Connection, pending: int, bursts: Sequence[Burst]) -> None:
    """``pending`` rows, of which those of ``bursts`` are due soon."""
    connection.execute(_TABLE)
    given = {"count": pending, "first_s": FAR_S, "span_s": SPAN_S}
    connection.execute(_FILL, given)
    connection.execute("BEGIN")
    for number, (places, burst) in enumerate(zip(spread_places(pending, bursts), bursts, strict=True)):
        due_s = [number * APART_S + (moment - burst.first) / SECOND for moment in burst.moments]
        connection.executemany("UPDATE due SET due_s = ? WHERE id = ?", zip(due_s, places, strict=True))
    connection.execute("COMMIT")
    connection.execute(_INDEX)
    connection.execute("ANALYZE")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
