"""One commit in the making: the documents and streams that it names, and what its writes do to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from jobengine.clock import Clock, to_us
from jobengine.contents.eviction import bring_payload
from jobengine.contents.redis_store.chunks import OWN_CHUNK_BYTES, ChunkNumbers
from jobengine.contents.redis_store.document_draft import DocumentDrafts
from jobengine.contents.redis_store.keys import Keys
from jobengine.contents.redis_store.order import place_bytes
from jobengine.contents.redis_store.pins import Pins, forget_pins
from jobengine.contents.redis_store.request import Request
from jobengine.contents.redis_store.server import RedisServer
from jobengine.contents.redis_store.stream_draft import StreamDraft
from jobengine.contents.redis_store.stream_flush import flush
from jobengine.contents.redis_store.stream_writes import (
    delete_elements,
    drop_payloads,
    keep_payload,
    limit_stream,
    put_element,
    put_planes,
)
from jobengine.contents.refusals import store_full, stream_gone
from jobengine.ports.contents import (
    DeleteDocument,
    DeleteElements,
    DropPayloads,
    DropStream,
    KeepPayload,
    LimitStream,
    Outcome,
    PutDocument,
    PutElement,
    PutMode,
    PutPlanes,
    Write,
)

_LETTING_GO: Final = (DeleteDocument, DeleteElements, DropPayloads, DropStream)


class CommitDraft:
    """Made from what Redis has now; `finish` makes the request. ``stamp`` is the commit's id.

    ``writes`` are those that `write` will be given, in this order.
    """

    def __init__(
        self,
        server: RedisServer,
        keys: Keys,
        numbers: ChunkNumbers,
        stamp: bytes,
        writes: Sequence[Write],
    ) -> None:
        self.request = Request(stamp, is_release=all(isinstance(write, _LETTING_GO) for write in writes))
        self.freed_bytes = 0
        self._server = server
        self._keys = keys
        self._numbers = numbers
        self._streams: dict[int, StreamDraft] = {}
        self._is_refused = False
        named = [write for write in writes if isinstance(write, PutDocument | DeleteDocument)]
        self._documents = DocumentDrafts([(write.collection, write.key) for write in named], keys)
        self._read(writes)

    def must_be_possible(self, streams: Iterable[int]) -> None:
        """Raise StreamGone if one of these is not there, DiskFull if the store has no room for payload."""
        gone = [number for number in streams if not self.stream(number).is_begun]
        if gone:
            raise stream_gone(gone)
        if self._is_refused:
            raise store_full()

    def write(self, write: Write, clock: Clock) -> Outcome:
        """Do one write. Raises what `jobengine.ports.contents.ContentStore.commit` says."""
        if isinstance(write, PutDocument):
            return self._documents.put(write)
        if isinstance(write, DeleteDocument):
            return self._documents.delete(write)
        stream = self._streams[write.stream]
        if isinstance(write, PutElement):
            return put_element(stream, write, to_us(clock.now()))
        if isinstance(write, PutPlanes):
            return put_planes(stream, write)
        if isinstance(write, KeepPayload):
            return keep_payload(stream, write)
        if isinstance(write, DeleteElements):
            return delete_elements(stream, write)
        if isinstance(write, DropPayloads):
            pins = Pins.read(self._keys, self._server)
            self.request.guard(self._keys.pinned, pins.stamp)
            return drop_payloads(stream, write, pins, to_us(clock.now()))
        if isinstance(write, LimitStream):
            return limit_stream(stream, write)
        forget_pins(write.stream, self._keys, self._server, self.request)
        return Outcome(created=False, changed=stream.drop())

    def stream(self, number: int) -> StreamDraft:
        """The draft of a stream, also of one that no write names."""
        if number not in self._streams:
            draft = self._streams[number] = self._draft(number, [])
            draft.take(self._server.call_all(draft.ask((), ())))
        return self._streams[number]

    def finish(self) -> Request:
        """What to send."""
        self._documents.flush(self.request)
        self.freed_bytes = sum(
            flush(stream, self._keys, self._server, self.request) for stream in self._streams.values()
        )
        return self.request

    def _read(self, writes: Sequence[Write]) -> None:
        """All that is certainly needed, in one round trip."""
        by_stream: dict[int, list[Write]] = {}
        for write in writes:
            if not isinstance(write, PutDocument | DeleteDocument):
                by_stream.setdefault(write.stream, []).append(write)
        commands = self._documents.ask()
        ends = [len(commands)]
        for number, mine in by_stream.items():
            draft = self._streams[number] = self._draft(number, mine)
            commands += draft.ask(_ids(mine), _places(mine))
            ends.append(len(commands))
        brings_payload = bring_payload(writes)
        if brings_payload:
            commands.append(("EXISTS", self._keys.full))
        replies = self._server.call_all(commands)
        self._is_refused = brings_payload and bool(replies[-1])
        self._documents.take(replies[: ends[0]])
        for start, end, draft in zip(ends, ends[1:], self._streams.values(), strict=False):
            draft.take(replies[start:end])

    def _draft(self, number: int, writes: Sequence[Write]) -> StreamDraft:
        keys = self._keys.stream(number)
        return StreamDraft(number, keys, self._server, self._numbers, _small_bytes(writes))


def _ids(writes: Sequence[Write]) -> list[bytes]:
    return [
        write.element.element_id
        for write in writes
        if isinstance(write, PutElement) and write.element.element_id
    ]


def _places(writes: Sequence[Write]) -> set[bytes]:
    places = {
        place_bytes(write.pts, write.kind) for write in writes if isinstance(write, PutPlanes | KeepPayload)
    }
    for write in writes:
        if isinstance(write, PutElement) and write.mode is not PutMode.APPEND:
            element = write.element
            if element.pts is not None:
                places.add(place_bytes(element.pts, element.kind))
    return places


def _small_bytes(writes: Sequence[Write]) -> int:
    """Bytes of payload that would share chunks."""
    total = 0
    for write in writes:
        planes = write.planes if isinstance(write, PutElement) else ()
        planes = tuple(write.planes.values()) if isinstance(write, PutPlanes) else planes
        total += sum(len(plane) for plane in planes or () if len(plane) < OWN_CHUNK_BYTES)
    return total
