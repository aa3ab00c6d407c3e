"""A contents store in memory: quick enough for unit tests, and what the lasting ones are compared with.

Only its user's deletes and limits bound it. Everything is done under one lock; a refused commit is undone
write by write.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence, Set
from dataclasses import replace
from functools import partial

import msgspec
from sortedcontainers import SortedDict

from jobengine.clock import Clock, to_us
from jobengine.contents.checks import (
    check_page,
    check_pin,
    check_writes,
    document_json,
)
from jobengine.contents.eviction import bring_payload
from jobengine.contents.refusals import (
    id_taken,
    must_match,
    no_element,
    pts_taken,
    store_closed,
    store_full,
    stream_gone,
)
from jobengine.ids import new_element_id, new_id
from jobengine.model.element import ElementKind, Gap, PayloadState, StoredElement, StreamFacts
from jobengine.model.file_span import FileSpan
from jobengine.ports.contents import (
    Bell,
    Buffer,
    Capacity,
    DeleteDocument,
    DeleteElements,
    Document,
    DropPayloads,
    DropStream,
    Expiry,
    KeepPayload,
    LimitStream,
    Opening,
    Outcome,
    PutDocument,
    PutElement,
    PutMode,
    PutPlanes,
    Write,
)
from jobengine.testing.contents.expiry import Pin, expire_stream, is_beyond, let_payloads_go, remove_elements
from jobengine.testing.contents.stream import Held, MemoryStream

Undo = Callable[[], object]


class MemoryContents:
    """A `jobengine.ports.contents.ContentStore` that ends with its process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._streams: dict[int, MemoryStream] = {}
        self._documents: SortedDict = SortedDict()
        self._pins: dict[str, Pin] = {}
        self._version = 0
        self._is_full = False
        self._closed = False

    @property
    def opening(self) -> Opening:
        """Nothing is ever found."""
        return Opening(cut_bytes=0, reindexed_elements=0)

    def commit(self, writes: Sequence[Write]) -> list[Outcome]:
        """Do all writes or none."""
        needed = check_writes(writes)
        with self._lock:
            self._must_be_open()
            self._must_have(needed)
            if self._is_full and bring_payload(writes):
                raise store_full()
            undo: list[Undo] = []
            try:
                outcomes = [self._write(write, undo) for write in writes]
            except Exception:
                for step in reversed(undo):
                    step()
                raise
            self._version += 1
            return outcomes

    def document(self, collection: str, key: str) -> Document | None:
        """One document."""
        with self._lock:
            self._must_be_open()
            return self._found_document(collection, key)

    def documents(
        self, collection: str, after: str | None = None, limit: int | None = None
    ) -> list[Document]:
        """Documents in order of their keys, those after ``after``."""
        check_page(0, limit)
        found: list[Document] = []
        with self._lock:
            self._must_be_open()
            first = (collection, "" if after is None else after)
            for name, key in self._documents.irange(first, inclusive=(after is None, True)):
                if name != collection or len(found) == limit:
                    break
                document = self._found_document(collection, key)
                if document is not None:
                    found.append(document)
        return found

    def facts(self, stream: int) -> StreamFacts:
        """Counts and bounds."""
        with self._lock:
            return self._read(stream).facts()

    def range(
        self,
        stream: int,
        first_pts: int,
        last_pts: int,
        offset: int = 0,
        limit: int | None = None,
        descending: bool = False,
    ) -> list[StoredElement]:
        """Elements in a range of pts, both ends inclusive."""
        check_page(offset, limit)
        with self._lock:
            held = self._read(stream)
            first, last = held.between(first_pts, last_pts)
            if descending:
                last = max(first, last - offset)
                first = first if limit is None else max(first, last - limit)
                return [each.stored for each in reversed(held.ranked(first, last))]
            first = min(last, first + offset)
            last = last if limit is None else min(last, first + limit)
            return [each.stored for each in held.ranked(first, last)]

    def nth(self, stream: int, rank: int, limit: int) -> list[StoredElement]:
        """``limit`` elements from the rank-th on, in order of pts."""
        check_page(rank, limit)
        with self._lock:
            return [held.stored for held in self._read(stream).ranked(rank, rank + limit)]

    def by_id(self, stream: int, element_id: bytes) -> StoredElement | None:
        """The element with exactly this id."""
        with self._lock:
            return _stored(self._read(stream).by_id(element_id))

    def by_sequence(self, stream: int, sequence: int) -> StoredElement | None:
        """The element at one place of arrival."""
        with self._lock:
            return _stored(self._read(stream).held(sequence))

    def key_by_id(self, stream: int, element_id: bytes) -> StoredElement | None:
        """The last key element whose id is at or before this one."""
        with self._lock:
            return _stored(self._read(stream).key_by_id(element_id))

    def key_by_pts(self, stream: int, pts: int) -> StoredElement | None:
        """The last key element whose pts is at or before this one."""
        with self._lock:
            return _stored(self._read(stream).key_by_pts(pts))

    def scan(self, stream: int, sequence: int, limit: int) -> list[StoredElement | Gap]:
        """What stands from a place of arrival on, at most ``limit`` entries."""
        check_page(sequence, limit)
        entries: list[StoredElement | Gap] = []
        with self._lock:
            for entry in self._read(stream).scan(sequence):
                if len(entries) == limit:
                    break
                entries.append(entry)
        return entries

    def payloads(self, elements: Sequence[StoredElement]) -> list[Sequence[Buffer] | None]:
        """The planes of each element; None where they were never stored or are gone."""
        with self._lock:
            held = [self._read(element.stream).held(element.sequence) for element in elements]
            return [each.planes if each else None for each in held]

    def payload_file(self, element: StoredElement) -> FileSpan | None:
        """There are no files."""
        return None

    def version(self) -> int:
        """The number of commits."""
        with self._lock:
            self._must_be_open()
            return self._version

    def bell(self) -> Bell | None:
        """There is none."""
        return None

    def pin(self, stream: int, first_sequence: int, last_sequence: int, until_us: int) -> str:
        """Keep payloads of a range from going until a moment; the pin's id."""
        check_pin(stream, first_sequence, last_sequence, until_us)
        with self._lock:
            self._must_be_open()
            self._must_have({stream})
            pin = new_id()
            self._pins[pin] = Pin(stream, first_sequence, last_sequence, until_us)
            return pin

    def unpin(self, pin: str) -> None:
        """Let a pin go."""
        with self._lock:
            self._must_be_open()
            self._pins.pop(pin, None)

    def expire(self, now_us: int, capacity: Capacity = Capacity()) -> Expiry:  # noqa: B008 - frozen
        """Let go what is past its time or limits or beyond the capacity; all at once."""
        with self._lock:
            self._must_be_open()
            self._pins = {name: pin for name, pin in self._pins.items() if pin.until_us > now_us}
            gone = [
                size
                for stream in self._streams.values()
                for size in expire_stream(stream, self._pins.values(), now_us)
            ]
            gone += let_payloads_go(self._streams, self._pins.values(), capacity)
            elements = remove_elements(self._streams, self._pins.values(), capacity)
            gone += [element.payload_bytes for element in elements if element.planes is not None]
            self._is_full = is_beyond(self._streams, capacity)
            self._version += bool(gone or elements)
            return Expiry(len(gone), sum(gone), sum(gone), len(elements), self._is_full)

    def close(self) -> None:
        """Refuse everything from now on."""
        with self._lock:
            self._closed = True
            self._streams.clear()
            self._documents.clear()

    def _must_be_open(self) -> None:
        if self._closed:
            raise store_closed()

    def _must_have(self, streams: Set[int]) -> None:
        if not streams <= self._streams.keys():
            raise stream_gone(streams - self._streams.keys())

    def _read(self, number: int) -> MemoryStream:
        self._must_be_open()
        return self._streams.get(number) or MemoryStream(number)

    def _write(self, write: Write, undo: list[Undo]) -> Outcome:
        if isinstance(write, PutElement):
            return self._put_element(write, self._streams[write.stream], undo)
        if isinstance(write, PutPlanes):
            return self._put_planes(write, undo)
        if isinstance(write, KeepPayload):
            return self._keep_payload(write, undo)
        if isinstance(write, PutDocument):
            return self._put_document(write, undo)
        if isinstance(write, DeleteDocument):
            return self._delete_document(write, undo)
        if isinstance(write, DropStream):
            return self._drop_stream(write, undo)
        if isinstance(write, LimitStream):
            return self._limit_stream(write, undo)
        return self._clear_range(write, undo)

    def _put_element(self, write: PutElement, stream: MemoryStream, undo: list[Undo]) -> Outcome:
        sequence = stream.next_sequence
        pts = sequence if write.element.pts is None else write.element.pts
        known = stream.by_id(write.element.element_id) if write.element.element_id else None
        if write.mode is PutMode.APPEND:
            if known:
                return _outcome(known.stored, created=False, changed=0)
        else:
            there = None if write.element.pts is None else stream.last_at(pts, write.element.kind)
            if there and write.mode is PutMode.CREATE:
                raise pts_taken(write.element.kind, pts)
            if there:
                return _put(_with_payload(there.described_by(write.element), write), stream, undo)
            if known:
                raise id_taken(write.element.element_id, known.stored.element.pts)
        stream.next_sequence += 1
        undo.append(lambda: setattr(stream, "next_sequence", sequence))
        element_id = write.element.element_id or new_element_id()
        element = msgspec.structs.replace(write.element, pts=pts, element_id=element_id)
        stored = StoredElement(
            write.stream, sequence, element, to_us(self._clock.now()), PayloadState.NEVER, ()
        )
        return _put(_with_payload(Held(stored, None, None), write), stream, undo)

    def _put_planes(self, write: PutPlanes, undo: list[Undo]) -> Outcome:
        stream = self._read(write.stream)
        there = stream.last_at(write.pts, ElementKind(write.kind))
        if there is None:
            raise no_element(write.kind, write.pts)
        planes = list(there.planes or ())
        planes += [b""] * (max(write.planes) + 1 - len(planes))
        is_new = not any(planes[place] for place in write.planes)
        for place, buffer in write.planes.items():
            planes[place] = bytes(buffer)
        outcome = _put(there.with_payload(tuple(planes), write.expires_us), stream, undo)
        return msgspec.structs.replace(outcome, created=is_new)

    def _keep_payload(self, write: KeepPayload, undo: list[Undo]) -> Outcome:
        stream = self._read(write.stream)
        there = stream.last_at(write.pts, ElementKind(write.kind))
        if there is None or there.expires_us is None or there.expires_us >= write.until_us:
            return Outcome(created=False, changed=0)
        return _put(replace(there, expires_us=write.until_us), stream, undo)

    def _clear_range(self, write: DeleteElements | DropPayloads, undo: list[Undo]) -> Outcome:
        stream = self._read(write.stream)
        deleting = isinstance(write, DeleteElements)
        now_us = to_us(self._clock.now())
        pins = [pin for pin in self._pins.values() if pin.until_us > now_us]
        changed = 0
        for held in stream.ranked(*stream.between(write.first_pts, write.last_pts)):
            if write.kind is not None and held.stored.element.kind != write.kind:
                continue
            if deleting:
                stream.remove(held.stored.sequence)
            elif held.stored.payload is PayloadState.HERE and not any(pin.holds(held) for pin in pins):
                stream.put(held.without_payload())
            else:
                continue
            undo.append(partial(stream.put, held))
            changed += 1
        return Outcome(created=False, changed=changed)

    def _limit_stream(self, write: LimitStream, undo: list[Undo]) -> Outcome:
        stream = self._streams.get(write.stream)
        if stream is None:
            stream = self._streams[write.stream] = MemoryStream(write.stream)
            undo.append(lambda: self._streams.pop(write.stream))
        limited = stream
        before = (stream.payload_age_us, stream.payload_limit_bytes)
        undo.append(lambda: limited.limit(*before))
        stream.limit(write.payload_age_us, write.payload_bytes)
        return Outcome(created=False, changed=1)

    def _drop_stream(self, write: DropStream, undo: list[Undo]) -> Outcome:
        stream = self._streams.pop(write.stream, None)
        if stream is None:
            return Outcome(created=False, changed=0)
        dropped = stream
        pins = self._pins
        self._pins = {name: pin for name, pin in pins.items() if pin.stream != write.stream}
        undo.append(lambda: self._streams.update({write.stream: dropped}))
        undo.append(lambda: setattr(self, "_pins", pins))
        return Outcome(created=False, changed=dropped.facts().count)

    def _found_document(self, collection: str, key: str) -> Document | None:
        row = self._documents.get((collection, key))
        return None if row is None else Document(collection, key, msgspec.json.decode(row[0]), row[1])

    def _put_document(self, write: PutDocument, undo: list[Undo]) -> Outcome:
        place = (write.collection, write.key)
        there = self._documents.get(place)
        must_match(*place, there[1] if there else 0, write.expected_revision)
        revision = there[1] + 1 if there else 1
        row = (document_json(write), revision)
        self._undo_document(place, undo)
        self._documents[place] = row
        return Outcome(created=there is None, changed=1, revision=revision)

    def _delete_document(self, write: DeleteDocument, undo: list[Undo]) -> Outcome:
        place = (write.collection, write.key)
        there = self._documents.get(place)
        must_match(*place, there[1] if there else 0, write.expected_revision)
        if there is None:
            return Outcome(created=False, changed=0)
        self._undo_document(place, undo)
        del self._documents[place]
        return Outcome(created=False, changed=1, revision=there[1])

    def _undo_document(self, place: tuple[str, str], undo: list[Undo]) -> None:
        if place in self._documents:
            row = self._documents[place]
            undo.append(lambda: self._documents.update({place: row}))
        else:
            undo.append(lambda: self._documents.pop(place))


def _stored(held: Held | None) -> StoredElement | None:
    return held.stored if held else None


def _with_payload(held: Held, write: PutElement) -> Held:
    if not write.planes:
        return held
    return held.with_payload(tuple(bytes(plane) for plane in write.planes), write.expires_us)


def _put(held: Held, stream: MemoryStream, undo: list[Undo]) -> Outcome:
    previous = stream.put(held)
    if previous is None:
        undo.append(lambda: stream.remove(held.stored.sequence))
    else:
        undo.append(lambda: stream.put(previous))
    return _outcome(held.stored, created=previous is None, changed=1)


def _outcome(stored: StoredElement, created: bool, changed: int) -> Outcome:
    element = stored.element
    return Outcome(created, changed, stored.sequence, element.pts, element.element_id)
