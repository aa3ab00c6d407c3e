"""Bytes from one socket to another, one chunk at a time."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress

CHUNK_BYTES = 128 << 10


class Flow:
    """One direction of a connection that is handed through. Holds one chunk at most: who sends faster than
    the other side takes has to wait.

    ``is_deaf``: the sink takes nothing any more; what comes is thrown away. ``pass_on`` tells what is sent on
    for what comes.
    """

    def __init__(
        self,
        source: socket.socket,
        sink: socket.socket,
        first: bytes,
        buffer: bytearray,
        pass_on: Callable[[bytes | memoryview], bytes | memoryview] = lambda data: data,
    ) -> None:
        """``first`` goes before what ``source`` brings; ``buffer`` is shared by all flows of a thread."""
        self._source = source
        self._sink = sink
        self._pass_on = pass_on
        self._left = bytes(pass_on(first))
        self._buffer = memoryview(buffer)
        self.has_ended = False
        self.is_deaf = False

    @property
    def is_stuck(self) -> bool:
        """Whether the sink has to take something first."""
        return bool(self._left)

    def pump(self) -> None:
        """Send what is left, or take a chunk and send it. Raises OSError of the source."""
        if self._left:
            self._left = self._left[self._send(memoryview(self._left)) :]
            return
        try:
            count = self._source.recv_into(self._buffer)
        except BlockingIOError:
            return
        if count:
            data = self._pass_on(self._buffer[:count])
            self._left = bytes(data[self._send(data) :]) if data else b""
        else:
            self.end()

    def end(self) -> None:
        """The source brings nothing more."""
        self.has_ended = True
        with suppress(OSError):  # gone already
            self._sink.shutdown(socket.SHUT_WR)

    def cut_off(self) -> None:
        """The sink gets nothing more, whatever the source brings."""
        self.is_deaf = True
        with suppress(OSError):  # gone already
            self._sink.shutdown(socket.SHUT_WR)

    def _send(self, data: bytes | memoryview) -> int:
        """How much of it needs no further care."""
        if not self.is_deaf:
            try:
                return self._sink.send(data)
            except BlockingIOError:
                return 0
            except OSError:
                self.is_deaf = True
        return len(data)
