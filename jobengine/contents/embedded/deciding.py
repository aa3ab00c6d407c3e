"""What each write of a commit does: checked against what is stored, laid out for the log, put in the index.

Raises ConflictError, RevisionMismatch, NotFoundError or StreamGone; the caller then undoes what was done of
the commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from jobengine.contents.embedded.appending import append
from jobengine.contents.embedded.changes import Changes
from jobengine.contents.embedded.documents import DocumentRow, Documents
from jobengine.contents.embedded.part import Part
from jobengine.contents.embedded.reading import LogReader
from jobengine.contents.embedded.record import (
    EMPTY_CORE,
    FLAG_ELSEWHERE,
    FLAG_EXPIRES,
    FLAG_GONE,
    FLAG_HERE,
    RecordType,
    payload_checksum,
)
from jobengine.contents.embedded.requests import ReadyDocument, ReadyDrop, ReadyElement, plain_buffers
from jobengine.contents.embedded.row import Row
from jobengine.contents.embedded.tables import PinRow, StreamRow
from jobengine.contents.planes import are_new
from jobengine.contents.refusals import id_taken, must_match, no_element, pts_taken
from jobengine.model.element import ElementKind
from jobengine.ports.contents import (
    Buffer,
    DeleteDocument,
    DeleteElements,
    DropPayloads,
    DropStream,
    KeepPayload,
    LimitStream,
    Outcome,
    PutMode,
    PutPlanes,
)

_PAYLOAD_FLAGS = FLAG_HERE | FLAG_GONE | FLAG_EXPIRES


@dataclass(frozen=True, slots=True)
class PutPin:
    """Keep payloads of a stream from expiring; ``pin.life`` is filled in."""

    name: str
    pin: PinRow


@dataclass(frozen=True, slots=True)
class RemovePin:
    """Let a pin go."""

    name: str


@dataclass(frozen=True, slots=True)
class Deciding:
    """One group in the making: where its changes and records go, and what it reads."""

    changes: Changes
    part: Part
    documents: Documents
    reader: LogReader

    def do(self, write: Any) -> Outcome:
        """Do one write."""
        if isinstance(write, ReadyElement):
            return self._replace_or_create(write)
        if isinstance(write, PutPlanes):
            return self._put_planes(write)
        if isinstance(write, KeepPayload):
            return self._keep_payload(write)
        if isinstance(write, ReadyDocument):
            return self._put_document(write)
        if isinstance(write, DeleteDocument):
            return self._delete_document(write)
        if isinstance(write, DeleteElements):
            return self._delete(write)
        if isinstance(write, ReadyDrop):
            return self._drop_payloads(write)
        if isinstance(write, LimitStream):
            return self._limit(write)
        if isinstance(write, DropStream):
            return self._drop(write)
        return self._put_pin(write) if isinstance(write, PutPin) else self._remove_pin(write)

    def write_element(
        self,
        number: int,
        stream: StreamRow,
        sequence: int,
        row: Row,
        attributes: bytes,
        planes: Sequence[Buffer] | None,
    ) -> None:
        """Lay out an element's record and note its places in the row. ``planes`` None: as the row says."""
        elsewhere = FLAG_ELSEWHERE if planes is None and row.is_here else 0
        payload = (planes, row.payload_bytes, row.payload_checksum) if planes else ((), 0, 0)
        row.offset, payload_offset = self.part.add(
            RecordType.ELEMENT,
            (number, stream.life, sequence),
            row.core(elsewhere),
            attributes + row.sizes(),
            payload,
        )
        row.segment = self.part.segment
        if planes:
            row.payload_segment, row.payload_offset = row.segment, payload_offset

    def write_runs(self, kind: RecordType, number: int, life: int, runs: Iterable[list[int]]) -> None:
        """Lay out which elements something holds for, as first and last sequences."""
        found = joined(runs)
        if found:
            self.part.add(kind, (number, life, 0), EMPTY_CORE, msgspec.msgpack.encode(found))

    def write_stream(self, number: int, stream: StreamRow) -> None:
        """Lay out what holds for a stream."""
        body = msgspec.msgpack.encode([stream.limit_age_us, stream.limit_bytes])
        self.part.add(RecordType.STREAM, (number, stream.life, stream.next_sequence), EMPTY_CORE, body)

    def attributes_of(self, row: Row) -> bytes:
        """What is said of an element, also of one of this very commit."""
        pending = self.part.laid_out((row.segment, row.offset))
        if pending is not None:
            return bytes(pending[0][: row.attributes_bytes])
        return self.reader.attributes(row)

    def planes_of(self, row: Row) -> Sequence[Buffer]:
        """An element's payload, also of one of this very commit; empty if it isn't here."""
        if not row.is_here:
            return ()
        pending = self.part.laid_out((row.payload_segment, row.payload_offset))
        if pending is not None and row.payload_bytes:
            return pending
        return self.reader.payloads([row.place])[0] or ()

    def _replace_or_create(self, ready: ReadyElement) -> Outcome:
        stream = self.changes.stream_there(ready.stream)
        there = None if ready.pts is None else self.changes.last_at(stream, ready.pts, ready.kind)
        if there is not None and ready.mode is PutMode.CREATE:
            raise pts_taken(ElementKind(ready.kind), ready.pts)
        if there is not None:
            return self._replace(ready, stream, there)
        known = None if ready.has_new_id else self.changes.find_id(stream, ready.element_id)
        if known is not None:
            raise id_taken(ready.element_id, self._row(stream, known).pts)
        return append(self.changes, self.part, [ready])[0]

    def _row(self, stream: StreamRow, sequence: int) -> Row:
        row = self.changes.row(stream, sequence)
        if row is None:
            raise LookupError(f"the index names element {sequence} and doesn't have it")
        return row

    def _replace(self, ready: ReadyElement, stream: StreamRow, sequence: int) -> Outcome:
        before = self._row(stream, sequence)
        after = ready.row(before.pts)
        after.payload_checksum = ready.payload_checksum
        after.element_id, after.stored_us = before.element_id, before.stored_us
        if not ready.planes:
            after.flags = after.flags & ~_PAYLOAD_FLAGS | before.flags & _PAYLOAD_FLAGS
            after.expires_us, after.stored = before.expires_us, before.stored
            after.payload_segment, after.payload_offset = before.payload_segment, before.payload_offset
            after.payload_checksum = before.payload_checksum
        self.write_element(ready.stream, stream, sequence, after, ready.attributes, ready.planes or None)
        self.changes.update(stream, sequence, before, after)
        return Outcome(False, 1, sequence, after.pts, after.element_id)

    def _put_planes(self, write: PutPlanes) -> Outcome:
        stream = self.changes.stream_there(write.stream)
        sequence = self.changes.last_at(stream, write.pts, int(write.kind))
        if sequence is None:
            raise no_element(ElementKind(write.kind), write.pts)
        before = self._row(stream, sequence)
        planes = list(self.planes_of(before))
        is_new = are_new(write.planes, [len(plane) for plane in planes])
        planes += [b""] * (max(write.planes) + 1 - len(planes))
        for place, plane in zip(write.planes, plain_buffers(list(write.planes.values())), strict=True):
            planes[place] = plane
        after = replace(before, stored=tuple(len(plane) for plane in planes))
        after.flags = before.flags & ~_PAYLOAD_FLAGS | FLAG_HERE
        after.flags |= FLAG_EXPIRES if write.expires_us is not None else 0
        after.expires_us = write.expires_us or 0
        after.payload_checksum = payload_checksum(planes)
        attributes = self.attributes_of(before)
        self.write_element(write.stream, stream, sequence, after, attributes, planes)
        self.changes.update(stream, sequence, before, after)
        return Outcome(is_new, 1, sequence, after.pts, after.element_id)

    def _keep_payload(self, write: KeepPayload) -> Outcome:
        """The payload is written once more, so that it stands with those that go at its new time."""
        stream = self.changes.stream(write.stream)
        sequence = None if stream is None else self.changes.last_at(stream, write.pts, int(write.kind))
        if stream is None or sequence is None:
            return Outcome(False, 0)
        before = self._row(stream, sequence)
        if not before.is_here or before.expiry_us is None or before.expiry_us >= write.until_us:
            return Outcome(False, 0)
        after = replace(before, expires_us=write.until_us)
        attributes, planes = self.attributes_of(before), self.planes_of(before)
        self.write_element(write.stream, stream, sequence, after, attributes, planes)
        self.changes.update(stream, sequence, before, after)
        return Outcome(False, 1, sequence, after.pts, after.element_id)

    def _delete(self, write: DeleteElements) -> Outcome:
        stream = self.changes.stream(write.stream)
        if stream is None:
            return Outcome(False, 0)
        found = self._rows_between(stream, write)
        for sequence, row in found:
            self.changes.remove(stream, sequence, row)
        runs = ([sequence, sequence] for sequence, _ in found)
        self.write_runs(RecordType.DELETED, write.stream, stream.life, runs)
        return Outcome(False, len(found))

    def _drop_payloads(self, ready: ReadyDrop) -> Outcome:
        stream = self.changes.stream(ready.write.stream)
        if stream is None:
            return Outcome(False, 0)
        pins = [
            pin for _, pin in self.changes.pins() if pin.life == stream.life and pin.until_us > ready.now_us
        ]
        gone = []
        for sequence, row in self._rows_between(stream, ready.write):
            if row.is_here and not any(pin.holds(sequence) for pin in pins):
                lose_payload(self.changes, stream, sequence, row)
                gone.append(sequence)
        runs = ([sequence, sequence] for sequence in gone)
        self.write_runs(RecordType.PAYLOADS_GONE, ready.write.stream, stream.life, runs)
        return Outcome(False, len(gone))

    def _rows_between(self, stream: StreamRow, write: DeleteElements | DropPayloads) -> list[tuple[int, Row]]:
        sequences = list(self.changes.sequences_between(stream, write.first_pts, write.last_pts))
        rows = ((sequence, self._row(stream, sequence)) for sequence in sequences)
        return [(sequence, row) for sequence, row in rows if write.kind in (None, row.kind)]

    def _limit(self, write: LimitStream) -> Outcome:
        stream = self.changes.stream(write.stream) or self.changes.begin_stream(write.stream)
        age_us, size = write.payload_age_us, write.payload_bytes
        self.changes.limit_stream(stream, -1 if age_us is None else age_us, -1 if size is None else size)
        self.write_stream(write.stream, stream)
        return Outcome(False, 1)

    def _drop(self, write: DropStream) -> Outcome:
        stream = self.changes.stream(write.stream)
        if stream is None:
            return Outcome(False, 0)
        self.changes.end_stream(write.stream, stream)
        self.part.add(RecordType.STREAM_DROPPED, (write.stream, stream.life, 0), EMPTY_CORE, b"")
        return Outcome(False, stream.count)

    def _put_document(self, ready: ReadyDocument) -> Outcome:
        write = ready.write
        there = self.documents.row(self.changes.transaction, write.collection, write.key)
        revision = there.revision if there else 0
        must_match(write.collection, write.key, revision, write.expected_revision)
        self.write_document(write.collection, write.key, revision + 1, ready.json)
        return Outcome(there is None, 1, revision=revision + 1)

    def write_document(self, collection: str, key: str, revision: int, json: bytes) -> None:
        """Lay out a document and put it in the index."""
        body = msgspec.msgpack.encode([collection, key, json])
        offset, _ = self.part.add(RecordType.DOCUMENT, (0, 0, revision), EMPTY_CORE, body)
        row = DocumentRow(revision, self.part.segment, offset, json)
        self.documents.put(self.changes, collection, key, row)

    def _delete_document(self, write: DeleteDocument) -> Outcome:
        there = self.documents.row(self.changes.transaction, write.collection, write.key)
        must_match(write.collection, write.key, there.revision if there else 0, write.expected_revision)
        if there is None:
            return Outcome(False, 0)
        self.documents.delete(self.changes, write.collection, write.key)
        body = msgspec.msgpack.encode([write.collection, write.key])
        self.part.add(RecordType.DOCUMENT_DELETED, (0, 0, 0), EMPTY_CORE, body)
        return Outcome(False, 1, revision=there.revision)

    def _put_pin(self, write: PutPin) -> Outcome:
        stream = self.changes.stream_there(write.pin.stream)
        self.write_pin(write.name, replace(write.pin, life=stream.life))
        return Outcome(True, 1)

    def write_pin(self, name: str, pin: PinRow) -> None:
        """Lay out a pin and put it in the index."""
        self.changes.put_pin(name, pin)
        body = msgspec.msgpack.encode([name, pin.first_sequence, pin.last_sequence, pin.until_us])
        self.part.add(RecordType.PIN, (pin.stream, pin.life, 0), EMPTY_CORE, body)

    def _remove_pin(self, write: RemovePin) -> Outcome:
        pin = self.changes.pin(write.name)
        if pin is None:
            return Outcome(False, 0)
        self.changes.remove_pin(write.name)
        # What came due while it was held is looked at again at the next expiry.
        self.changes.expire_again(0, pin.life, pin.first_sequence, pin.last_sequence)
        self.part.add(RecordType.UNPINNED, (0, 0, 0), EMPTY_CORE, msgspec.msgpack.encode(write.name))
        return Outcome(False, 1)


def lose_payload(changes: Changes, stream: StreamRow, sequence: int, row: Row) -> None:
    """An element's payload is gone, in the index."""
    after = replace(row)
    after.lose_payload()
    changes.update(stream, sequence, row, after)


def joined(runs: Iterable[list[int]]) -> list[list[int]]:
    """Runs (first, last) in order, neighbours and overlaps as one."""
    found: list[list[int]] = []
    for first, last in sorted(runs):
        if found and found[-1][1] + 1 >= first:
            found[-1][1] = max(found[-1][1], last)
        else:
            found.append([first, last])
    return found
