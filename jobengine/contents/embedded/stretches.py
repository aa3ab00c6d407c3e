"""What of segments one look-up may read: of old ones whole stretches are brought in, not piece by piece.

A look-up names its pieces in its own order, by number. Only the first and the last of a stretch are looked
at, so that a scan takes no time for each piece. A small piece of an old segment that stands alone is read
instead, since to map a segment for it takes ten times as long, and there may be any number of segments.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from jobengine.contents.embedded.maps import SegmentMap
from jobengine.contents.embedded.segments import Segments
from jobengine.errors import UnavailableError

NEAR_BYTES: Final = 64 << 10
"""What is no farther apart, on average, is brought in at once, with what is between; what stands alone and
has no more bytes is read."""

Span = tuple[int, int, int]
"""Segment, first offset, and the one behind the last."""
Stretch = tuple[SegmentMap | bytes, int, int, int]
"""What holds it, where in the segment that begins, and from where up to where it may be read."""


class Stretches:
    """The pieces of one look-up, ``count`` in all, each where ``span`` says."""

    def __init__(self, segments: Segments, count: int, span: Callable[[int], Span]) -> None:
        self._segments = segments
        self._maps = segments.maps
        self._count = count
        self._span = span
        self._brought: dict[int, Stretch] = {}

    def at(self, number: int) -> Stretch:
        """A stretch with the piece of this number in it, and with those behind that are near.

        Blocks for the disk while other threads of Python run. Raises FileNotFoundError where the segment was
        removed since, UnavailableError where the disk can't be read.
        """
        segment, first, end = self._span(number)
        if self._maps.is_young(segment):
            mapped = self._maps.mapped(segment, end)
            return mapped, 0, 0, len(mapped)
        brought = self._brought.get(segment)
        if brought is None or first < brought[2] or end > brought[3]:
            brought = self._brought[segment] = self._bring_in(number)
        return brought

    def _bring_in(self, number: int) -> Stretch:
        segment, first, end = self._span(number)
        behind = self._last_of_segment(number)
        _, its_first, its_end = self._span(behind)
        low, high = min(first, its_first), max(end, its_end)
        is_alone = number == behind or high - low > NEAR_BYTES * (behind - number + 1)
        if is_alone and end - first <= NEAR_BYTES:
            return self._read(segment, first, end), first, first, end
        if not is_alone:
            first, end = low, high
        mapped = self._maps.mapped(segment, end)
        try:
            mapped.bring_in(first, end)
        except OSError as fault:
            raise _unreadable(fault) from fault
        return mapped, 0, first, end

    def _read(self, segment: int, first: int, end: int) -> bytes:
        try:
            data = self._segments.read(segment, first, end - first)
        except FileNotFoundError:
            raise
        except OSError as fault:
            raise _unreadable(fault) from fault
        if len(data) < end - first:
            raise UnavailableError(f"segment {segment} ends at {first + len(data)}, wanted is {end}")
        return data

    def _last_of_segment(self, number: int) -> int:
        """The last piece in the same segment, or some piece of it where those of others stand between."""
        segment = self._span(number)[0]
        low, behind = number, self._count
        middle = behind - 1  # nearly always all that follow are of one segment
        while low < middle:
            if self._span(middle)[0] == segment:
                low = middle
            else:
                behind = middle
            middle = (low + behind) // 2
        return low


def _unreadable(fault: OSError) -> UnavailableError:
    return UnavailableError(f"the contents store can't be read: {fault}")
