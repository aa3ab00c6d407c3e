"""What rows of the index point to in the log: elements with their attributes, and payloads.

Payloads of old segments are checked before they are given out, and not again while they stay in memory; those
of young ones are not, since they are as young as the checks of the opening. The loops here are most of what a
scan takes for an element, so they do without calls and objects where they can.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from xxhash import xxh3_64_intdigest

from jobengine.contents.embedded.maps import BLOCK_BITS, SegmentMap
from jobengine.contents.embedded.record import (
    ALIGNMENT,
    FLAG_DTS,
    FLAG_DURATION,
    FLAG_ELSEWHERE,
    FLAG_FRAME,
    FLAG_GONE,
    FLAG_HERE,
    FLAG_KEY,
    HEADER_BYTES,
    UNPACK_SIZES,
)
from jobengine.contents.embedded.row import ATTRIBUTES, ATTRIBUTES_AT, FIELDS, Found, Place, Row
from jobengine.contents.embedded.segments import Segments
from jobengine.contents.embedded.stretches import Span, Stretches
from jobengine.errors import UnavailableError
from jobengine.model.element import Element, ElementKind, PayloadState, StoredElement
from jobengine.model.file_span import FileSpan

CHECKED_EACH_TIME_BYTES: Final = 1 << BLOCK_BITS
"""Payloads below this size are checked whenever they are read: to know of each that it was checked would take
more memory than it saves time."""
_NOT_KEPT: Final = bytearray()
"""What was checked of something that is read anew each time: nothing."""
_KINDS: Final = (ElementKind.PACKET, ElementKind.FRAME)
_STATES: Final = {FLAG_HERE: PayloadState.HERE, FLAG_GONE: PayloadState.GONE}
_MEANING: Final = [
    (
        _KINDS[flags & FLAG_FRAME],
        bool(flags & FLAG_DTS),
        bool(flags & FLAG_DURATION),
        bool(flags & FLAG_KEY),
        _STATES.get(flags & (FLAG_HERE | FLAG_GONE), PayloadState.NEVER),
    )
    for flags in range(FLAG_ELSEWHERE)
]
"""What the flags of a row say: kind, whether dts and duration are known, whether it is a key, payload."""


class LogReader:
    """Reads what rows point to.

    Raises FileNotFoundError where a segment was removed since, UnavailableError for damage and where the disk
    can't be read.
    """

    def __init__(self, segments: Segments) -> None:
        self._segments = segments
        self._maps = segments.maps

    def elements(self, stream: int, found: Found) -> list[StoredElement]:
        """Elements as users of a store get them."""
        unpack, revision, sizes_at = FIELDS.unpack_from, found.revision, FIELDS.size
        rows = found.rows
        stretches = Stretches(self._segments, len(rows), lambda number: _attributes(rows[number]))
        data: SegmentMap | bytes = b""
        base = low = high = current = 0
        elements: list[StoredElement] = []
        add = elements.append
        for sequence, row in zip(found.sequences, rows, strict=True):
            (
                pts, dts, duration, _, stored_us, element_id, flags, declared, stored,
                said, segment, offset, payload_segment, payload_offset, checksum,
            ) = unpack(row)  # fmt: skip
            attributes = b""
            if said:
                first = offset * ALIGNMENT + HEADER_BYTES
                end = first + said
                if segment != current or end > high or first < low:
                    data, base, low, high = stretches.at(len(elements))
                    current = segment
                attributes = data[first - base : end - base]
            sizes = UNPACK_SIZES[declared + stored](row, sizes_at)
            kind, has_dts, has_duration, is_key, payload = _MEANING[flags]
            planes = sizes[declared:]
            add(
                StoredElement(
                    stream,
                    sequence,
                    Element(
                        kind,
                        pts,
                        dts if has_dts else None,
                        duration if has_duration else None,
                        is_key,
                        sizes[:declared],
                        attributes,
                        element_id,
                    ),
                    stored_us,
                    payload,
                    planes,
                    (revision, payload_segment, payload_offset * ALIGNMENT, planes, checksum),
                )
            )
        return elements

    def attributes(self, row: Row) -> bytes:
        """What is said of one element."""
        _, first, end = span = _attributes(row.encode())
        data, base, _, _ = Stretches(self._segments, 1, lambda _: span).at(0)
        return data[first - base : end - base]

    def payloads(self, places: Sequence[Place]) -> list[list[memoryview] | None]:
        """The planes of each; None where there are none."""
        stretches = Stretches(self._segments, len(places), lambda number: _span(places[number]))
        view, is_old, checked = memoryview(b""), False, _NOT_KEPT
        base = low = high = current = 0
        found: list[list[memoryview] | None] = []
        for _, segment, first, sizes, checksum in places:
            if not segment:
                found.append(None)
                continue
            end = first + (sizes[0] if len(sizes) == 1 else sum(sizes))
            if segment != current or end > high or first < low:
                data, base, low, high = stretches.at(len(found))
                view, current, is_old = memoryview(data), segment, not self._maps.is_young(segment)
                checked = data.checked if isinstance(data, SegmentMap) else _NOT_KEPT
            payload = view[first - base : end - base]
            if is_old and not (checked and checked[first >> BLOCK_BITS]):
                if xxh3_64_intdigest(payload) != checksum:
                    raise UnavailableError(f"the payload of segment {segment} at {first} is damaged on disk")
                if checked and end - first >= CHECKED_EACH_TIME_BYTES:
                    checked[first >> BLOCK_BITS] = True
            found.append([payload] if len(sizes) == 1 else _cut(payload, sizes))
        return found

    def payload_file(self, place: Place) -> FileSpan | None:
        """Where the payload at a place is, in a young segment; what is old has to be checked."""
        _, segment, first, sizes, _ = place
        if not segment or not self._maps.is_young(segment):
            return None
        return FileSpan(str(self._maps.path(segment)), first, sum(sizes))


def _attributes(row: bytes) -> Span:
    said, segment, offset = ATTRIBUTES.unpack_from(row, ATTRIBUTES_AT)
    first = offset * ALIGNMENT + HEADER_BYTES
    return segment, first, first + said


def _span(place: Place) -> Span:
    _, segment, first, sizes, _ = place
    return segment, first, first + sum(sizes)


def _cut(payload: memoryview, sizes: Sequence[int]) -> list[memoryview]:
    planes, start = [], 0
    for size in sizes:
        planes.append(payload[start : start + size])
        start += size
    return planes
