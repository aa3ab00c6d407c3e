"""Records of the log put into the index again, in the order in which they were written.

Records may tell of what is gone since: of streams that were dropped, of elements that were deleted, of
payloads whose record stood in a segment that is removed. What counts is what holds after the last one.
"""

from __future__ import annotations

from jobengine.contents.embedded.changes import Changes
from jobengine.contents.embedded.deciding import lose_payload
from jobengine.contents.embedded.documents import DocumentRow, Documents
from jobengine.contents.embedded.record import Record, RecordType
from jobengine.contents.embedded.row import Row, is_elsewhere, row_of_record
from jobengine.contents.embedded.tables import PinRow, StreamRow


def replay(record: Record, segment: int, changes: Changes, documents: Documents) -> None:
    """Put one record of a segment into the index."""
    if record.kind is RecordType.ELEMENT:
        _element(record, segment, changes)
    elif record.kind in (RecordType.DELETED, RecordType.PAYLOADS_GONE):
        _gone(record, changes)
    elif record.kind is RecordType.STREAM:
        _stream_facts(record, changes)
    elif record.kind is RecordType.STREAM_DROPPED:
        stream = changes.stream(record.stream)
        if stream is not None and stream.life <= record.life:
            changes.end_stream(record.stream, stream)
    elif record.kind is RecordType.DOCUMENT:
        collection, key, json = record.body()
        documents.put(changes, collection, key, DocumentRow(record.sequence, segment, record.offset, json))
    elif record.kind is RecordType.DOCUMENT_DELETED:
        documents.delete(changes, *record.body())
    elif record.kind is RecordType.PIN:
        _pin(record, changes)
    else:
        changes.remove_pin(record.body())


def _alive(record: Record, changes: Changes) -> StreamRow | None:
    """The stream that a record tells of; None if it was dropped since. A newer life ends the older one."""
    stream = changes.stream(record.stream)
    if stream is not None and stream.life < record.life:
        changes.end_stream(record.stream, stream)
        stream = None
    if stream is None:
        return changes.begin_stream(record.stream, record.life)
    return stream if stream.life == record.life else None


def _element(record: Record, segment: int, changes: Changes) -> None:
    stream = _alive(record, changes)
    if stream is None:
        return
    row = row_of_record(record.core, record.metadata)
    is_new = record.sequence >= stream.next_sequence
    before = None if is_new else changes.row(stream, record.sequence)
    row.segment, row.offset = segment, record.offset
    if is_elsewhere(row):
        _take_payload(row, before)
    elif row.is_here:
        row.payload_segment, row.payload_offset = segment, record.payload_offset
        row.payload_checksum = record.payload_checksum
    stream.next_sequence = max(stream.next_sequence, record.sequence + 1)
    if before is None:
        changes.insert(stream, record.sequence, row)
    else:
        changes.update(stream, record.sequence, before, row)


def _take_payload(row: Row, before: Row | None) -> None:
    if before is None or not before.is_here:
        row.lose_payload()
        return
    row.payload_segment, row.payload_offset = before.payload_segment, before.payload_offset
    row.payload_checksum = before.payload_checksum


def _gone(record: Record, changes: Changes) -> None:
    stream = _alive(record, changes)
    if stream is None:
        return
    for first, last in record.body():
        for sequence, row in changes.rows_between(stream, first, last):
            if record.kind is RecordType.DELETED:
                changes.remove(stream, sequence, row)
            elif row.is_here:
                lose_payload(changes, stream, sequence, row)
        stream.next_sequence = max(stream.next_sequence, last + 1)


def _stream_facts(record: Record, changes: Changes) -> None:
    stream = _alive(record, changes)
    if stream is not None:
        stream.next_sequence = max(stream.next_sequence, record.sequence)
        changes.limit_stream(stream, *record.body())


def _pin(record: Record, changes: Changes) -> None:
    stream = _alive(record, changes)
    if stream is not None:
        name, first, last, until_us = record.body()
        changes.put_pin(name, PinRow(record.stream, stream.life, first, last, until_us))
