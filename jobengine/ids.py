"""Identifiers: UUIDv7 (RFC 9562 §5.7), so ids sort by the time they were made."""

from __future__ import annotations

import uuid_utils
import xxhash


def new_id() -> str:
    """A new UUIDv7 in its canonical lower-case text."""
    return str(uuid_utils.uuid7())


def derived_id(made_ms: int, name: str) -> bytes:
    """A UUIDv7 that follows from ``name``, as if made so many milliseconds after the Unix epoch."""
    value = bytearray(max(made_ms, 0).to_bytes(8, "big")[-6:] + xxhash.xxh3_128(name.encode()).digest()[:10])
    value[6] = 0x70 | value[6] & 0x0F
    value[8] = 0x80 | value[8] & 0x3F
    return bytes(value)


def new_element_id() -> bytes:
    """A new UUIDv7 as its 16 bytes, which sort like its text."""
    return bytes(uuid_utils.uuid7().bytes)
