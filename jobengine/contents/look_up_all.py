"""From references to elements of all streams of a content at once, aligned by their time bases.

Streams tick differently, so what is common to them is real time. A pts is in ticks of the first stream given
(the one that ``default`` means) and stands for that moment in every stream. Elements come in order of time,
then of stream. The nearest, or the key element at or before a moment, is one of each stream; a range begins
for all of them where the first one's begins. Ranks count in the common order, so a far one costs its
distance. A stream without a time base has no place in that order and is left out, found by id alone.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import islice

from jobengine.contents.look_up import Found, LookUp, Page, Span, Terms, TimedStream, is_range, pts_of
from jobengine.errors import MalformedError, NotFoundError
from jobengine.model.element import PTS_MAX, PTS_MIN, StoredElement
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

_READ_AHEAD = 256
Placed = tuple[Fraction, int, int, int, StoredElement]
"""What elements of all streams are ordered by: seconds, stream, kind, sequence."""


class LookUpAll:
    """Finds elements of several streams of one store. Thread-safe."""

    def __init__(self, store: ContentStore) -> None:
        self._store = store
        self._one = LookUp(store)

    def find(
        self, streams: Sequence[TimedStream], reference: MediaReference, terms: Terms, page: Page
    ) -> Found:
        """What ``reference`` finds, ``page`` of it if it is a range.

        Raises MalformedError for references that only mean something in one stream, NotFoundError if no
        stream has a time base.
        """
        if isinstance(reference, ById):
            found = [self._one.find(stream, reference, terms) for stream in streams]
            return Found([each for one in found for each in one.elements][:1])
        if isinstance(reference, Direct | Relative):
            raise MalformedError(
                f"{reference} means an element of one stream; name the stream instead of all"
            )
        if not streams:
            return Found([])
        timed = [stream for stream in streams if stream.time_base is not None]
        if not timed:
            raise NotFoundError("no stream has a time_base, so there is no common order; name one stream")
        return self._find_timed(timed, reference, terms, page)

    def _find_timed(
        self,
        streams: Sequence[TimedStream],
        reference: Stamps | Places | Times | Anchor,
        terms: Terms,
        page: Page,
    ) -> Found:
        match reference:
            case Stamps() | Times() if is_range(reference):
                return _page(self._merged(streams, self._spans(streams, reference, terms)), page)
            case Places(first, last) if last is not None and first != LAST:
                count = None if last == LAST else last - first + 1
                every = self._merged(streams, [Span(PTS_MIN, PTS_MAX)] * len(streams))
                return _page(islice(every, first, None if count is None else first + count), page)
            case Stamps() | Times():
                return Found(self._at(streams, reference, terms))
            case Places() | Anchor():
                found = self._placed(streams, reference)
                return Found(self._keys(found) if terms.to_key else found)

    def _at(
        self, streams: Sequence[TimedStream], reference: Stamps | Times, terms: Terms
    ) -> list[StoredElement]:
        if isinstance(reference, Stamps) and not (reference.is_fuzzy or terms.to_key):
            return list(self._merged(streams, self._spans(streams, reference, terms)))
        found = [
            _placed(stream, each)
            for stream in streams
            for each in self._one.find(stream, self._in_ticks(streams[0], stream, reference), terms).elements
        ]
        return [placed[-1] for placed in sorted(found)]

    def _keys(self, found: list[StoredElement]) -> list[StoredElement]:
        keys = [self._store.key_by_pts(each.stream, pts_of(each)) for each in found]
        return [key for key in keys if key is not None]

    def _in_ticks(self, base: TimedStream, stream: TimedStream, reference: Stamps | Times) -> Stamps | Times:
        """The same moment in the ticks of another stream."""
        if isinstance(reference, Times):
            return reference
        ticks = stream.ticks(_seconds(base, reference.first))
        return replace(reference, first=max(PTS_MIN, min(round(ticks), PTS_MAX)))

    def _spans(self, streams: Sequence[TimedStream], reference: Stamps | Times, terms: Terms) -> list[Span]:
        """The same stretch of time in every stream, that begins where the first stream's does."""
        base = streams[0]
        span = self._one.span(base, reference, terms)
        if isinstance(reference, Times) and not terms.to_key:
            end = reference.first if reference.last is None else reference.last
            return [self._one.time_span(stream, reference.first, end, terms.tolerance) for stream in streams]
        if span.first > span.last:
            return [span] * len(streams)
        first, last = _seconds(base, span.first), _seconds(base, span.last)
        return [span, *(_between(stream, first, last) for stream in streams[1:])]

    def _placed(self, streams: Sequence[TimedStream], reference: Anchor | Places) -> list[StoredElement]:
        if isinstance(reference, Places) and reference.first not in (0, LAST):
            every = self._merged(streams, [Span(PTS_MIN, PTS_MAX)] * len(streams))
            return list(islice(every, reference.first, reference.first + 1))
        is_first = reference in (Places(0), Anchor("start"))
        look = self._one.first if is_first else self._one.last
        placed = [_placed(stream, found) for stream in streams if (found := look(stream.number))]
        return [(min if is_first else max)(placed)[-1]] if placed else []

    def _merged(self, streams: Sequence[TimedStream], spans: Sequence[Span]) -> Iterator[StoredElement]:
        """All elements of the spans in common order, read as they are asked for."""
        each = [self._read(stream, span) for stream, span in zip(streams, spans, strict=True)]
        return (placed[-1] for placed in heapq.merge(*each))

    def _read(self, stream: TimedStream, span: Span) -> Iterator[Placed]:
        offset = 0
        while span.first <= span.last:
            found = self._store.range(stream.number, span.first, span.last, offset, _READ_AHEAD)
            yield from (_placed(stream, each) for each in found)
            if len(found) < _READ_AHEAD:
                return
            offset += len(found)


def _placed(stream: TimedStream, stored: StoredElement) -> Placed:
    time = _seconds(stream, pts_of(stored))
    return time, stream.index, int(stored.element.kind), stored.sequence, stored


def _seconds(stream: TimedStream, pts: int) -> Fraction:
    return pts / stream.ticks(Fraction(1))


def _between(stream: TimedStream, first: Fraction, last: Fraction) -> Span:
    begin, end = math.ceil(stream.ticks(first)), math.floor(stream.ticks(last))
    return Span(max(begin, PTS_MIN), min(end, PTS_MAX))


def _page(elements: Iterator[StoredElement], page: Page) -> Found:
    found = list(islice(elements, page.offset, page.offset + page.limit + 1))
    return Found(found[: page.limit], len(found) > page.limit)
