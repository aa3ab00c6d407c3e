"""How far a client has got with the request that it is sending, in a connection that is handed through.

It is only looked on: what is sent goes through as it is, and what this can't read it says nothing of. So it
may tell who owes the rest of a body, and never where a request ends for the http process.
"""

from __future__ import annotations

from enum import Enum

MAX_LINE_BYTES = 64 << 10
_LOOK_BYTES = 4 << 10
_LINE_END = b"\n"
_CHUNK_END_BYTES = 2


class _Part(Enum):
    BETWEEN = "between requests"
    HEAD = "head"
    BODY = "body"
    CHUNKS = "body in chunks"
    TRAILER = "trailer"
    UNKNOWN = "what can't be read"


class Framing:
    """The bounds of requests (RFC 9112), as far as they can be told.

    ``is_chunked``: whether the newest one's body comes in chunks.
    """

    def __init__(self) -> None:
        self._part = _Part.BETWEEN
        self._line = b""
        self._body_bytes = 0
        """What is left of a body or of a chunk."""
        self._length = 0
        self.is_chunked = False

    @property
    def owes_body(self) -> bool:
        """Whether a head has come whole, and its body has not."""
        return self._part in (_Part.BODY, _Part.CHUNKS, _Part.TRAILER)

    def see(self, data: bytes | memoryview) -> None:
        """What the client has sent next."""
        at = 0
        while at < len(data) and self._part is not _Part.UNKNOWN:
            if self._body_bytes:
                at += self._pass_body(len(data) - at)
            else:
                at += self._take_line(data[at : at + _LOOK_BYTES])

    def _pass_body(self, count: int) -> int:
        """How many of the next bytes belong to the body."""
        step = min(self._body_bytes, count)
        self._body_bytes -= step
        if not self._body_bytes and self._part is _Part.BODY:
            self._part = _Part.BETWEEN
        return step

    def _take_line(self, view: bytes | memoryview) -> int:
        """How many of the next bytes were taken; a line that is whole is read."""
        data = bytes(view)
        end = data.find(_LINE_END)
        self._line += data if end < 0 else data[:end]
        if len(self._line) > MAX_LINE_BYTES:
            self._part = _Part.UNKNOWN
        if end < 0:
            return len(data)
        line, self._line = self._line.rstrip(b"\r"), b""
        try:
            self._read(line)
        except ValueError:
            self._part = _Part.UNKNOWN
        return end + len(_LINE_END)

    def _read(self, line: bytes) -> None:
        """Raises ValueError for a line that makes no sense."""
        match self._part:
            case _Part.BETWEEN if line:
                self._part, self.is_chunked, self._length = _Part.HEAD, False, 0
            case _Part.HEAD if line:
                self._read_header(line)
            case _Part.HEAD:
                self._end_head()
            case _Part.CHUNKS:
                size = int(line.partition(b";")[0], 16)
                self._body_bytes = size + _CHUNK_END_BYTES if size else 0
                self._part = _Part.CHUNKS if size else _Part.TRAILER
            case _Part.TRAILER if not line:
                self._part = _Part.BETWEEN

    def _read_header(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        match name.lower():
            case b"content-length":
                self._length = int(value)
            case b"transfer-encoding":
                self.is_chunked = True
            case b"upgrade":
                raise ValueError("who knows what comes after")

    def _end_head(self) -> None:
        if self.is_chunked:
            self._part = _Part.CHUNKS
        elif self._length > 0:
            self._part, self._body_bytes = _Part.BODY, self._length
        else:
            self._part = _Part.BETWEEN
