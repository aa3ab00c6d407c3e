"""The head of a stream: the little that changes with every commit to it."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, Self

STAMP_BYTES: Final = 16
_LAYOUT: Final = struct.Struct("<16sQQQQqq")
_NO_LIMIT: Final = -1


@dataclass(slots=True)
class Head:
    """A stream's counters and limits.

    ``stamp`` is the id of the commit that changed the stream last, empty for one that isn't there: a commit
    is only done if the stamps are those that it was made from. ``open_chunk`` (0: none) takes further small
    payloads from ``open_bytes`` on.
    """

    stamp: bytes = b""
    next_sequence: int = 0
    payload_bytes: int = 0
    open_chunk: int = 0
    open_bytes: int = 0
    limit_age_us: int | None = None
    limit_bytes: int | None = None

    def pack(self, stamp: bytes) -> bytes:
        """Its bytes under a new stamp, which stands first."""
        return _LAYOUT.pack(
            stamp,
            self.next_sequence,
            self.payload_bytes,
            self.open_chunk,
            self.open_bytes,
            _NO_LIMIT if self.limit_age_us is None else self.limit_age_us,
            _NO_LIMIT if self.limit_bytes is None else self.limit_bytes,
        )

    @classmethod
    def unpack(cls, data: bytes | None) -> Self:
        """The inverse of `pack`; of nothing, the head of an empty stream."""
        if not data:
            return cls()
        head = cls(*_LAYOUT.unpack(data))
        head.limit_age_us = None if head.limit_age_us == _NO_LIMIT else head.limit_age_us
        head.limit_bytes = None if head.limit_bytes == _NO_LIMIT else head.limit_bytes
        return head
