"""Bytes of the log for readers: attributes and payloads of rows, mapped while young, read when old.

What was read by system calls is checked before it is given out; mapped memory is not, since it is as young
as the checks of the opening.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from jobengine.contents.embedded.record import DamagedError, check_payload
from jobengine.contents.embedded.row import payload_of, record_span
from jobengine.contents.embedded.segments import Segments
from jobengine.errors import UnavailableError

CHUNK_BYTES: Final = 1 << 20
"""Old bytes are read in pieces of this size, unless one payload is larger; more would not stay in caches."""
SKIPPED_BYTES: Final = 64 << 10
"""Rather read than skipped."""

_EMPTY: Final = memoryview(b"")

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

    def attributes(self, rows: Sequence[bytes]) -> list[bytes]:
        """What is said of each element, given its row as the index keeps it."""
        return [bytes(view) for view in self._spans([record_span(row) for row in rows])]

    def payloads(self, rows: Sequence[bytes | None]) -> list[list[memoryview] | None]:
        """The planes of each; None where there are none. Raises UnavailableError for damage."""
        payloads = [None if row is None else payload_of(row) for row in rows]
        views = iter(self._spans([payload[0] for payload in payloads if payload is not None]))
        found: list[list[memoryview] | None] = []
        for payload in payloads:
            if payload is None:
                found.append(None)
                continue
            (segment, offset, _), sizes, checksum = payload
            view = next(views)
            if not self._segments.is_young(segment):
                _check(view, checksum, f"segment {segment} at {offset}")
            found.append([view] if len(sizes) == 1 else _cut(view, sizes))
        return found

    def _spans(self, spans: Sequence[Span]) -> list[memoryview]:
        """Bytes at each place, old ones read in few calls."""
        found: list[memoryview] = []
        old: list[int] = []
        mapped, mapped_segment = _EMPTY, 0
        for place, (segment, offset, length) in enumerate(spans):
            end = offset + length
            if segment != mapped_segment or end > len(mapped):
                mapped_segment = 0
                if not length:
                    found.append(_EMPTY)
                    continue
                if not self._segments.is_young(segment):
                    old.append(place)
                    found.append(_EMPTY)
                    continue
                mapped, mapped_segment = self._segments.mapped(segment, end), segment
            found.append(mapped[offset:end])
        for chunk in _chunks(spans, old):
            data = self._segments.read(chunk.segment, chunk.start, chunk.end - chunk.start)
            for place in chunk.wanted:
                _, offset, length = spans[place]
                found[place] = data[offset - chunk.start : offset - chunk.start + length]
        return found


def _check(payload: memoryview, checksum: int, what: str) -> None:
    try:
        check_payload(payload, checksum, what)
    except DamagedError as fault:
        raise UnavailableError(f"{fault} on disk") from fault


def _cut(payload: memoryview, sizes: Sequence[int]) -> list[memoryview]:
    planes, start = [], 0
    for size in sizes:
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
