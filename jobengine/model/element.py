"""Elements and where they stand: what a contents store keeps, whatever keeps it.

An element is a packet (coded) or a frame (raw) of one stream. Times are integers in ticks of its stream's
time base, 64-bit signed; ``None`` is unknown, never zero. Nothing here knows HTTP, FFmpeg or a file.

Elements are structs, not dataclasses: thousands are made each second, and a frozen dataclass takes ten times
as long. They are changed with `msgspec.structs.replace`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import msgspec

PTS_MIN = -(2**63)
PTS_MAX = 2**63 - 1


class ElementKind(IntEnum):
    """Elements with one pts are ordered by kind: the packet stands before its frame."""

    PACKET = 0
    FRAME = 1


class PayloadState(IntEnum):
    """What became of an element's payload; its metadata may outlive it."""

    NEVER = 0
    HERE = 1
    GONE = 2


class Element(msgspec.Struct, frozen=True, gc=False):
    """One element as it is given to a store.

    ``element_id``: the 16 bytes of a UUID, of version 7 unless a writer had another; empty lets the store
    make one. ``pts``: None takes the next number of the stream (elements without time, counted).
    ``attributes``: everything else that is said of the element, a msgpack map that a store keeps and never
    reads. ``plane_sizes``: the declared bytes of each payload plane, one for a packet; a plane may be stored
    longer than declared (padding of decoders).
    """

    kind: ElementKind
    pts: int | None
    dts: int | None = None
    duration: int | None = None
    is_key: bool = False
    plane_sizes: tuple[int, ...] = ()
    attributes: bytes = b""
    element_id: bytes = b""


class StoredElement(msgspec.Struct, frozen=True, gc=False):
    """An element as a store gives it back: ``element`` complete with its id and pts.

    ``sequence`` is the place in order of arrival within the stream, from 0, never reused; (stream,
    sequence) is the identity, because pts is neither unique nor rising. ``stored_time_us``: microseconds
    since the Unix epoch. ``planes`` are the bytes really stored of each plane, empty if none were.
    ``payload_place`` is a note of its store for itself, so that the payload need not be looked up again.
    """

    stream: int
    sequence: int
    element: Element
    stored_time_us: int
    payload: PayloadState
    planes: tuple[int, ...]
    payload_place: tuple[Any, ...] | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """Elements of a stream that are gone, both sequences inclusive: readers are told, never fooled."""

    stream: int
    first_sequence: int
    last_sequence: int


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """What a store knows of a stream at once. ``pts`` bounds are None while it is empty.

    ``count`` and ``key_count`` are elements present, ``payload_bytes`` those not gone, ``next_sequence``
    what the next element will get (so ``next_sequence - count`` were removed).
    """

    stream: int
    count: int
    key_count: int
    payload_bytes: int
    first_pts: int | None
    last_pts: int | None
    next_sequence: int
