"""What rows of the index point to in the log: elements with their attributes, and payloads.

Payloads of old segments are checked before they are given out; those of young ones are not, since they are
as young as the checks of the opening. The loops here are most of what a scan takes for an element, so they do
without calls and objects where they can.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Sequence
from typing import Final

from xxhash import xxh3_64_intdigest

from jobengine.contents.embedded.maps import SegmentMaps, bring_in
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
    sizes_struct,
)
from jobengine.contents.embedded.row import ATTRIBUTES, ATTRIBUTES_AT, FIELDS, Found, Place, Row
from jobengine.errors import UnavailableError
from jobengine.model.element import Element, ElementKind, PayloadState, StoredElement
from jobengine.model.file_span import FileSpan

NEAR_BYTES: Final = 64 << 10
"""What is no farther apart, on average, is brought in at once, with what is between."""
_UNMAPPED: Final = mmap.mmap(-1, 1)
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

Span = tuple[int, int, int]
"""Segment, first offset, and the one behind the last."""


class LogReader:
    """Reads what rows point to.

    Raises FileNotFoundError where a segment was removed since, UnavailableError for damage and where the disk
    can't be read.
    """

    def __init__(self, maps: SegmentMaps) -> None:
        self._maps = maps

    def elements(self, stream: int, found: Found) -> list[StoredElement]:
        """Elements as users of a store get them."""
        unpack, revision, sizes_at = FIELDS.unpack_from, found.revision, FIELDS.size
        mapped, current, reached = _UNMAPPED, 0, 0
        reach = self._reacher(lambda: [_attributes(row) for row in found.rows])
        elements: list[StoredElement] = []
        add = elements.append
        for sequence, row in zip(found.sequences, found.rows, strict=True):
            (
                pts, dts, duration, _, stored_us, element_id, flags, declared, stored,
                said, segment, offset, payload_segment, payload_offset, checksum,
            ) = unpack(row)  # fmt: skip
            first = offset * ALIGNMENT + HEADER_BYTES
            end = first + said
            if segment != current or end > reached:
                mapped = reach(segment, end)
                current, reached = segment, len(mapped)
            sizes = sizes_struct(declared + stored).unpack_from(row, sizes_at)
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
                        mapped[first:end],
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
        segment, first, end = span = _attributes(row.encode())
        return self._reacher(lambda: [span])(segment, end)[first:end]

    def payloads(self, places: Sequence[Place]) -> list[list[memoryview] | None]:
        """The planes of each; None where there are none."""
        view, current, reached, is_old = memoryview(_UNMAPPED), 0, 0, False
        reach = self._reacher(
            lambda: [(segment, first, first + sum(sizes)) for _, segment, first, sizes, _ in places]
        )
        found: list[list[memoryview] | None] = []
        for _, segment, first, sizes, checksum in places:
            if not segment:
                found.append(None)
                continue
            end = first + (sizes[0] if len(sizes) == 1 else sum(sizes))
            if segment != current or end > reached:
                view = memoryview(reach(segment, end))
                current, reached, is_old = segment, len(view), not self._maps.is_young(segment)
            payload = view[first:end]
            if is_old and xxh3_64_intdigest(payload) != checksum:
                raise UnavailableError(f"the payload of segment {segment} at {first} is damaged on disk")
            found.append([payload] if len(sizes) == 1 else _cut(payload, sizes))
        return found

    def payload_file(self, place: Place) -> FileSpan | None:
        """Where the payload at a place is, in a young segment; what is old has to be checked."""
        _, segment, first, sizes, _ = place
        if not segment or not self._maps.is_young(segment):
            return None
        return FileSpan(str(self._maps.path(segment)), first, sum(sizes))

    def _reacher(self, spans: Callable[[], list[Span]]) -> Callable[[int, int], mmap.mmap]:
        """What gives a segment up to an offset, and brings in all ``spans`` of it if it is old."""
        brought: dict[int, mmap.mmap] = {}

        def reach(segment: int, end: int) -> mmap.mmap:
            if self._maps.is_young(segment):
                return self._maps.mapped(segment, end)
            if segment not in brought:
                stretches = _joined([span for span in spans() if span[0] == segment])
                brought[segment] = self._maps.mapped(segment, stretches[-1][2])
                for stretch in stretches:
                    _bring_in(brought[segment], stretch)
            return brought[segment]

        return reach


def _attributes(row: bytes) -> Span:
    said, segment, offset = ATTRIBUTES.unpack_from(row, ATTRIBUTES_AT)
    first = offset * ALIGNMENT + HEADER_BYTES
    return segment, first, first + said


def _joined(spans: list[Span]) -> list[Span]:
    """Spans of one segment in order, as one if they are near each other."""
    spans.sort()
    segment, first, end = spans[0][0], spans[0][1], spans[-1][2]
    return [(segment, first, end)] if end - first <= NEAR_BYTES * len(spans) else spans


def _bring_in(mapped: mmap.mmap, span: Span) -> None:
    try:
        bring_in(mapped, span[1], span[2])
    except OSError as fault:
        raise UnavailableError(f"the contents store can't be read: {fault}") from fault


def _cut(payload: memoryview, sizes: Sequence[int]) -> list[memoryview]:
    planes, start = [], 0
    for size in sizes:
        planes.append(payload[start : start + size])
        start += size
    return planes
