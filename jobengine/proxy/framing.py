"""How far a client has got with the request that it is sending, in a connection that is handed through.

What is sent goes through as it is, and what this can't read it says nothing of. So it may tell who owes the
rest of a body, and never where a request ends for the http process. Only of a body in chunks the sizes and
the end are held back until they are whole: the end is marked (`jobengine.model.last_chunk`), and behind
chunks that make no sense nothing goes through.
"""

from __future__ import annotations

import re
from enum import Enum

from jobengine.model.last_chunk import marking_chunk

MAX_LINE_BYTES = 64 << 10
_LOOK_BYTES = 4 << 10
_LINE_END = b"\n"
_CHUNK_END_BYTES = 2
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\r\n]*)?\r")


class _Part(Enum):
    BETWEEN = "between requests"
    HEAD = "head"
    BODY = "body"
    CHUNKS = "body in chunks"
    TRAILER = "trailer"
    UNKNOWN = "what can't be read"
    BROKEN = "behind chunks that make no sense"


class Framing:
    """The bounds of requests (RFC 9112), as far as they can be told.

    ``is_chunked``: whether the newest one's body comes in chunks.
    """

    def __init__(self, secret: str) -> None:
        """``secret`` is what ends of bodies are marked with."""
        self._marking = marking_chunk(secret)
        self._part = _Part.BETWEEN
        self._line = b""
        self._end = b""
        """The last chunk and the trailer, as far as they have come."""
        self._whole = b""
        """A size, or an end, that has come whole."""
        self._body_bytes = 0
        """What is left of a body or of a chunk."""
        self._length = 0
        self.is_chunked = False

    @property
    def owes_body(self) -> bool:
        """Whether a head has come whole, and its body has not."""
        return self._part in (_Part.BODY, _Part.CHUNKS, _Part.TRAILER)

    @property
    def is_broken(self) -> bool:
        """Whether nothing that comes goes through any more."""
        return self._part is _Part.BROKEN

    def pass_on(self, data: bytes | memoryview) -> bytes | memoryview:
        """What goes through now that the client has sent ``data`` next; ``data`` itself mostly."""
        pieces: list[bytes | memoryview] = []
        at = begin = 0
        while at < len(data) and self._part not in (_Part.UNKNOWN, _Part.BROKEN):
            if self._body_bytes:
                at += self._pass_body(len(data) - at)
            elif self._part in (_Part.CHUNKS, _Part.TRAILER):
                pieces.append(data[begin:at])
                at += self._take_line(data[at : at + _LOOK_BYTES])
                begin = at
                pieces.append(self._released())
            else:
                at += self._take_line(data[at : at + _LOOK_BYTES])
        if not (pieces or self.is_broken):
            return data
        return b"".join((*pieces, b"" if self.is_broken else data[begin:]))

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
        if len(self._line) + len(self._end) > MAX_LINE_BYTES:
            self._give_up()
        if end < 0:
            return len(data)
        line, self._line = self._line, b""
        try:
            self._read(line)
        except ValueError:
            self._give_up()
        return end + len(_LINE_END)

    def _give_up(self) -> None:
        self._part = _Part.BROKEN if self._part in (_Part.CHUNKS, _Part.TRAILER) else _Part.UNKNOWN

    def _read(self, line: bytes) -> None:
        """Raises ValueError for a line that makes no sense."""
        bare = line.rstrip(b"\r")
        match self._part:
            case _Part.BETWEEN if bare:
                self._part, self.is_chunked, self._length = _Part.HEAD, False, 0
            case _Part.HEAD if bare:
                self._read_header(bare)
            case _Part.HEAD:
                self._end_head()
            case _Part.CHUNKS:
                self._read_size(line)
            case _Part.TRAILER:
                self._read_trailer(line)

    def _read_size(self, line: bytes) -> None:
        found = _CHUNK_SIZE.fullmatch(line)
        if found is None:
            raise ValueError("no size of a chunk")
        size = int(found[1], 16)
        if size:
            self._body_bytes = size + _CHUNK_END_BYTES
            self._whole = line + _LINE_END
        else:
            self._part, self._end = _Part.TRAILER, self._marking + line + _LINE_END

    def _read_trailer(self, line: bytes) -> None:
        if not line.endswith(b"\r"):
            raise ValueError("a line without its end")
        self._end += line + _LINE_END
        if line == b"\r":
            self._part, self._whole, self._end = _Part.BETWEEN, self._end, b""

    def _released(self) -> bytes:
        """What was held back and goes through now."""
        whole, self._whole = self._whole, b""
        return whole

    def _read_header(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        match name.lower():
            case b"content-length":
                self._length = int(value)
            case b"transfer-encoding":
                self.is_chunked = True

    def _end_head(self) -> None:
        if self.is_chunked:
            self._part = _Part.CHUNKS
        elif self._length > 0:
            self._part, self._body_bytes = _Part.BODY, self._length
        else:
            self._part = _Part.BETWEEN
