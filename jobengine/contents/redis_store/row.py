"""The row of an element: a fixed header, where its planes lie, and its attributes as they came.

Nothing reads the attributes. A row has the element's place in time, but not its stream and sequence: these
are where the row lies.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from jobengine.model.element import Element, ElementKind, PayloadState, StoredElement

Place = tuple[int, int, int]
"""Where a plane lies: chunk, offset in bytes, length in bytes. Chunk 0: nothing is stored."""

NOWHERE: Final[Place] = (0, 0, 0)
_IS_FRAME: Final = 1
_IS_KEY: Final = 2
_HAS_DTS: Final = 4
_HAS_DURATION: Final = 8
_HAS_EXPIRY: Final = 16
_STATE_SHIFT: Final = 5
_KINDS: Final = tuple(ElementKind)
_STATES: Final = tuple(PayloadState)
_COUNTS: Final = struct.Struct("<BBB")
"""Flags, declared planes, stored planes."""
_ID_AT: Final = struct.calcsize("<BBBqqqqq")


@dataclass(frozen=True, slots=True)
class Row:
    """An element with what only the store wants to know: where its planes are, and until when."""

    element: Element
    stored_time_us: int
    state: PayloadState
    places: tuple[Place, ...]
    expires_us: int | None

    @property
    def payload_bytes(self) -> int:
        """What its payload takes."""
        return sum(place[2] for place in self.places)

    def pack(self) -> bytes:
        """Its bytes."""
        return pack_row(
            self.element, self.element.pts or 0, self.stored_time_us, self.state, self.places, self.expires_us
        )


def pack_row(  # noqa: PLR0913 - the hot path makes no object in between
    element: Element,
    pts: int,
    stored_time_us: int,
    state: PayloadState,
    places: Sequence[Place],
    expires_us: int | None,
    element_id: bytes = b"",
) -> bytes:
    """The bytes of a row; ``element_id`` if the element has none of its own."""
    flags = (
        element.kind
        | (_IS_KEY if element.is_key else 0)
        | (0 if element.dts is None else _HAS_DTS)
        | (0 if element.duration is None else _HAS_DURATION)
        | (0 if expires_us is None else _HAS_EXPIRY)
        | state << _STATE_SHIFT
    )
    sizes = element.plane_sizes
    header = _layout(len(sizes), len(places)).pack(
        flags,
        len(sizes),
        len(places),
        pts,
        element.dts or 0,
        element.duration or 0,
        stored_time_us,
        expires_us or 0,
        element.element_id or element_id,
        *sizes,
        *[part for place in places for part in place],
    )
    return header + element.attributes


def unpack_row(data: bytes) -> Row:
    """The inverse of `Row.pack`."""
    flags, declared, stored = _COUNTS.unpack_from(data)
    layout = _layout(declared, stored)
    _, _, _, pts, dts, duration, stored_us, expires_us, element_id, *rest = layout.unpack_from(data)
    element = Element(
        _KINDS[flags & _IS_FRAME],
        pts,
        dts if flags & _HAS_DTS else None,
        duration if flags & _HAS_DURATION else None,
        bool(flags & _IS_KEY),
        tuple(rest[:declared]),
        data[layout.size :],
        element_id,
    )
    places = tuple(zip(rest[declared::3], rest[declared + 1 :: 3], rest[declared + 2 :: 3], strict=True))
    return Row(
        element,
        stored_us,
        _STATES[flags >> _STATE_SHIFT],
        places,
        expires_us if flags & _HAS_EXPIRY else None,
    )


def stored_element(stream: int, sequence: int, data: bytes) -> StoredElement:
    """A row as readers see it."""
    row = unpack_row(data)
    planes = tuple(place[2] for place in row.places)
    return StoredElement(stream, sequence, row.element, row.stored_time_us, row.state, planes)


def id_of(data: bytes) -> bytes:
    """The element's id."""
    return data[_ID_AT : _ID_AT + 16]


def is_key(data: bytes) -> bool:
    """Whether it is a key element."""
    return bool(data[0] & _IS_KEY)


def is_held(data: bytes) -> bool:
    """Whether the payload is here."""
    return data[0] >> _STATE_SHIFT == PayloadState.HERE


def places_of(data: bytes) -> tuple[Place, ...] | None:
    """Where the planes lie; None if the payload isn't here."""
    if not is_held(data):
        return None
    _, declared, stored = _COUNTS.unpack_from(data)
    rest = _layout(declared, stored).unpack_from(data)[9 + declared :]
    return tuple(zip(rest[::3], rest[1::3], rest[2::3], strict=True))


@lru_cache(maxsize=256)
def _layout(declared: int, stored: int) -> struct.Struct:
    """Flags, counts, pts, dts, duration, stored, expires, id; declared sizes; (chunk, offset, length)."""
    return struct.Struct(f"<BBBqqqqq16s{declared}I" + "QII" * stored)
