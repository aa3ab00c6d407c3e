"""Freeing disk space: what is still wanted of a segment is written anew elsewhere, then its file can go.

Metadata outlives payloads, and deletions must be remembered as long as records stand that they concern.
Every step moves a bounded number of records and is one write of a commit; what was moved stands in the
kept log before the segment is forgotten.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import structlog

from jobengine.contents.embedded import keys
from jobengine.contents.embedded.deciding import Deciding
from jobengine.contents.embedded.group import GROUP_HEADER_BYTES, Group, decode_group, records_of
from jobengine.contents.embedded.index import Index
from jobengine.contents.embedded.options import EmbeddedOptions
from jobengine.contents.embedded.record import EMPTY_CORE, DamagedError, Record, RecordType
from jobengine.contents.embedded.segments import Segments
from jobengine.contents.embedded.tables import KEPT, STATE_KEY, PinRow, SegmentRow, StreamRow

log = structlog.get_logger(__name__)

_WORTH_MOVING: Final = 2
"""A segment is freed if at most half of it has to be written anew."""


@dataclass(frozen=True, slots=True)
class SealSegment:
    """Write no more to a segment."""

    number: int


@dataclass(frozen=True, slots=True)
class MoveStep:
    """Move what is wanted of a segment, looking at about ``records`` more of them."""

    number: int
    records: int


@dataclass(frozen=True, slots=True)
class MoveDone:
    """Whether all of a segment was looked through, and whether nothing points to it any more."""

    is_finished: bool = False
    is_forgotten: bool = False


def find_spent_segment(index: Index, options: EmbeddedOptions) -> int | None:
    """The segment that is most worth freeing; None: of all segments together at most half is dead."""
    found: list[tuple[float, int]] = []
    with index.read() as transaction:
        with transaction.cursor(db=index.table["state"]) as cursor:
            opened = {value for key, value in cursor.iternext() if key != STATE_KEY}
        with transaction.cursor(db=index.table["segments"]) as cursor:
            rows = [(key, SegmentRow.decode(data)) for key, data in cursor.iternext()]
    are_mostly_dead = sum(map(_alive, (row for _, row in rows))) * _WORTH_MOVING < sum(
        row.tail for _, row in rows
    )
    for key, row in rows:
        if key in opened and row.tail < options.segment_bytes // 4:
            continue
        # Payloads with an expiry are about to go by themselves, usually.
        is_waited_for = row.payload_bytes and row.lifetime != KEPT and not are_mostly_dead
        if row.tail and not is_waited_for and _alive(row) * _WORTH_MOVING <= row.tail:
            found.append((_alive(row) / row.tail, keys.to_number(key)))
    return min(found)[1] if found else None


def _alive(row: SegmentRow) -> int:
    return row.record_bytes + row.payload_bytes


def do_seal(seal: SealSegment, deciding: Deciding) -> None:
    """Write no more to a segment."""
    changes = deciding.changes
    lifetime = changes.segment(seal.number).lifetime
    if changes.open_segment(lifetime) == seal.number:
        changes.seal_segment(lifetime)


def do_move_step(step: MoveStep, deciding: Deciding, index: Index, segments: Segments, salt: int) -> MoveDone:
    """Move some records; at the end the segment is forgotten, so that its file can go."""
    changes = deciding.changes
    data = changes.transaction.get(keys.number(step.number), db=index.table["segments"])
    if data is None or changes.open_segment(changes.segment(step.number).lifetime) == step.number:
        return MoveDone(is_finished=True)
    row = changes.segment(step.number)
    try:
        _move(
            step,
            _Mover(deciding, step.number, _oldest_other(deciding, index, step.number)),
            row,
            segments,
            salt,
        )
    except DamagedError as fault:
        log.error("contents_damaged", segment=step.number, offset=row.moved_bytes, fault=str(fault))
        return MoveDone(is_finished=True)
    if row.moved_bytes < row.tail:
        return MoveDone()
    if row.record_bytes or row.payload_bytes:
        row.moved_bytes = 0  # a stream was dropped meanwhile whose elements are not removed yet
        return MoveDone(is_finished=True)
    changes.remove_segment(step.number)
    return MoveDone(is_finished=True, is_forgotten=True)


def _move(step: MoveStep, mover: _Mover, row: SegmentRow, segments: Segments, salt: int) -> None:
    left = step.records
    for group, records in _groups(segments, step.number, row, salt):
        for record in records:
            mover.move(record, group)
        row.moved_bytes = group.end
        left -= group.count
        if left <= 0:
            break
    mover.finish()


def _groups(
    segments: Segments, number: int, row: SegmentRow, salt: int
) -> Iterator[tuple[Group, Iterator[Record]]]:
    """From where the last step ended; read with system calls, since most of it is old."""
    while row.moved_bytes < row.tail:
        head = segments.read(number, row.moved_bytes, GROUP_HEADER_BYTES)
        group = decode_group(head, 0, row.moved_bytes, number, salt)
        if group is None:
            raise DamagedError(f"segment {number} has no group at {row.moved_bytes}")
        yield group, records_of(segments.read(number, group.offset, group.length), group, salt)


def _oldest_other(deciding: Deciding, index: Index, number: int) -> int:
    """The first group of all other segments; what concerns only older ones needn't be remembered."""
    with deciding.changes.transaction.cursor(db=index.table["segments"]) as cursor:
        others = [
            SegmentRow.decode(data).first_number
            for key, data in cursor.iternext()
            if keys.to_number(key) != number
        ]
    return min(others, default=0)


class _Mover:
    """Writes anew what is wanted of one segment."""

    def __init__(self, deciding: Deciding, segment: int, oldest_other: int) -> None:
        self._deciding = deciding
        self._changes = deciding.changes
        self._segment = segment
        self._oldest_other = oldest_other
        self._streams: set[int] = set()
        self._deleted: defaultdict[tuple[int, int], list[list[int]]] = defaultdict(list)
        self._lost: defaultdict[tuple[int, int], list[list[int]]] = defaultdict(list)

    def move(self, record: Record, group: Group) -> None:
        """Write a record anew if the index still needs it to be built from the log."""
        if record.kind is RecordType.ELEMENT:
            self._move_element(record)
        elif record.kind is RecordType.STREAM:
            self._streams.add(record.stream)
        elif record.kind is RecordType.DOCUMENT:
            self._move_document(record)
        elif record.kind is RecordType.PIN:
            self._move_pin(record)
        elif self._oldest_other < group.number:
            self._move_ending(record)

    def finish(self) -> None:
        """Write what was collected."""
        for number in self._streams:
            stream = self._changes.stream(number)
            if stream is not None:
                self._deciding.write_stream(number, stream)
        for (number, life), found in self._deleted.items():
            self._deciding.write_runs(RecordType.DELETED, number, life, found)
        for (number, life), found in self._lost.items():
            self._deciding.write_runs(RecordType.PAYLOADS_GONE, number, life, found)

    def _stream(self, record: Record) -> StreamRow | None:
        stream = self._changes.stream(record.stream)
        return stream if stream is not None and stream.life == record.life else None

    def _move_element(self, record: Record) -> None:
        stream = self._stream(record)
        if stream is None:
            return
        self._streams.add(record.stream)
        row = self._changes.row(stream, record.sequence)
        if row is None or self._segment not in (row.segment, row.payload_segment):
            return
        before = replace(row)
        attributes = self._deciding.attributes_of(row)
        planes = self._deciding.planes_of(row) if row.payload_segment == self._segment else None
        self._deciding.write_element(record.stream, stream, record.sequence, row, attributes, planes or None)
        self._changes.update(stream, record.sequence, before, row)

    def _move_document(self, record: Record) -> None:
        collection, key, json = record.body()
        row = self._deciding.documents.row(self._changes.transaction, collection, key)
        if row is not None and (row.segment, row.offset) == (self._segment, record.offset):
            self._deciding.write_document(collection, key, row.revision, json)

    def _move_pin(self, record: Record) -> None:
        name, first, last, until_us = record.body()
        if self._changes.pin(name) is not None:
            pin = PinRow(record.stream, record.life, first, last, until_us)
            self._deciding.write_pin(name, pin)

    def _move_ending(self, record: Record) -> None:
        """Something ended that an older segment may still tell of."""
        part = self._deciding.part
        place = (record.stream, record.life, record.sequence)
        if record.kind is RecordType.DELETED:
            if self._stream(record):
                self._deleted[record.stream, record.life].extend(record.body())
        elif record.kind is RecordType.PAYLOADS_GONE:
            self._lost[record.stream, record.life].extend(self._still_lost(record))
        elif record.kind is RecordType.DOCUMENT_DELETED:
            collection, key = record.body()
            if self._deciding.documents.row(self._changes.transaction, collection, key) is None:
                part.add(record.kind, place, EMPTY_CORE, record.metadata)
        else:
            part.add(record.kind, place, EMPTY_CORE, record.metadata)

    def _still_lost(self, record: Record) -> Iterator[list[int]]:
        stream = self._stream(record)
        if stream is not None:
            for first, last in record.body():
                for sequence, row in self._changes.rows_between(stream, first, last):
                    if not row.is_here:
                        yield [sequence, sequence]
