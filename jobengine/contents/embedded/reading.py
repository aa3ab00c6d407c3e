"""Bytes of the log for readers: attributes and payloads of rows, mapped while young, read when old.

What was read by system calls is checked before it is given out; mapped memory is not, since it is as young
as the checks of the opening.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from jobengine.contents.embedded.record import HEADER_BYTES, DamagedError, check_payload
from jobengine.contents.embedded.row import Row
from jobengine.contents.embedded.segments import Segments
from jobengine.errors import UnavailableError

CHUNK_BYTES: Final = 4 << 20
"""Old bytes are read in pieces of this size, unless one payload is larger."""
SKIPPED_BYTES: Final = 64 << 10
"""Rather read than skipped."""

Span = tuple[int, int, int]
"""Segment, offset, length."""


@dataclass(slots=True)
class _Chunk:
    """Neighbours that are read at once."""

    segment: int
    start: int
    end: int
    wanted: list[int] = field(default_factory=list)


class LogReader:
    """Reads what rows point to. Raises FileNotFoundError where a segment was removed since."""

    def __init__(self, segments: Segments) -> None:
        self._segments = segments

    def attributes(self, rows: Sequence[Row]) -> list[bytes]:
        """What is said of each element."""
        spans = [(row.segment, row.offset + HEADER_BYTES, row.attributes_bytes) for row in rows]
        return [bytes(view) for view in self.spans(spans)]

    def payloads(self, rows: Sequence[Row | None]) -> list[list[memoryview] | None]:
        """The planes of each; None where there are none. Raises UnavailableError for damage."""
        here = [row for row in rows if row is not None and row.is_here]
        views = iter(self.spans([(row.payload_segment, row.payload_offset, sum(row.stored)) for row in here]))
        return [self._planes(row, next(views)) if row is not None and row.is_here else None for row in rows]

    def spans(self, spans: Sequence[Span]) -> list[memoryview]:
        """Bytes at each place, old ones read in few calls."""
        young = self._segments.is_young
        found: dict[int, memoryview] = {}
        old: list[int] = []
        for place, (segment, offset, length) in enumerate(spans):
            if not length:
                found[place] = memoryview(b"")
            elif young(segment):
                found[place] = self._segments.view(segment, offset, length)
            else:
                old.append(place)
        for chunk in _chunks(spans, old):
            data = self._segments.read(chunk.segment, chunk.start, chunk.end - chunk.start)
            for place in chunk.wanted:
                _, offset, length = spans[place]
                found[place] = data[offset - chunk.start : offset - chunk.start + length]
        return [found[place] for place in range(len(spans))]

    def _planes(self, row: Row, payload: memoryview) -> list[memoryview]:
        if not self._segments.is_young(row.payload_segment):
            try:
                check_payload(payload, row.payload_checksum, f"element {row.element_id.hex()}")
            except DamagedError as fault:
                raise UnavailableError(f"{fault} on disk") from fault
        if len(row.stored) == 1:
            return [payload]
        planes = []
        start = 0
        for size in row.stored:
            planes.append(payload[start : start + size])
            start += size
        return planes


def _chunks(spans: Sequence[Span], places: Sequence[int]) -> list[_Chunk]:
    chunks: list[_Chunk] = []
    for place in sorted(places, key=spans.__getitem__):
        segment, offset, length = spans[place]
        last = chunks[-1] if chunks else None
        if (
            last is None
            or last.segment != segment
            or offset > last.end + SKIPPED_BYTES
            or offset + length - last.start > CHUNK_BYTES
        ):
            last = _Chunk(segment, offset, offset)
            chunks.append(last)
        last.end = max(last.end, offset + length)
        last.wanted.append(place)
    return chunks
