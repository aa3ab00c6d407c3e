"""The contents store in Redis: commits, look-ups, payloads, pins and expiry behind one face."""

from __future__ import annotations

import os
from collections.abc import Sequence

from jobengine.clock import Clock
from jobengine.contents.checks import check_page, check_pin, check_writes
from jobengine.contents.redis_store.commit_draft import CommitDraft
from jobengine.contents.redis_store.committer import Committer
from jobengine.contents.redis_store.document_draft import read_document
from jobengine.contents.redis_store.evicting import Eviction, StreamEviction
from jobengine.contents.redis_store.expiry import StreamExpiry, streams_to_look_at
from jobengine.contents.redis_store.head import STAMP_BYTES
from jobengine.contents.redis_store.keys import Keys
from jobengine.contents.redis_store.payloads import Payloads
from jobengine.contents.redis_store.pins import Pin, forget_past_pins, put_pin
from jobengine.contents.redis_store.reader import PAGE, Reader
from jobengine.contents.redis_store.server import RedisServer
from jobengine.contents.refusals import store_closed, stream_gone
from jobengine.ids import new_id
from jobengine.model.element import Gap, StoredElement, StreamFacts
from jobengine.model.file_span import FileSpan
from jobengine.ports.contents import Bell, Buffer, Capacity, Document, Expiry, Opening, Outcome, Write


class RedisContents:
    """A `jobengine.ports.contents.ContentStore` in Redis 7 or Valkey; `opening.open_redis_store` makes one.

    A commit is acknowledged once Redis has done it: what survives then is up to the server's append-only
    file. Open it in the process that uses it. ``timeout_s`` is for each answer of Redis and for the wait
    for other commits of this process to the same streams.
    """

    def __init__(self, server: RedisServer, keys: Keys, clock: Clock, timeout_s: float) -> None:
        self._server = server
        self._keys = keys
        self._clock = clock
        self._committer = Committer(server, keys, timeout_s)
        self._reader = Reader(server, keys)
        self._payloads = Payloads(server, keys)
        self._is_closed = False

    @property
    def opening(self) -> Opening:
        """Redis mends itself before it answers."""
        return Opening(cut_bytes=0, reindexed_elements=0)

    def commit(self, writes: Sequence[Write]) -> list[Outcome]:
        """Do all writes or none."""
        self._must_be_open()
        streams = check_writes(writes)

        def plan(draft: CommitDraft) -> list[Outcome]:
            draft.must_be_possible(streams)
            return [draft.write(write, self._clock) for write in writes]

        outcomes, _ = self._committer.run(writes, (), plan)
        return outcomes

    def document(self, collection: str, key: str) -> Document | None:
        """One document."""
        self._must_be_open()
        return read_document(collection, key, self._server.call("GET", self._keys.document(collection, key)))

    def documents(
        self, collection: str, after: str | None = None, limit: int | None = None
    ) -> list[Document]:
        """Documents in order of their keys, a thousand at a time."""
        self._must_be_open()
        check_page(0, limit)
        found: list[Document] = []
        start = b"-" if after is None else b"(" + after.encode()
        while limit is None or len(found) < limit:
            size = PAGE if limit is None else min(PAGE, limit - len(found))
            index = self._keys.collection(collection)
            names = self._server.call("ZRANGEBYLEX", index, start, b"+", "LIMIT", 0, size)
            found += self._named(collection, [name.decode() for name in names])
            if len(names) < size:
                break
            start = b"(" + names[-1]
        return found

    def facts(self, stream: int) -> StreamFacts:
        """Counts and bounds."""
        self._must_be_open()
        return self._reader.facts(stream)

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
        self._must_be_open()
        check_page(offset, limit)
        return self._reader.range(stream, first_pts, last_pts, offset, limit, descending)

    def nth(self, stream: int, rank: int, limit: int) -> list[StoredElement]:
        """``limit`` elements from the rank-th on, in order of pts."""
        self._must_be_open()
        check_page(rank, limit)
        return self._reader.nth(stream, rank, limit)

    def by_id(self, stream: int, element_id: bytes) -> StoredElement | None:
        """The element with exactly this id."""
        self._must_be_open()
        return self._reader.by_id(stream, element_id)

    def by_sequence(self, stream: int, sequence: int) -> StoredElement | None:
        """The element at one place of arrival."""
        self._must_be_open()
        return self._reader.by_sequence(stream, sequence)

    def key_by_id(self, stream: int, element_id: bytes) -> StoredElement | None:
        """The last key element whose id is at or before this one."""
        self._must_be_open()
        return self._reader.key_by_id(stream, element_id)

    def key_by_pts(self, stream: int, pts: int) -> StoredElement | None:
        """The last key element whose pts is at or before this one."""
        self._must_be_open()
        return self._reader.key_by_pts(stream, pts)

    def scan(self, stream: int, sequence: int, limit: int) -> list[StoredElement | Gap]:
        """What stands from a place of arrival on, at most ``limit`` entries."""
        self._must_be_open()
        check_page(sequence, limit)
        return self._reader.scan(stream, sequence, limit)

    def payloads(self, elements: Sequence[StoredElement]) -> list[Sequence[Buffer] | None]:
        """The planes of each element; None where they were never stored or are gone."""
        self._must_be_open()
        return self._payloads.read(elements)

    def payload_file(self, element: StoredElement) -> FileSpan | None:
        """There are no files."""
        return None

    def version(self) -> int:
        """The number of commits."""
        self._must_be_open()
        return int(self._server.call("GET", self._keys.version) or 0)

    def bell(self) -> Bell | None:
        """There is none."""
        return None

    def pin(self, stream: int, first_sequence: int, last_sequence: int, until_us: int) -> str:
        """Keep payloads of a range from going until a moment; the pin's id."""
        check_pin(stream, first_sequence, last_sequence, until_us)
        self._must_be_open()
        if not self._server.call("EXISTS", self._keys.stream(stream).head):
            raise stream_gone([stream])
        name = new_id()
        pin = Pin(stream, first_sequence, last_sequence, until_us)
        put_pin(name, pin, os.urandom(STAMP_BYTES), self._keys, self._server)
        return name

    def unpin(self, pin: str) -> None:
        """Let a pin go."""
        self._must_be_open()
        self._server.call("HDEL", self._keys.pins, pin)

    def expire(self, now_us: int, capacity: Capacity = Capacity()) -> Expiry:  # noqa: B008 - frozen
        """Let go up to some thousand payloads of each stream, then of all; one commit for each stream."""
        self._must_be_open()
        forget_past_pins(now_us, self._keys, self._server)
        gone: list[int] = []
        freed_bytes = 0
        for stream, due in streams_to_look_at(now_us, self._keys, self._server).items():
            expiry = StreamExpiry(stream, due, now_us, self._keys, self._server)
            sizes, freed = self._committer.run((), (stream,), expiry.carry_out)
            gone += sizes
            freed_bytes += freed
        eviction, elements = Eviction(capacity, now_us, self._keys, self._server), 0
        for stream, chosen in eviction.choose().items():
            work = StreamEviction(stream, chosen, now_us, self._keys, self._server)
            (sizes, removed), freed = self._committer.run((), (stream,), work.carry_out)
            gone += sizes
            elements += removed
            freed_bytes += freed
        return Expiry(len(gone), sum(gone), freed_bytes, elements, eviction.settle_fullness())

    def close(self) -> None:
        """Close the connections; a commit that waits for others fails."""
        if not self._is_closed:
            self._is_closed = True
            self._committer.close()
            self._server.close()

    def _named(self, collection: str, names: Sequence[str]) -> list[Document]:
        if not names:
            return []
        values = self._server.call("MGET", *(self._keys.document(collection, name) for name in names))
        found = (read_document(collection, name, data) for name, data in zip(names, values, strict=True))
        return [document for document in found if document is not None]

    def _must_be_open(self) -> None:
        if self._is_closed:
            raise store_closed()
