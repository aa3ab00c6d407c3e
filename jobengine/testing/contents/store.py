"""A contents store in memory: quick enough for unit tests, and what the lasting ones are compared with.

Only its user's deletes and limits bound it. Everything is done under one lock; a refused commit is undone
write by write.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from jobengine.clock import Clock, to_us
from jobengine.contents.checks import check_page, check_pin, check_writes
from jobengine.contents.eviction import bring_payload
from jobengine.contents.refusals import store_closed, store_full
from jobengine.ids import new_id
from jobengine.model.element import Gap, StoredElement, StreamFacts
from jobengine.model.file_span import FileSpan
from jobengine.ports.contents import Bell, Buffer, Capacity, Document, Expiry, Opening, Outcome, Write
from jobengine.testing.contents.commit import MemoryCommit, MemoryState
from jobengine.testing.contents.expiry import Pin, expire_stream, is_beyond, let_payloads_go, remove_elements
from jobengine.testing.contents.stream import Held, MemoryStream


class MemoryContents:
    """A `jobengine.ports.contents.ContentStore` that ends with its process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._state = MemoryState()
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
            self._state.must_have(needed)
            if self._is_full and bring_payload(writes):
                raise store_full()
            commit = MemoryCommit(self._state, to_us(self._clock.now()))
            try:
                outcomes = [commit.do(write) for write in writes]
            except Exception:
                commit.undo()
                raise
            self._version += 1
            return outcomes

    def document(self, collection: str, key: str) -> Document | None:
        """One document."""
        with self._lock:
            self._must_be_open()
            return self._state.documents.find(collection, key)

    def documents(
        self, collection: str, after: str | None = None, limit: int | None = None
    ) -> list[Document]:
        """Documents in order of their keys, those after ``after``."""
        check_page(0, limit)
        with self._lock:
            self._must_be_open()
            return self._state.documents.page(collection, after, limit)

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
            self._state.must_have({stream})
            pin = new_id()
            self._state.pins[pin] = Pin(stream, first_sequence, last_sequence, until_us)
            return pin

    def unpin(self, pin: str) -> None:
        """Let a pin go."""
        with self._lock:
            self._must_be_open()
            self._state.pins.pop(pin, None)

    def expire(self, now_us: int, capacity: Capacity = Capacity()) -> Expiry:  # noqa: B008 - frozen
        """Let go what is past its time or limits or beyond the capacity; all at once."""
        with self._lock:
            self._must_be_open()
            state = self._state
            state.pins = {name: pin for name, pin in state.pins.items() if pin.until_us > now_us}
            streams, pins = state.streams, state.pins.values()
            gone = [size for stream in streams.values() for size in expire_stream(stream, pins, now_us)]
            gone += let_payloads_go(streams, pins, capacity)
            elements = remove_elements(streams, pins, capacity)
            gone += [element.payload_bytes for element in elements if element.planes is not None]
            self._is_full = is_beyond(streams, capacity)
            self._version += bool(gone or elements)
            return Expiry(len(gone), sum(gone), sum(gone), len(elements), self._is_full)

    def close(self) -> None:
        """Refuse everything from now on."""
        with self._lock:
            self._closed = True
            self._state = MemoryState()

    def _must_be_open(self) -> None:
        if self._closed:
            raise store_closed()

    def _read(self, number: int) -> MemoryStream:
        self._must_be_open()
        return self._state.stream(number)


def _stored(held: Held | None) -> StoredElement | None:
    return held.stored if held else None
