"""What of segments one look-up may read: of old ones whole stretches are brought in, not piece by piece.

A look-up names its pieces in its own order, by number. Only the first and the last of a stretch are looked
at, so that a scan takes no time for each piece.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from jobengine.contents.embedded.maps import SegmentMap, SegmentMaps
from jobengine.errors import UnavailableError

NEAR_BYTES: Final = 64 << 10
"""What is no farther apart, on average, is brought in at once, with what is between."""

Span = tuple[int, int, int]
"""Segment, first offset, and the one behind the last."""
Stretch = tuple[SegmentMap, int, int]
"""A segment, and from where up to where it may be read."""


class Stretches:
    """The pieces of one look-up, ``count`` in all, each where ``span`` says."""

    def __init__(self, maps: SegmentMaps, count: int, span: Callable[[int], Span]) -> None:
        self._maps = maps
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
            return mapped, 0, len(mapped)
        brought = self._brought.get(segment)
        if brought is None or first < brought[1] or end > brought[2]:
            brought = self._brought[segment] = self._bring_in(number)
        return brought

    def _bring_in(self, number: int) -> Stretch:
        segment, first, end = self._span(number)
        behind = self._last_of_segment(number)
        _, its_first, its_end = self._span(behind)
        low, high = min(first, its_first), max(end, its_end)
        if high - low <= NEAR_BYTES * (behind - number + 1):
            first, end = low, high
        mapped = self._maps.mapped(segment, end)
        try:
            mapped.bring_in(first, end)
        except OSError as fault:
            raise UnavailableError(f"the contents store can't be read: {fault}") from fault
        return mapped, first, end

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
