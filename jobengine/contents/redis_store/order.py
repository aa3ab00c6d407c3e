"""Numbers as bytes whose order is the order of the numbers.

A score in Redis is a double and would round 64-bit pts; so indexes hold all members at score 0 and are
ordered by these bytes.
"""

from __future__ import annotations

import struct
from typing import Final

from jobengine.model.element import PTS_MAX, PTS_MIN, ElementKind

_BIAS: Final = 2**63
_TIME: Final = struct.Struct(">QB8s")
_UNSIGNED: Final = struct.Struct(">Q")
SEQUENCE_BYTES: Final = 8
SEQUENCE_MAX: Final = 2**64 - 1
BEHIND_ALL: Final = b"\xff"
"""Added to a prefix it makes a bound that sorts after all members with that prefix."""

sequence_bytes = _UNSIGNED.pack
"""A sequence, from 0."""


def sequence_number(field: bytes) -> int:
    """The inverse of `sequence_bytes`."""
    number: int = _UNSIGNED.unpack(field)[0]
    return number


def pts_bytes(pts: int) -> bytes:
    """A pts of 64 bits; what is beyond counts as the least or the largest."""
    return _UNSIGNED.pack(min(max(pts, PTS_MIN), PTS_MAX) + _BIAS)


def pts_number(member: bytes) -> int:
    """The pts that a member of an index of times begins with."""
    return sequence_number(member[:8]) - _BIAS


def place_bytes(pts: int, kind: ElementKind) -> bytes:
    """What elements of one pts and kind begin with in an index of times."""
    return pts_bytes(pts) + bytes((kind,))


def time_member(pts: int, kind: int, sequence: bytes) -> bytes:
    """The member of an index of times: (pts, kind, sequence)."""
    return _TIME.pack(pts + _BIAS, kind, sequence)


def pts_bounds(first_pts: int, last_pts: int) -> tuple[bytes, bytes]:
    """The least and largest member of a range of pts, both ends inclusive, as ZRANGEBYLEX takes them."""
    if first_pts > PTS_MAX or last_pts < PTS_MIN:
        return b"+", b"-"
    return b"[" + pts_bytes(first_pts), b"[" + pts_bytes(last_pts) + BEHIND_ALL


def gap_member(first: int, last: int) -> bytes:
    """The member of an index of gaps."""
    return _UNSIGNED.pack(first) + _UNSIGNED.pack(last)


def gap_bounds(member: bytes) -> tuple[int, int]:
    """The inverse of `gap_member`."""
    return sequence_number(member[:SEQUENCE_BYTES]), sequence_number(member[SEQUENCE_BYTES:])
