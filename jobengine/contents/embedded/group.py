"""Groups: what is written to a segment with one sync, and is there afterwards whole or not at all.

A header with a checksum of its own says how long the group is and how many records it has. Groups are
numbered over all segments (``number``, from 1, without gaps); ``acknowledged`` is the last number that was
durable everywhere when the group was begun. The ``salt`` of the store and the offset are part of all
checksums, so that remains of an older group, or a segment stored as somebody's payload, never pass for one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import xxhash

from jobengine.contents.embedded.record import (
    U64,
    DamagedError,
    Record,
    check_payload,
    decode_record,
)
from jobengine.ports.contents import Buffer

GROUP_MAGIC: Final = b"JEgroup1"
_GROUP = struct.Struct("<8sQQQQIIQ")
_CHECKSUM = struct.Struct("<Q")
GROUP_HEADER_BYTES: Final = _GROUP.size + _CHECKSUM.size


@dataclass(frozen=True, slots=True)
class Group:
    """The header of one group; ``length`` counts from its first byte to behind its last record.

    ``lifetime`` is the class of its segment (`log.lifetime_class`).
    """

    number: int
    acknowledged: int
    length: int
    count: int
    segment: int
    lifetime: int
    offset: int

    @property
    def end(self) -> int:
        """Where the next group begins."""
        return self.offset + self.length


def record_seed(salt: int, number: int) -> int:
    """What makes a record one of this store and group."""
    return (salt + number * 0x9E3779B97F4A7C15) & U64


def encode_group(group: Group, salt: int) -> bytes:
    """The header of a group."""
    head = _GROUP.pack(
        GROUP_MAGIC,
        salt,
        group.number,
        group.acknowledged,
        group.length,
        group.count,
        group.lifetime,
        group.segment,
    )
    return head + _CHECKSUM.pack(_checksum(head, salt, group.offset))


def decode_group(data: Buffer, at: int, offset: int, segment: int, salt: int) -> Group | None:
    """The group that begins at ``data[at]``, which is ``offset`` in its segment; None if there is none."""
    if at + GROUP_HEADER_BYTES > len(data):
        return None
    head = bytes(memoryview(data)[at : at + _GROUP.size])
    magic, its_salt, number, acknowledged, length, count, lifetime, its_segment = _GROUP.unpack(head)
    if magic != GROUP_MAGIC or its_salt != salt or its_segment != segment:
        return None
    (checksum,) = _CHECKSUM.unpack_from(data, at + _GROUP.size)
    if checksum != _checksum(head, salt, offset):
        return None
    return Group(number, acknowledged, length, count, segment, lifetime, offset)


def find_group(data: Buffer, base: int, segment: int, salt: int) -> Group | None:
    """The first group behind the start of ``data``, which is ``base`` in its segment."""
    view = memoryview(data)
    for at in _places_of_magic(view, 1):
        group = decode_group(view, at, base + at, segment, salt)
        if group is not None:
            return group
    return None


def records_of(data: Buffer, group: Group, salt: int) -> Iterator[Record]:
    """The records of a group, given its bytes; raises DamagedError where a header isn't what was written."""
    seed = record_seed(salt, group.number)
    offset = group.offset + GROUP_HEADER_BYTES
    for _ in range(group.count):
        record = decode_record(data, offset - group.offset, offset, seed)
        if record.end > group.end:
            raise DamagedError(f"a record at {offset} is longer than its group")
        yield record
        offset = record.end
    if offset != group.end:
        raise DamagedError(f"the group at {group.offset} is longer than its records")


def is_whole(data: Buffer, group: Group, salt: int) -> bool:
    """Whether every byte of a group that means something is what was written, given its bytes."""
    view = memoryview(data)
    if group.length > len(view):
        return False
    try:
        for record in records_of(view, group, salt):
            if record.payload_bytes:
                start = record.payload_offset - group.offset
                payload = view[start : start + record.payload_bytes]
                check_payload(payload, record.payload_checksum, f"the record at {record.offset}")
    except DamagedError:
        return False
    return True


def _checksum(head: bytes, salt: int, offset: int) -> int:
    return xxhash.xxh3_64_intdigest(head, (salt ^ (offset * 0x9E3779B97F4A7C15)) & U64)


def _places_of_magic(data: memoryview, start: int) -> Iterator[int]:
    step = 1 << 20
    overlap = len(GROUP_MAGIC) - 1
    for base in range(start, len(data), step):
        chunk = bytes(data[base : base + step + overlap])
        found = chunk.find(GROUP_MAGIC)
        while found >= 0:
            yield base + found
            found = chunk.find(GROUP_MAGIC, found + 1)
