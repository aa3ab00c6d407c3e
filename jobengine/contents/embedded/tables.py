"""Rows of the small tables: the store, its segments, streams and pins. All numbers are little endian."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, ClassVar, Final, Self

KEPT: Final = 0
"""The lifetime class of what has no expiry."""
STATE_KEY: Final = b"state"


@dataclass(slots=True)
class _Packed:
    """A row that is its fields, one after the other."""

    LAYOUT: ClassVar[struct.Struct]
    FIELDS: ClassVar[attrgetter[Any]]

    def __init_subclass__(cls) -> None:
        cls.FIELDS = attrgetter(*cls.__annotations__)

    def encode(self) -> bytes:
        """As the table has it."""
        return self.LAYOUT.pack(*self.FIELDS(self))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The inverse of `encode`."""
        return cls(*cls.LAYOUT.unpack(data))


@dataclass(slots=True)
class StateRow(_Packed):
    """Of the whole store: the number of the last group, what the next segment and life will be, and whether
    it is full of pinned payloads."""

    LAYOUT = struct.Struct("<QQQB")

    group: int = 0
    next_segment: int = 1
    next_life: int = 1
    is_full: int = 0


@dataclass(slots=True)
class SegmentRow(_Packed):
    """One file of the log. ``tail`` is where its next group goes, ``last_group`` where its last one begins.

    ``record_bytes`` and ``payload_bytes`` are those that rows of the index point to; ``moved_bytes`` how
    much of it, from its start, was looked through for what must be kept elsewhere.
    """

    LAYOUT = struct.Struct("<QQQQQQQQ")

    lifetime: int
    tail: int = 0
    last_group: int = 0
    first_number: int = 0
    last_number: int = 0
    record_bytes: int = 0
    payload_bytes: int = 0
    moved_bytes: int = 0


@dataclass(slots=True)
class StreamRow(_Packed):
    """One stream. ``first_payload`` is a sequence before which no payload is; limits below 0 are none;
    ``bucket_bits`` 0: no element has come yet; ``open_count`` elements of ``open_bucket`` are in no counter
    yet (see `ranks`). ``revision`` is the last group that changed or removed an element, or began the
    stream."""

    LAYOUT = struct.Struct("<QQQQQQqq16sBQQQ")

    life: int
    next_sequence: int = 0
    count: int = 0
    key_count: int = 0
    payload_bytes: int = 0
    first_payload: int = 0
    limit_age_us: int = -1
    limit_bytes: int = -1
    last_id: bytes = bytes(16)
    bucket_bits: int = 0
    open_bucket: int = 0
    open_count: int = 0
    revision: int = 0

    @property
    def is_limited(self) -> bool:
        """Whether payloads go by age or size."""
        return self.limit_age_us >= 0 or self.limit_bytes >= 0


@dataclass(slots=True)
class PinRow(_Packed):
    """Payloads of one life that stay until a moment, both sequences inclusive."""

    LAYOUT = struct.Struct("<QQQQq")

    stream: int
    life: int
    first_sequence: int
    last_sequence: int
    until_us: int

    def holds(self, sequence: int) -> bool:
        """Whether it keeps the payload of this element of its life."""
        return self.first_sequence <= sequence <= self.last_sequence
