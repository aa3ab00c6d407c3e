"""The records of the log, byte by byte: a fixed header, metadata, and for elements their payload.

::

    checksum     u64   xxh3 of everything from here to the end of the padded metadata, seeded by the group
    magic        u16   version u8, type u8, metadata_bytes u32
    payload_bytes u64, payload_checksum u64 (xxh3), stream u64, life u64, sequence u64
    core         64 B  pts, dts, duration, expires_us, stored_us (i64), id (16 B), flags u16,
                       declared planes u8, stored planes u8, attributes_bytes u32
    metadata           attributes, sizes of declared planes u32, of stored planes u32; padded to 8
    payload            the planes one behind the other; padded to 8

A ``life`` numbers the lives of streams: one that was dropped and begun anew has another. Records that are
no elements use stream, life and sequence, and a msgpack body for their metadata. All numbers are little
endian. Nothing here knows files or the index.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

import msgspec
import xxhash

from jobengine.ports.contents import Buffer

MAGIC: Final = 0x4A45
VERSION: Final = 1
ALIGNMENT: Final = 8
U64: Final = 2**64 - 1

CHECKSUM: Final = struct.Struct("<Q")
PREFIX: Final = struct.Struct("<HBBIQQQQQ")
PREFIX_AND_PTS: Final = struct.Struct("<HBBIQQQQQq")
CORE: Final = struct.Struct("<qqqqq16sHBBI")
CORE_BEHIND_PTS: Final = struct.Struct("<qqqq16sHBBI")
HEADER_BYTES: Final = CHECKSUM.size + PREFIX.size + CORE.size
EMPTY_CORE: Final = bytes(CORE.size)
_PADDING = [bytes(-length % ALIGNMENT) for length in range(ALIGNMENT)]

FLAG_FRAME: Final = 1
FLAG_KEY: Final = 2
FLAG_DTS: Final = 4
FLAG_DURATION: Final = 8
FLAG_EXPIRES: Final = 16
FLAG_HERE: Final = 32
FLAG_GONE: Final = 64
FLAG_ELSEWHERE: Final = 128
"""In the log only: the payload is here, and it is that of an earlier record."""


class RecordType(IntEnum):
    """What a record says."""

    ELEMENT = 1
    DELETED = 2
    """These elements are gone: body, runs of sequences."""
    PAYLOADS_GONE = 3
    """The payloads of these elements are gone: body, runs of sequences."""
    STREAM_DROPPED = 4
    STREAM = 5
    """What holds for a stream: its next sequence; body, limits of age and bytes."""
    DOCUMENT = 6
    """``sequence`` is the revision; body, collection, key, JSON."""
    DOCUMENT_DELETED = 7
    PIN = 8
    """Body: name, first and last sequence, until when."""
    UNPINNED = 9


class DamagedError(Exception):
    """Bytes of the log are not what was written there."""


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it was read; ``offset`` and ``payload_offset`` count from the start of its segment."""

    kind: RecordType
    stream: int
    life: int
    sequence: int
    core: bytes
    metadata: bytes
    offset: int
    payload_offset: int
    payload_bytes: int
    payload_checksum: int

    @property
    def end(self) -> int:
        """Where the next record begins."""
        return padded(self.payload_offset + self.payload_bytes)

    def body(self) -> Any:
        """What a record that is no element says."""
        return msgspec.msgpack.decode(self.metadata)


def padded(length: int) -> int:
    """The next multiple of 8."""
    return -(-length // ALIGNMENT) * ALIGNMENT


def padding(length: int) -> bytes:
    """The zeros behind so many bytes."""
    return _PADDING[length % ALIGNMENT]


def encode_head(
    kind: int,
    place: tuple[int, int, int],
    core: bytes,
    metadata: bytes,
    payload: tuple[int, int],
    seed: int,
) -> bytes:
    """Everything of a record before its payload. ``place``: stream, life, sequence; ``payload``: bytes and
    checksum."""
    prefix = PREFIX.pack(MAGIC, VERSION, kind, len(metadata), *payload, *place)
    head = b"".join((prefix, core, metadata, padding(len(metadata))))
    return CHECKSUM.pack(xxhash.xxh3_64_intdigest(head, seed)) + head


def decode_record(data: Buffer, at: int, offset: int, seed: int) -> Record:
    """The record that begins at ``data[at]``, which is ``offset`` in its segment.

    Raises DamagedError unless header and metadata are what was written; the payload is not looked at.
    """
    if at + HEADER_BYTES > len(data):
        raise DamagedError(f"a record at {offset} is cut off")
    (checksum,) = CHECKSUM.unpack_from(data, at)
    magic, version, kind, size, *rest = PREFIX.unpack_from(data, at + CHECKSUM.size)
    payload_bytes, payload_checksum, stream, life, sequence = rest
    head_bytes = padded(HEADER_BYTES + size)
    if magic != MAGIC or version != VERSION or at + head_bytes > len(data):
        raise DamagedError(f"no record begins at {offset}")
    head = bytes(memoryview(data)[at + CHECKSUM.size : at + head_bytes])
    if xxhash.xxh3_64_intdigest(head, seed) != checksum:
        raise DamagedError(f"the header of the record at {offset} is damaged")
    core_at = PREFIX.size
    metadata_at = core_at + CORE.size
    return Record(
        kind=RecordType(kind),
        stream=stream,
        life=life,
        sequence=sequence,
        core=head[core_at:metadata_at],
        metadata=head[metadata_at : metadata_at + size],
        offset=offset,
        payload_offset=offset + head_bytes,
        payload_bytes=payload_bytes,
        payload_checksum=payload_checksum,
    )


def check_payload(payload: Buffer, checksum: int, what: str) -> None:
    """Raise DamagedError unless a payload is what was written."""
    if xxhash.xxh3_64_intdigest(payload) != checksum:
        raise DamagedError(f"the payload of {what} is damaged")


def payload_checksum(planes: Sequence[Buffer]) -> int:
    """xxh3 of the planes one behind the other."""
    if len(planes) == 1:
        return xxhash.xxh3_64_intdigest(planes[0])
    digest = xxhash.xxh3_64()
    for plane in planes:
        digest.update(plane)
    return digest.intdigest()


def sizes_struct(count: int) -> struct.Struct:
    """``count`` sizes of planes."""
    return _SIZES[count]


_SIZES = [struct.Struct(f"<{count}I") for count in range(2 * 64 + 1)]
UNPACK_SIZES: Final = [each.unpack_from for each in _SIZES]
"""What reads ``count`` sizes of planes from a buffer, at an offset."""
