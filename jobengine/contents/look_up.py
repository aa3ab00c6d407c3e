"""From references to elements: what a media reference finds in one stream of any store.

The rules where references may be read in more than one way:

* The nearest of two equally near elements is the earlier. Of several with one pts it is the first.
* Real time is exact: seconds are rational numbers and become ticks by the time base. An element counts if
  it is not farther away than a tolerance, by default 5 ms, or half of its own duration.
* ``p+nd`` is the n-th element strictly after the base, ``p-nd`` strictly before it. The base is the element
  with that pts, else the last before it. After the last there is nothing, unless the end may stand for it.
* With ``to_key`` a single reference means the key element at or before it, and a range begins at the key
  element at or before its start.
* A range that runs backwards finds nothing.

References over all streams of a content are `jobengine.contents.look_up_all`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from jobengine.errors import NotFoundError
from jobengine.model.element import PTS_MAX, PTS_MIN, ElementKind, StoredElement
from jobengine.model.media_reference import (
    LAST,
    Anchor,
    ById,
    Direct,
    MediaReference,
    Places,
    Relative,
    Stamps,
    Times,
)
from jobengine.ports.contents import ContentStore

TOLERANCE = Fraction(5, 1000)
MOST_AT_ONCE = 10_000
"""How many elements one moment stands for at most."""


@dataclass(frozen=True, slots=True)
class TimedStream:
    """A stream of a store, its index in its content, and the seconds of one tick (None: not known)."""

    number: int
    index: int
    time_base: Fraction | None

    def ticks(self, seconds: Fraction) -> Fraction:
        """``seconds`` in ticks, not rounded. Raises NotFoundError without a time base."""
        if self.time_base is None:
            raise NotFoundError(f"stream {self.index} has no time_base, so real time means nothing in it")
        return seconds / self.time_base


@dataclass(frozen=True, slots=True)
class Terms:
    """How a reference is meant. ``tolerance`` in seconds, None: half of an element's duration;
    ``max_distance`` in ticks; ``clamp``: the end stands for what would be behind it."""

    tolerance: Fraction | None = TOLERANCE
    max_distance: int | None = None
    clamp: bool = False
    to_key: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Which of the found elements are wanted."""

    offset: int = 0
    limit: int = 10


@dataclass(frozen=True, slots=True)
class Found:
    """Elements in order; ``has_more``: the range goes on after them."""

    elements: list[StoredElement]
    has_more: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """A range of pts, both ends inclusive; empty if it runs backwards."""

    first: int
    last: int


def pts_of(stored: StoredElement) -> int:
    """The pts of a stored element, which always has one."""
    pts = stored.element.pts
    if pts is None:
        raise ValueError("a stored element has a pts")
    return pts


def is_range(reference: MediaReference) -> bool:
    """Whether a reference is answered page by page."""
    return isinstance(reference, Stamps | Places | Times) and reference.last is not None


class LookUp:
    """Finds elements of one store. Thread-safe."""

    def __init__(self, store: ContentStore) -> None:
        self._store = store

    def find(
        self,
        stream: TimedStream,
        reference: MediaReference,
        terms: Terms | None = None,
        page: Page | None = None,
    ) -> Found:
        """What ``reference`` finds; nothing is no error. Raises NotFoundError without a time base."""
        terms, page = terms or Terms(), page or Page()
        if is_range(reference):
            return self._range(stream, reference, terms, page)
        found = self._single(stream, reference, terms)
        if terms.to_key and not isinstance(reference, ById | Stamps | Times):
            key = self._store.key_by_pts(stream.number, pts_of(found[0])) if found else None
            return Found([key] if key else [])
        return Found(found)

    def direct(self, stream: int, kind: ElementKind, pts: int) -> StoredElement | None:
        """The latest element of exactly this kind and pts."""
        found: StoredElement | None = None
        for each in self._store.range(stream, pts, pts):
            if each.element.kind == kind:
                found = each
        return found

    def first(self, stream: int) -> StoredElement | None:
        """The first element in order of pts."""
        return next(iter(self._store.nth(stream, 0, 1)), None)

    def last(self, stream: int) -> StoredElement | None:
        """The last element in order of pts."""
        return self._before(stream, PTS_MAX)

    def nearest(
        self, stream: int, pts: int | Fraction, max_distance: int | None = None
    ) -> StoredElement | None:
        """The element nearest to a pts, at most ``max_distance`` ticks away."""
        wanted = Fraction(pts)
        below = _bounded(math.floor(wanted))
        before, after = self._before(stream, below), self._after(stream, below + 1)
        candidates = [pts_of(each) for each in (before, after) if each]
        if not candidates:
            return None
        best = min(candidates, key=lambda found: abs(found - wanted))
        if max_distance is not None and abs(best - wanted) > max_distance:
            return None
        # The first of those with one pts is meant: ``before`` may be the last of them.
        return after if after and pts_of(after) == best else self._after(stream, best)

    def on_show(self, stream: TimedStream, moment: Fraction) -> list[StoredElement]:
        """The elements with the last pts at or before a moment, unless they have ended by then; both with
        `TOLERANCE`. Without a duration an element lasts until the next."""
        last = self._before(stream.number, _bounded(math.floor(stream.ticks(moment + TOLERANCE))))
        if last is None:
            return []
        pts, duration = pts_of(last), last.element.duration
        if duration and pts + duration < stream.ticks(moment - TOLERANCE):
            return []
        return self._store.range(stream.number, pts, pts)

    def span(self, stream: TimedStream, reference: Stamps | Times, terms: Terms) -> Span:
        """The pts that a single reference or a range stands for."""
        if isinstance(reference, Stamps):
            first = reference.first
            if reference.is_fuzzy:
                nearest = self.nearest(stream.number, first, terms.max_distance)
                if nearest is None:
                    return Span(0, -1)
                first = pts_of(nearest)
            span = Span(first, first if reference.last is None else reference.last)
        else:
            end = reference.first if reference.last is None else reference.last
            span = self.time_span(stream, reference.first, end, terms.tolerance)
        return self._from_key(stream.number, span) if terms.to_key else span

    def time_span(
        self, stream: TimedStream, first: Fraction, last: Fraction, tolerance: Fraction | None
    ) -> Span:
        """The pts between two moments in seconds, each end with its tolerance."""
        margin = tolerance or Fraction(0)
        begin, end = stream.ticks(first - margin), stream.ticks(last + margin)
        span = Span(max(math.ceil(begin), PTS_MIN), min(math.floor(end), PTS_MAX))
        if tolerance is not None or first > last:
            return span
        before = self._before(stream.number, min(math.ceil(begin) - 1, PTS_MAX))
        after = self._after(stream.number, max(math.floor(end) + 1, PTS_MIN))
        return Span(
            pts_of(before) if before and _is_half_near(before, begin) else span.first,
            pts_of(after) if after and _is_half_near(after, end) else span.last,
        )

    def _from_key(self, stream: int, span: Span) -> Span:
        key = self._store.key_by_pts(stream, span.first) if span.first <= span.last else None
        return Span(pts_of(key), span.last) if key else span

    def _single(self, stream: TimedStream, reference: MediaReference, terms: Terms) -> list[StoredElement]:
        number = stream.number
        found: StoredElement | None
        match reference:
            case Direct(kind, pts):
                found = self.direct(number, kind, pts)
            case ById(element_id):
                look = self._store.key_by_id if terms.to_key else self._store.by_id
                found = look(number, element_id)
            case Anchor(word):
                found = self.first(number) if word == "start" else self.last(number)
            case Places(first):
                found = self.last(number) if first == LAST else self._nth(number, first)
            case Relative():
                found = self._relative(number, reference, terms)
            case Stamps() | Times():
                return self._at(stream, reference, terms)
        return [found] if found else []

    def _at(self, stream: TimedStream, reference: Stamps | Times, terms: Terms) -> list[StoredElement]:
        """All elements at one moment; if only near ones count, the nearest."""
        number = stream.number
        if terms.to_key:
            key = self._store.key_by_pts(number, self._moment(stream, reference, terms))
            return [key] if key else []
        if isinstance(reference, Stamps) and reference.is_fuzzy:
            found = self.nearest(number, reference.first, terms.max_distance)
            return [found] if found else []
        if isinstance(reference, Times) and terms.tolerance is None:
            ticks = stream.ticks(reference.first)
            found = self.nearest(number, ticks)
            return [found] if found and _is_half_near(found, ticks) else []
        span = self.span(stream, reference, terms)
        if span.first > span.last:
            return []
        return self._store.range(number, span.first, span.last, limit=MOST_AT_ONCE)

    def _moment(self, stream: TimedStream, reference: Stamps | Times, terms: Terms) -> int:
        if isinstance(reference, Times):
            return _bounded(math.floor(stream.ticks(reference.first + (terms.tolerance or 0))))
        if reference.is_fuzzy:
            nearest = self.nearest(stream.number, reference.first, terms.max_distance)
            return pts_of(nearest) if nearest else PTS_MIN
        return reference.first

    def _relative(self, stream: int, reference: Relative, terms: Terms) -> StoredElement | None:
        if reference.is_fuzzy:
            base = self.nearest(stream, reference.base, terms.max_distance)
            if base is None:
                return None
        else:
            base = self._before(stream, reference.base)
        at = pts_of(base) if base else reference.base
        skip = reference.offset - 1
        if reference.offset == 0:
            found = self._after(stream, at) if base else None
        elif reference.is_backward:
            found = self._before(stream, at - 1, skip)
        else:
            found = self._after(stream, at + 1, skip)
        if found is None and terms.clamp:
            return self.first(stream) if reference.is_backward else self.last(stream)
        return found

    def _range(self, stream: TimedStream, reference: MediaReference, terms: Terms, page: Page) -> Found:
        number = stream.number
        if isinstance(reference, Places):
            if not terms.to_key:
                return self._ranked(number, reference, page)
            span = self._ranked_span(number, reference)
        elif isinstance(reference, Stamps | Times):
            span = self.span(stream, reference, terms)
        else:
            raise TypeError(f"{reference} is not a range")
        if span.first > span.last:
            return Found([])
        found = self._store.range(number, span.first, span.last, page.offset, page.limit + 1)
        return Found(found[: page.limit], len(found) > page.limit)

    def _ranked(self, stream: int, reference: Places, page: Page) -> Found:
        last = self._last_rank(stream, reference)
        begin = reference.first + page.offset
        count = min(page.limit, last - begin + 1)
        if count <= 0:
            return Found([])
        return Found(self._store.nth(stream, begin, count), begin + count <= last)

    def _ranked_span(self, stream: int, reference: Places) -> Span:
        first = self._nth(stream, reference.first)
        last = self._nth(stream, self._last_rank(stream, reference))
        if first is None or last is None:
            return Span(0, -1)
        return self._from_key(stream, Span(pts_of(first), pts_of(last)))

    def _last_rank(self, stream: int, reference: Places) -> int:
        end = self._store.facts(stream).count - 1
        return end if reference.last in (None, LAST) else min(reference.last or 0, end)

    def _nth(self, stream: int, rank: int) -> StoredElement | None:
        return next(iter(self._store.nth(stream, rank, 1)), None) if rank >= 0 else None

    def _before(self, stream: int, pts: int, skip: int = 0) -> StoredElement | None:
        """The last element at or before a pts, ``skip`` elements left out."""
        if pts < PTS_MIN:
            return None
        return next(iter(self._store.range(stream, PTS_MIN, pts, skip, 1, descending=True)), None)

    def _after(self, stream: int, pts: int, skip: int = 0) -> StoredElement | None:
        """The first element at or after a pts, ``skip`` elements left out."""
        if pts > PTS_MAX:
            return None
        return next(iter(self._store.range(stream, pts, PTS_MAX, skip, 1)), None)


def _is_half_near(stored: StoredElement, ticks: Fraction) -> bool:
    return abs(pts_of(stored) - ticks) <= Fraction(stored.element.duration or 0, 2)


def _bounded(pts: int) -> int:
    return max(PTS_MIN, min(pts, PTS_MAX))
