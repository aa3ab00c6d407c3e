"""What the keys of a store are called.

All of them carry one hash tag, the store's prefix, so they lie in one slot: a commit may touch anything and
is still one script.
"""

from __future__ import annotations


class Keys:
    """The keys of one store."""

    def __init__(self, prefix: str) -> None:
        self._base = f"{{{prefix}}}:".encode()
        self.version = self._base + b"version"
        """A number: commits so far."""
        self.next_chunk = self._base + b"next-chunk"
        """A number: chunks given out so far."""
        self.pins = self._base + b"pins"
        """Hash: pin -> stream, range and end."""
        self.pinned = self._base + b"pinned"
        """The stamp of the last change of a pin."""
        self.expiring = self._base + b"expiring"
        """Sorted set: stream and sequence by the time at which the payload may go."""
        self.limited = self._base + b"limited"
        """Set: numbers of the streams that have limits."""
        self.streams = self._base + b"streams"
        """Set: numbers of all streams."""
        self.full = self._base + b"full"
        """There while the store is full of pinned payloads."""

    def marker(self, writer: str) -> bytes:
        """The id of the last commit of one writer, for some minutes."""
        return self._base + b"last:" + writer.encode()

    def document(self, collection: str, key: str) -> bytes:
        """A document: stamp, revision and JSON."""
        return self._base + b"document:" + f"{collection}\0{key}".encode()

    def collection(self, collection: str) -> bytes:
        """Sorted set: the keys of the documents in a collection."""
        return self._base + b"collection:" + collection.encode()

    def stream(self, number: int) -> StreamKeys:
        """The keys of one stream."""
        return StreamKeys(self._base + b"stream:%d:" % number)


class StreamKeys:
    """The keys of one stream. Sequences are their 8 bytes, see `jobengine.contents.redis_store.order`."""

    __slots__ = ("_base", "chunks", "gaps", "head", "held", "ids", "key_ids", "key_times", "rows", "times")

    def __init__(self, base: bytes) -> None:
        self._base = base
        self.head = base + b"head"
        """What changes with every commit."""
        self.rows = base + b"rows"
        """Hash: sequence -> all that is known of an element."""
        self.times = base + b"times"
        """Sorted set in order of bytes: (pts, kind, sequence)."""
        self.key_times = base + b"key-times"
        """The same of key elements only."""
        self.ids = base + b"ids"
        """Hash: id -> sequence."""
        self.key_ids = base + b"key-ids"
        """Sorted set in order of bytes: (id, sequence) of key elements."""
        self.held = base + b"held"
        """Sorted set: sequences by number, of elements whose payload is here."""
        self.gaps = base + b"gaps"
        """Sorted set in order of bytes: (first, last) of runs of removed sequences."""
        self.chunks = base + b"chunks"
        """Hash: chunk (decimal) -> bytes of it that some element still needs."""

    def chunk(self, number: int) -> bytes:
        """The string that holds the bytes of one chunk."""
        return self._base + b"chunk:%d" % number

    def indexes(self) -> list[bytes]:
        """Everything but the chunks themselves."""
        return [
            self.head,
            self.rows,
            self.times,
            self.key_times,
            self.ids,
            self.key_ids,
            self.held,
            self.gaps,
            self.chunks,
        ]
