"""Elements found by time, rank, id and place in the index. Every look-up is one short transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, cast

from jobengine.contents.embedded import keys
from jobengine.contents.embedded.index import Index
from jobengine.contents.embedded.ranks import Ranks
from jobengine.contents.embedded.row import Found, Place, place_of
from jobengine.contents.embedded.tables import StreamRow
from jobengine.contents.embedded.transaction import Cursor, Transaction
from jobengine.model.element import PTS_MAX, PTS_MIN, StoredElement, StreamFacts

_RANKED_OFFSET: Final = 256
"""Offsets up to here are walked; beyond, counters tell the place."""

_NOTHING: Final = Found(0, (), ())
_NOWHERE: Final[Place] = (0, 0, 0, (), 0)


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

    def forwards(self, number: int, first_pts: int, last_pts: int, offset: int, limit: int | None) -> Found:
        """Elements in a range of pts in order of time."""
        first_pts = max(first_pts, PTS_MIN)
        with self._index.read() as transaction:
            stream = self._stream(transaction, number)
            if stream is None or first_pts > min(last_pts, PTS_MAX):
                return _NOTHING
            life = keys.number(stream.life)
            start: bytes | None = life + keys.signed(first_pts)
            if offset > _RANKED_OFFSET:
                ranks = self._ranks(transaction, stream)
                before = 0 if first_pts == PTS_MIN else ranks.before(first_pts)
                start = ranks.find(before + offset)
                offset = 0
            if start is None:
                return _NOTHING
            end = _behind(life, last_pts)
            with transaction.cursor(db=self._table["times"]) as cursor:
                times = _walk_up(cursor, start, end)
                return self._rows(transaction, stream, islice(times, offset, _stop(offset, limit)))

    def backwards(self, number: int, first_pts: int, last_pts: int, offset: int, limit: int | None) -> Found:
        """Elements in a range of pts from the last one on."""
        last_pts = min(last_pts, PTS_MAX)
        with self._index.read() as transaction:
            stream = self._stream(transaction, number)
            if stream is None or max(first_pts, PTS_MIN) > last_pts:
                return _NOTHING
            life = keys.number(stream.life)
            start: bytes | None = _behind(life, last_pts)
            if offset > _RANKED_OFFSET:
                ranks = self._ranks(transaction, stream)
                behind = stream.count if last_pts == PTS_MAX else ranks.before(last_pts + 1)
                start = ranks.find(behind - 1 - offset) if behind > offset else None
                offset = 0
            if start is None:
                return _NOTHING
            end = life + keys.signed(max(first_pts, PTS_MIN))
            with transaction.cursor(db=self._table["times"]) as cursor:
                times = _walk_down(cursor, start, end)
                return self._rows(transaction, stream, islice(times, offset, _stop(offset, limit)))

    def nth(self, number: int, rank: int, limit: int) -> Found:
        """Elements from a rank on."""
        return self.forwards(number, PTS_MIN, PTS_MAX, rank, limit)

    def by_id(self, number: int, element_id: bytes) -> Found:
        """The element with exactly this id."""
        with self._index.read() as transaction:
            stream = self._stream(transaction, number)
            if stream is None:
                return _NOTHING
            place = transaction.get(element_id + keys.number(stream.life), db=self._table["ids"])
            return self._row(transaction, stream, place)

    def by_sequence(self, number: int, sequence: int) -> Found:
        """The element at one place."""
        with self._index.read() as transaction:
            stream = self._stream(transaction, number)
            if stream is None or not 0 <= sequence < stream.next_sequence:
                return _NOTHING
            return self._row(transaction, stream, keys.number(sequence))

    def key_by_id(self, number: int, element_id: bytes) -> Found:
        """The last key element whose id is at or before this one."""
        with self._index.read() as transaction:
            stream = self._stream(transaction, number)
            if stream is None:
                return _NOTHING
            life = keys.number(stream.life)
            with transaction.cursor(db=self._table["key_ids"]) as cursor:
                if not _to_last(cursor, life, life + element_id):
                    return _NOTHING
                return self._row(transaction, stream, cursor.value())

    def key_by_pts(self, number: int, pts: int) -> Found:
        """The last key element whose pts is at or before this one."""
        with self._index.read() as transaction:
            stream = self._stream(transaction, number)
            if stream is None or pts < PTS_MIN:
                return _NOTHING
            life = keys.number(stream.life)
            with transaction.cursor(db=self._table["key_times"]) as cursor:
                if not _to_last(cursor, life, _behind(life, min(pts, PTS_MAX))):
                    return _NOTHING
                return self._row(transaction, stream, cursor.key()[-8:])

    def scan(self, number: int, sequence: int, limit: int) -> tuple[Found, int]:
        """Elements in order of arrival from one place on, and what the next element will be."""
        with self._index.read() as transaction:
            stream = self._stream(transaction, number)
            if stream is None or sequence >= stream.next_sequence or not limit:
                return _NOTHING, 0
            life = keys.number(stream.life)
            with transaction.cursor(db=self._table["rows"]) as cursor:
                if not cursor.set_range(life + keys.number(sequence)) or not cursor.key().startswith(life):
                    return _NOTHING, stream.next_sequence
                first = keys.to_number(cursor.key()[8:])
                rows = list(islice(cursor.iternext(keys=False), limit))
                if cursor.key() == life + keys.number(first + len(rows) - 1):
                    return Found(stream.revision, range(first, first + len(rows)), rows), stream.next_sequence
                cursor.set_range(life + keys.number(first))
                entries = [item for item in islice(cursor.iternext(), limit) if item[0].startswith(life)]
            sequences = [keys.to_number(key[8:]) for key, _ in entries]
            return Found(stream.revision, sequences, [data for _, data in entries]), stream.next_sequence

    def places(self, elements: Sequence[StoredElement]) -> list[Place]:
        """Where the payload of each is: as it says itself, unless its stream has another revision by now."""
        with self._index.read() as transaction:
            streams = {number: self._stream(transaction, number) for number in {e.stream for e in elements}}
            revisions = {number: stream.revision if stream else -1 for number, stream in streams.items()}
            places = [
                place if (place := e.payload_place) is not None and place[0] == revisions[e.stream] else None
                for e in elements
            ]
            if None not in places:
                return cast("list[Place]", places)
            wanted = []
            for element in elements:
                stream = streams[element.stream]
                life = keys.number(stream.life) if stream else keys.LAST_8
                wanted.append(life + keys.number(element.sequence))
            with transaction.cursor(db=self._table["rows"]) as cursor:
                found = dict(cursor.getmulti(wanted))
        return [place_of(0, found[key]) if key in found else _NOWHERE for key in wanted]

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

    def _rows(self, transaction: Transaction, stream: StreamRow, times: Iterable[bytes]) -> Found:
        life, get, rows = keys.number(stream.life), transaction.get, self._table["rows"]
        sequences, found = [], []
        for time in times:
            place = time[-8:]
            row = get(life + place, db=rows)
            if row is not None:
                sequences.append(keys.to_number(place))
                found.append(row)
        return Found(stream.revision, sequences, found)

    def _row(self, transaction: Transaction, stream: StreamRow, place: bytes | None) -> Found:
        row = place and transaction.get(keys.number(stream.life) + place, db=self._table["rows"])
        return Found(stream.revision, [keys.to_number(place)], [row]) if place and row else _NOTHING


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
