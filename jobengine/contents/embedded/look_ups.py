"""Elements found by time, rank, id and place in the index. Every look-up is one short transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from jobengine.contents.embedded import keys
from jobengine.contents.embedded.index import Index
from jobengine.contents.embedded.ranks import Ranks
from jobengine.contents.embedded.tables import StreamRow
from jobengine.contents.embedded.transaction import Cursor, Transaction
from jobengine.model.element import PTS_MAX, PTS_MIN, StreamFacts

_RANKED_OFFSET: Final = 256
"""Offsets up to here are walked; beyond, counters tell the place."""

Found = tuple[int, bytes]
"""Sequence, and the row as the index keeps it."""


class LookUps:
    """Reads the index."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._table = index.table

    def facts(self, number: int) -> StreamFacts:
        """Counts and bounds."""
        with self._index.read() as transaction:
            stream = self._stream(transaction, number)
            if stream is None:
                return StreamFacts(number, 0, 0, 0, None, None, 0)
            first, last = (
                self._bounds(transaction, keys.number(stream.life)) if stream.count else (None, None)
            )
        return StreamFacts(
            stream=number,
            count=stream.count,
            key_count=stream.key_count,
            payload_bytes=stream.payload_bytes,
            first_pts=first,
            last_pts=last,
            next_sequence=stream.next_sequence,
        )

    def forwards(
        self, number: int, first_pts: int, last_pts: int, offset: int, limit: int | None
    ) -> list[Found]:
        """Elements in a range of pts in order of time."""
        first_pts = max(first_pts, PTS_MIN)
        with self._index.read() as transaction:
            stream = self._stream(transaction, number)
            if stream is None or first_pts > min(last_pts, PTS_MAX):
                return []
            life = keys.number(stream.life)
            start: bytes | None = life + keys.signed(first_pts)
            if offset > _RANKED_OFFSET:
                ranks = self._ranks(transaction, stream)
                before = 0 if first_pts == PTS_MIN else ranks.before(first_pts)
                start = ranks.find(before + offset)
                offset = 0
            if start is None:
                return []
            end = _behind(life, last_pts)
            with transaction.cursor(db=self._table["times"]) as cursor:
                times = _walk_up(cursor, start, end)
                return self._rows(transaction, life, islice(times, offset, _stop(offset, limit)))

    def backwards(
        self, number: int, first_pts: int, last_pts: int, offset: int, limit: int | None
    ) -> list[Found]:
        """Elements in a range of pts from the last one on."""
        last_pts = min(last_pts, PTS_MAX)
        with self._index.read() as transaction:
            stream = self._stream(transaction, number)
            if stream is None or max(first_pts, PTS_MIN) > last_pts:
                return []
            life = keys.number(stream.life)
            start: bytes | None = _behind(life, last_pts)
            if offset > _RANKED_OFFSET:
                ranks = self._ranks(transaction, stream)
                behind = stream.count if last_pts == PTS_MAX else ranks.before(last_pts + 1)
                start = ranks.find(behind - 1 - offset) if behind > offset else None
                offset = 0
            if start is None:
                return []
            end = life + keys.signed(max(first_pts, PTS_MIN))
            with transaction.cursor(db=self._table["times"]) as cursor:
                times = _walk_down(cursor, start, end)
                return self._rows(transaction, life, islice(times, offset, _stop(offset, limit)))

    def nth(self, number: int, rank: int, limit: int) -> list[Found]:
        """Elements from a rank on."""
        return self.forwards(number, PTS_MIN, PTS_MAX, rank, limit)

    def by_id(self, number: int, element_id: bytes) -> Found | None:
        """The element with exactly this id."""
        with self._index.read() as transaction:
            stream = self._stream(transaction, number)
            if stream is None:
                return None
            life = keys.number(stream.life)
            place = transaction.get(life + element_id, db=self._table["ids"])
            return self._row(transaction, life, place)

    def by_sequence(self, number: int, sequence: int) -> Found | None:
        """The element at one place."""
        with self._index.read() as transaction:
            stream = self._stream(transaction, number)
            if stream is None or not 0 <= sequence < stream.next_sequence:
                return None
            return self._row(transaction, keys.number(stream.life), keys.number(sequence))

    def key_by_id(self, number: int, element_id: bytes) -> Found | None:
        """The last key element whose id is at or before this one."""
        with self._index.read() as transaction:
            stream = self._stream(transaction, number)
            if stream is None:
                return None
            life = keys.number(stream.life)
            with transaction.cursor(db=self._table["key_ids"]) as cursor:
                if not _to_last(cursor, life, life + element_id):
                    return None
                return self._row(transaction, life, cursor.value())

    def key_by_pts(self, number: int, pts: int) -> Found | None:
        """The last key element whose pts is at or before this one."""
        with self._index.read() as transaction:
            stream = self._stream(transaction, number)
            if stream is None or pts < PTS_MIN:
                return None
            life = keys.number(stream.life)
            with transaction.cursor(db=self._table["key_times"]) as cursor:
                if not _to_last(cursor, life, _behind(life, min(pts, PTS_MAX))):
                    return None
                return self._row(transaction, life, cursor.key()[-8:])

    def scan(self, number: int, sequence: int, limit: int) -> tuple[list[Found], int]:
        """Elements in order of arrival from one place on, and what the next element will be."""
        with self._index.read() as transaction:
            stream = self._stream(transaction, number)
            if stream is None or sequence >= stream.next_sequence:
                return [], 0
            life = keys.number(stream.life)
            found: list[Found] = []
            with transaction.cursor(db=self._table["rows"]) as cursor:
                if cursor.set_range(life + keys.number(sequence)):
                    for key, data in islice(cursor.iternext(), limit):
                        if not key.startswith(life):
                            break
                        found.append((keys.to_number(key[8:]), data))
            return found, stream.next_sequence

    def rows(self, places: Sequence[tuple[int, int]]) -> list[bytes | None]:
        """The row of each (stream, sequence)."""
        lives: dict[int, bytes] = {}
        with self._index.read() as transaction:
            for number in {number for number, _ in places}:
                stream = self._stream(transaction, number)
                lives[number] = keys.number(stream.life) if stream else keys.LAST_8
            wanted = [lives[number] + sequence.to_bytes(8, "big") for number, sequence in places]
            with transaction.cursor(db=self._table["rows"]) as cursor:
                found = dict(cursor.getmulti(wanted))
        return [found.get(key) for key in wanted]

    def _stream(self, transaction: Transaction, number: int) -> StreamRow | None:
        if not 0 <= number <= keys.LAST:
            return None
        data = transaction.get(keys.number(number), db=self._table["streams"])
        return StreamRow.decode(data) if data else None

    def _bounds(self, transaction: Transaction, life: bytes) -> tuple[int, int]:
        with transaction.cursor(db=self._table["times"]) as cursor:
            cursor.set_range(life)
            first = keys.to_signed(cursor.key()[8:16])
            _to_last(cursor, life, _behind(life, PTS_MAX))
            return first, keys.to_signed(cursor.key()[8:16])

    def _ranks(self, transaction: Transaction, stream: StreamRow) -> Ranks:
        life = keys.number(stream.life)
        return Ranks(
            transaction,
            self._table["ranks"],
            self._table["times"],
            life,
            stream.bucket_bits,
            stream.open_bucket,
            stream.open_count,
        )

    def _rows(self, transaction: Transaction, life: bytes, times: Iterable[bytes]) -> list[Found]:
        found = []
        for time in times:
            place = time[-8:]
            row = self._row(transaction, life, place)
            if row is not None:
                found.append(row)
        return found

    def _row(self, transaction: Transaction, life: bytes, place: bytes | None) -> Found | None:
        data = place and transaction.get(life + place, db=self._table["rows"])
        return (keys.to_number(place), data) if place and data else None


def _behind(life: bytes, pts: int) -> bytes:
    """A key behind all elements of a pts."""
    return keys.time_key(life, min(pts, PTS_MAX), 1, keys.LAST_8)


def _stop(offset: int, limit: int | None) -> int | None:
    return None if limit is None else offset + limit


def _walk_up(cursor: Cursor, start: bytes, end: bytes) -> Iterator[bytes]:
    if cursor.set_range(start):
        for key in cursor.iternext(values=False):
            if key > end:
                return
            yield key


def _walk_down(cursor: Cursor, start: bytes, end: bytes) -> Iterator[bytes]:
    if _to_last(cursor, end[:8], start):
        for key in cursor.iterprev(values=False):
            if key < end:
                return
            yield key


def _to_last(cursor: Cursor, life: bytes, key: bytes) -> bool:
    """Go to the last key at or before this one; whether there is one of the same life."""
    there = cursor.set_range(key)
    if there and cursor.key() == key:
        return True
    return (cursor.prev() if there else cursor.last()) and cursor.key().startswith(life)
