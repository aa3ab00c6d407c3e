"""Where the bytes of payloads go: small planes together into chunks, a large one into a chunk of its own.

A chunk is a string that only grows. It goes as a whole, once no element needs a byte of it any more.
"""

from __future__ import annotations

import threading
from typing import Final

from jobengine.contents.redis_store.head import Head
from jobengine.contents.redis_store.keys import Keys, StreamKeys
from jobengine.contents.redis_store.request import Request
from jobengine.contents.redis_store.row import NOWHERE, Place
from jobengine.contents.redis_store.server import RedisServer
from jobengine.contents.redis_store.wire import Rope
from jobengine.errors import TooLargeError
from jobengine.ports.contents import Buffer

OWN_CHUNK_BYTES: Final = 64 * 1024
"""A plane from here on has a chunk to itself, so that it goes exactly when its element does."""
BATCH_BYTES: Final = 256 * 1024
"""So much in one commit is sent ahead as new chunks; less is appended to the open chunk by the script."""
CHUNK_BYTES: Final = 4 * 1024 * 1024
"""What chunks of small planes hold at most."""
PLANE_BYTES_MAX: Final = 512 * 1024 * 1024
"""What a string in Redis can hold."""
_NUMBERS_AT_ONCE: Final = 1024


class ChunkNumbers:
    """Gives out numbers that no chunk ever had; asks Redis for a thousand at a time. Thread-safe."""

    def __init__(self, server: RedisServer, keys: Keys) -> None:
        self._server = server
        self._key = keys.next_chunk
        self._lock = threading.Lock()
        self._next = self._end = 0

    def take(self) -> int:
        """The next one, from 1."""
        with self._lock:
            if self._next == self._end:
                self._end = int(self._server.call("INCRBY", self._key, _NUMBERS_AT_ONCE)) + 1
                self._next = self._end - _NUMBERS_AT_ONCE
            self._next += 1
            return self._next - 1


class Placement:
    """Places the planes of one commit to one stream. ``expected_bytes``: what it will bring at most."""

    def __init__(self, head: Head, keys: StreamKeys, numbers: ChunkNumbers, expected_bytes: int) -> None:
        self._head = head
        self._keys = keys
        self._numbers = numbers
        self._is_batch = expected_bytes >= BATCH_BYTES
        self._chunk = self._start = self._end = 0
        self._buffers: list[Buffer] = []
        self._whole: dict[int, Rope] = {}
        self._appended: tuple[int, int, Rope] | None = None
        if not self._is_batch and head.open_chunk:
            self._chunk, self._start = head.open_chunk, head.open_bytes
            self._end = self._start

    def place(self, plane: Buffer) -> Place:
        """Where this plane will lie; kept until `finish`. Raises TooLargeError."""
        buffer = _in_bytes(plane)
        length = len(buffer)
        if not length:
            return NOWHERE
        if length >= OWN_CHUNK_BYTES:
            return self._place_alone(buffer, length)
        if not self._chunk or self._end + length > CHUNK_BYTES:
            self._seal()
            self._chunk, self._start, self._end = self._numbers.take(), 0, 0
        offset = self._end
        self._buffers.append(buffer)
        self._end += length
        return self._chunk, offset, length

    def finish(self, request: Request, needed: dict[int, int]) -> None:
        """Add to the request what brings the bytes there, without chunks that nobody needs again."""
        self._seal()
        if self._chunk and not self._is_batch:
            self._head.open_chunk, self._head.open_bytes = self._chunk, self._end
        if self._appended is not None:
            chunk, start, data = self._appended
            request.add("SETRANGE", self._keys.chunk(chunk), start, data)
        for chunk, whole in self._whole.items():
            if needed.get(chunk):
                request.stage(self._keys.chunk(chunk), whole)
            elif chunk == self._head.open_chunk:
                self._head.open_chunk = self._head.open_bytes = 0

    def is_new(self, chunk: int) -> bool:
        """Whether the chunk comes with this commit."""
        return chunk in self._whole

    def _place_alone(self, buffer: Buffer, length: int) -> Place:
        if length > PLANE_BYTES_MAX:
            raise TooLargeError(f"Redis keeps planes of {PLANE_BYTES_MAX} bytes at most, this has {length}")
        chunk = self._numbers.take()
        self._whole[chunk] = Rope((buffer,), length)
        return chunk, 0, length

    def _seal(self) -> None:
        if not self._buffers:
            return
        data = Rope(self._buffers, self._end - self._start)
        if self._start:
            self._appended = (self._chunk, self._start, data)
        else:
            self._whole[self._chunk] = data
        self._start = self._end
        self._buffers = []


def _in_bytes(plane: Buffer) -> Buffer:
    if isinstance(plane, memoryview):
        return plane.cast("B") if plane.c_contiguous else plane.tobytes()
    return plane
