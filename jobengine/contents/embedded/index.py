"""The index of an embedded store: one LMDB environment with a table for each way to look something up.

The log is the truth: the index is never synced while it is used, and built anew when it can't be trusted.
Keys are made by `keys`, rows by `row`. Here is what tables there are, and how they are opened.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

import lmdb

from jobengine.contents.embedded.transaction import Transaction
from jobengine.errors import UnavailableError

READERS: Final = 1022
TABLES: Final = (
    "rows",  # life, sequence -> row
    "times",  # life, pts, kind, sequence -> nothing
    "ids",  # id, life -> sequence; ids are times, so what comes to all streams stands together
    "key_times",  # as times, key elements only
    "key_ids",  # life, id -> sequence; key elements only
    "ranks",  # life, bits, prefix of pts -> how many elements in each of 64 neighbouring buckets
    "expiries",  # moment, life, first sequence -> last sequence of a run
    "streams",  # stream -> StreamRow
    "lives",  # life -> stream
    "doomed",  # life -> bits of its buckets; dropped streams whose elements are still to be removed
    "limited",  # life -> nothing; streams with limits
    "documents",  # collection, key -> revision, place, JSON
    "pins",  # name -> PinRow
    "segments",  # number -> SegmentRow
    "state",  # b"state" -> StateRow; lifetime class -> segment that is written to
)


class Index:
    """An open LMDB environment. Transactions are short: nobody keeps one while waiting for something."""

    def __init__(self, folder: Path, map_bytes: int, create: bool = True) -> None:
        """Open it; raises lmdb.Error if it is damaged, or missing and not to be created."""
        self.path = folder / "data.mdb"
        """What commits are written to."""
        self._environment = lmdb.open(
            str(folder),
            map_size=map_bytes,
            max_dbs=len(TABLES),
            max_readers=READERS,
            create=create,
            sync=False,
            metasync=False,
            readahead=False,
            meminit=False,
        )
        try:
            self.table: dict[str, Any] = {name: self._environment.open_db(name.encode()) for name in TABLES}
        except lmdb.Error:
            self._environment.close()
            raise

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """A snapshot. Raises UnavailableError once the index is closed or can't be read."""
        try:
            with self._environment.begin() as transaction:
                yield cast("Transaction", transaction)
        except lmdb.Error as fault:
            raise UnavailableError(f"the index of the contents store can't be read: {fault}") from fault

    def version(self) -> int:
        """Which commit was the last, of any process. Raises UnavailableError once the index is closed."""
        try:
            with self._environment.begin() as transaction:
                return int(transaction.id())
        except lmdb.Error as fault:
            raise UnavailableError(f"the index of the contents store can't be read: {fault}") from fault

    def begin(self, parent: Transaction | None = None) -> Transaction:
        """The one write transaction over all processes, or one within; waits for others to end theirs."""
        outer = cast("lmdb.Transaction | None", parent)
        return cast("Transaction", self._environment.begin(write=True, parent=outer))

    def sync(self) -> None:
        """Bring it to disk, as is wanted before a clean end only."""
        self._environment.sync(True)

    def close(self) -> None:
        """Let it go."""
        self._environment.close()
