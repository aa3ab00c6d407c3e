"""Keys of the index, made so that their bytes sort like what they mean.

``life`` stands for a stream (see `record`). Signed numbers are shifted by 2^63 to sort.
"""

from __future__ import annotations

import struct
from typing import Final

BIAS: Final = 2**63
KINDS: Final = (b"\0", b"\1")
LAST: Final = 2**64 - 1
LAST_8: Final = b"\xff" * 8

pack_place: Final = struct.Struct(">QQ").pack
"""Life and sequence: the key of a row."""
pack_time: Final = struct.Struct(">QQBQ").pack
"""Life, pts with `BIAS` added, kind, sequence: the same as `time_key`, of numbers."""


def number(value: int) -> bytes:
    """An unsigned number of 64 bits."""
    return value.to_bytes(8, "big")


def signed(value: int) -> bytes:
    """A signed number of 64 bits."""
    return (value + BIAS).to_bytes(8, "big")


def to_number(key: bytes) -> int:
    """The inverse of `number`."""
    return int.from_bytes(key, "big")


def to_signed(key: bytes) -> int:
    """The inverse of `signed`."""
    return int.from_bytes(key, "big") - BIAS


def time_key(life: bytes, pts: int, kind: int, sequence: bytes) -> bytes:
    """Elements in order of (pts, kind, sequence)."""
    return life + (pts + BIAS).to_bytes(8, "big") + KINDS[kind] + sequence


def document_key(collection: str, key: str) -> bytes:
    """Documents in order of collection and key."""
    return collection.encode() + b"\0" + key.encode()
