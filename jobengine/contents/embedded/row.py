"""Rows of the index: where an element's record and payload are, and all that is said of it but attributes.

A row is the record's core (see `record`), two places, and the sizes of planes. ``place`` 0 is nowhere.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from jobengine.contents.embedded.record import (
    ALIGNMENT,
    CORE,
    FLAG_ELSEWHERE,
    FLAG_EXPIRES,
    FLAG_FRAME,
    FLAG_GONE,
    FLAG_HERE,
    FLAG_KEY,
    HEADER_BYTES,
    sizes_struct,
)

PLACES = struct.Struct("<IIIIQ")
"""Segment and offset of the record, and of the payload, in units of 8 bytes; the payload's checksum."""
FIELDS = struct.Struct("<qqqqq16sHBBIIIIIQ")
"""Core and places, with offsets in units of 8 bytes; the sizes of planes stand behind."""
_COUNTS, _COUNTS_AT = struct.Struct("<HBB"), struct.calcsize("<qqqqq16s")
ATTRIBUTES, ATTRIBUTES_AT = struct.Struct("<III"), CORE.size - struct.calcsize("<I")
"""Bytes of attributes, segment, and offset in units of 8 bytes: the part of a row that leads to them."""
_PAYLOAD, _PAYLOAD_AT = struct.Struct("<IIQ"), CORE.size + struct.calcsize("<II")

Place = tuple[int, int, int, tuple[int, ...], int]
"""Where a payload is: the revision of its stream for which that holds, segment (0: nowhere), offset, sizes of
planes, checksum."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a look-up found in a stream of a revision: sequences, and as many rows as the index keeps them."""

    revision: int
    sequences: Sequence[int]
    rows: Sequence[bytes]


@dataclass(slots=True)
class Row:
    """A row taken apart, to be changed and put together again."""

    pts: int
    dts: int
    duration: int
    expires_us: int
    stored_us: int
    element_id: bytes
    flags: int
    declared: tuple[int, ...]
    stored: tuple[int, ...]
    attributes_bytes: int
    segment: int
    offset: int
    payload_segment: int
    payload_offset: int
    payload_checksum: int

    @property
    def kind(self) -> int:
        """0 packet, 1 frame."""
        return self.flags & FLAG_FRAME

    @property
    def is_key(self) -> bool:
        """Whether it is a key element."""
        return bool(self.flags & FLAG_KEY)

    @property
    def is_here(self) -> bool:
        """Whether its payload is here."""
        return bool(self.flags & FLAG_HERE)

    @property
    def place(self) -> Place:
        """Where its payload is, at this moment only."""
        return 0, self.payload_segment, self.payload_offset, self.stored, self.payload_checksum

    @property
    def payload_bytes(self) -> int:
        """Of all planes that are here."""
        return sum(self.stored) if self.flags & FLAG_HERE else 0

    @property
    def expiry_us(self) -> int | None:
        """When its payload may go."""
        return self.expires_us if self.flags & FLAG_EXPIRES else None

    @property
    def head_bytes(self) -> int:
        """What its record takes in the log without payload, sizes and padding aside."""
        return HEADER_BYTES + self.attributes_bytes

    def lose_payload(self) -> None:
        """The payload is gone."""
        self.flags = (self.flags | FLAG_GONE) & ~(FLAG_HERE | FLAG_EXPIRES)
        self.expires_us = 0
        self.stored = ()
        self.payload_segment = self.payload_offset = self.payload_checksum = 0

    def core(self, further_flags: int = 0) -> bytes:
        """The part that record and row share."""
        return CORE.pack(
            self.pts,
            self.dts,
            self.duration,
            self.expires_us,
            self.stored_us,
            self.element_id,
            self.flags | further_flags,
            len(self.declared),
            len(self.stored),
            self.attributes_bytes,
        )

    def sizes(self) -> bytes:
        """Of the planes, declared and stored."""
        sizes = (*self.declared, *self.stored)
        return sizes_struct(len(sizes)).pack(*sizes)

    def encode(self) -> bytes:
        """As the index keeps it."""
        return self.encode_with(self.core(), self.sizes())

    def encode_with(self, core: bytes, sizes: bytes) -> bytes:
        """The same, where core and sizes are at hand."""
        places = PLACES.pack(
            self.segment,
            self.offset // ALIGNMENT,
            self.payload_segment,
            self.payload_offset // ALIGNMENT,
            self.payload_checksum,
        )
        return core + places + sizes


def decode_row(data: bytes) -> Row:
    """A row as the index keeps it."""
    fields = FIELDS.unpack_from(data)
    declared, stored = fields[7:9]
    sizes = sizes_struct(declared + stored).unpack_from(data, FIELDS.size)
    row = Row.__new__(Row)
    row.pts, row.dts, row.duration, row.expires_us, row.stored_us, row.element_id, row.flags = fields[:7]
    row.declared, row.stored = sizes[:declared], sizes[declared:]
    row.attributes_bytes, row.segment, offset, row.payload_segment, payload_offset, checksum = fields[9:]
    row.offset, row.payload_offset = offset * ALIGNMENT, payload_offset * ALIGNMENT
    row.payload_checksum = checksum
    return row


def row_of_record(core: bytes, metadata: bytes) -> Row:
    """The row of an element's record, its places not filled in. The flag for payload elsewhere stays."""
    row = decode_row(core + bytes(PLACES.size) + metadata[CORE.unpack(core)[-1] :])
    return row


def is_elsewhere(row: Row) -> bool:
    """Take the flag out that says that an earlier record has the payload; whether it was set."""
    was = bool(row.flags & FLAG_ELSEWHERE)
    row.flags &= ~FLAG_ELSEWHERE
    return was


def place_of(revision: int, data: bytes) -> Place:
    """Where the payload of a row is, as the index keeps it."""
    _, declared, stored = _COUNTS.unpack_from(data, _COUNTS_AT)
    segment, offset, checksum = _PAYLOAD.unpack_from(data, _PAYLOAD_AT)
    sizes = sizes_struct(stored).unpack_from(data, FIELDS.size + 4 * declared)
    return revision, segment, offset * ALIGNMENT, sizes, checksum
