"""When the elements of a derived stream are: at the times of its source, in its own ticks."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import floor

from jobengine.contents.look_up import pts_of
from jobengine.model.element import ElementKind
from jobengine.model.media_reference import Direct
from jobengine.worker.convert.derived.derivation import Derivation
from jobengine.worker.convert.derived.filling import Filling


class LeadingTimes:
    """Times of the stream that leads a derivation. Two elements of it that get the same pts are one."""

    def __init__(self, derivation: Derivation, filling: Filling) -> None:
        self.source = derivation.inputs[0].source
        self._derivation = derivation
        self._source_base = derivation.inputs[0].time_base
        self.shift = round(derivation.inputs[0].shift_s / self._source_base)
        """How many ticks of the source it is later in the derived stream."""
        self._ratio: Fraction = self._source_base / derivation.time_base
        self._filling = filling

    def to_target(self, pts: int) -> int:
        """A pts of the source in ticks of the derived stream."""
        return round((pts + self.shift) * self._ratio)

    def length(self, ticks: int | None) -> int | None:
        """A duration of the source in ticks of the derived stream."""
        return round((ticks or 0) * self._ratio) or None

    def to_source(self, pts: int) -> int:
        """The first tick of the source that becomes this pts or a later one."""
        found = floor((pts - Fraction(1, 2)) / self._ratio) - self.shift
        while self.to_target(found) < pts:
            found += 1
        return found

    def moments(self, first: int, end: int) -> list[int]:
        """The pts from ``first`` to ``end`` (exclusive) at which the source has elements."""
        return list(self._times(self.to_source(first), self.to_source(end)))

    def following(self, wanted: Direct, count: int) -> list[Direct]:
        """Up to ``count`` next ones, of the same kind."""
        found: list[Direct] = []
        for pts in self._times(self.to_source(wanted.pts + 1), None) if count else ():
            found.append(Direct(wanted.kind, pts))
            if len(found) == count:
                break
        return found

    def stretch(self, wanted: Direct, ahead: int) -> tuple[int, int]:
        """The pts of ``wanted`` and the end, exclusive, of up to ``ahead`` further ones; empty if there is
        nothing at ``wanted``."""
        if not self.moments(wanted.pts, wanted.pts + 1):
            return wanted.pts, wanted.pts
        behind = self.following(wanted, ahead)
        return wanted.pts, (behind[-1] if behind else wanted).pts + 1

    def at(self, kind: ElementKind, seconds: Fraction) -> Direct | None:
        """The element that the source has at a moment of the derived stream."""
        pts = round(seconds / self._derivation.time_base)
        found = self.moments(pts, pts + 1)
        return Direct(kind, found[0]) if found else None

    def _times(self, first: int, end: int | None) -> Iterator[int]:
        before = None
        for stored in self._filling.listed(self.source, first, end):
            pts = self.to_target(pts_of(stored))
            if pts != before and self._derivation.contains(pts * self._derivation.time_base):
                yield pts
            before = pts
