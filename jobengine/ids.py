"""Identifiers: UUIDv7 (RFC 9562 §5.7), so ids sort by the time they were made."""

from __future__ import annotations

import uuid_utils


def new_id() -> str:
    """A new UUIDv7 in its canonical lower-case text."""
    return str(uuid_utils.uuid7())


def new_element_id() -> bytes:
    """A new UUIDv7 as its 16 bytes, which sort like its text."""
    return bytes(uuid_utils.uuid7().bytes)
