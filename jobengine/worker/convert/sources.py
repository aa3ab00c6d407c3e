"""Sources of a recipe: streams of the store, read in pieces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from jobengine.contents.catalogue import Catalogue, Content
from jobengine.contents.look_up import LookUp, Span, Terms, TimedStream, is_range, pts_of
from jobengine.contents.stream_names import ALL, stream_index
from jobengine.errors import NotFoundError
from jobengine.model.beam.streams import time_base_of
from jobengine.model.convert import ConvertSource
from jobengine.model.element import PTS_MAX, PTS_MIN, StoredElement, StreamFacts
from jobengine.model.media_reference import LAST, Places, Stamps, Times, parse_reference
from jobengine.model.recipe import Loaded
from jobengine.ports.contents import ContentStore

Json = Any
PIECE = 32
"""Elements whose payload is fetched at once."""
PAGE = 512
"""Elements whose metadata is read at once."""


class StoreSource:
    """A `jobengine.model.recipe.Source`."""

    def __init__(self, store: ContentStore, content: Content, index: int, reference: str) -> None:
        stream = content.streams[index]
        if stream is None:
            raise NotFoundError(f"stream {index} of content {content.name!r} was removed")
        self.content = content.name
        self.index = index
        self.stream: Mapping[str, Json] = {**stream, "index": index}
        self.reference = reference
        self.number = content.stream_number(index)
        self.has_ended = index in content.ended
        """Whether no element will follow."""
        self._store = store
        self._look_up = LookUp(store)
        self._parsed = parse_reference(reference)
        self._timed = TimedStream(self.number, index, time_base_of(stream))

    def reread(self, content: Content) -> None:
        """Take over what the stream's document says by now."""
        self.stream = {**(content.streams[self.index] or {}), "index": self.index}

    @property
    def facts(self) -> StreamFacts:
        return self._store.facts(self.number)

    def elements(self) -> Iterator[Loaded]:
        self.bounds()
        return self.loaded(self._found())

    def shown(self) -> Iterator[Loaded]:
        if not isinstance(self._parsed, Times) or is_range(self._parsed):
            return self.elements()
        found = self._look_up.on_show(self._timed, self._parsed.first)
        if not found:
            raise self._nothing()
        return self.loaded(iter(found))

    def bounds(self) -> tuple[int, int]:
        first, last = self._ends()
        if first is None or last is None:
            raise self._nothing()
        return pts_of(first), pts_of(last)

    def _nothing(self) -> NotFoundError:
        return NotFoundError(
            f"{self.reference!r} matches nothing in stream {self.index} of content {self.content!r}"
        )

    def from_key(self, pts: int) -> Iterator[Loaded]:
        key = self._store.key_by_pts(self.number, pts)
        return self.loaded(self._range(Span(PTS_MIN if key is None else pts_of(key), PTS_MAX)))

    def between(self, first: int, end: int | None) -> Iterator[StoredElement]:
        """Elements by pts from ``first`` to ``end``, exclusive; None: all that follow."""
        return self._range(Span(max(first, PTS_MIN), PTS_MAX if end is None else min(end - 1, PTS_MAX)))

    def last(self) -> StoredElement | None:
        """The last element of the stream by pts."""
        return self._look_up.last(self.number)

    def loaded(self, elements: Iterator[StoredElement]) -> Iterator[Loaded]:
        """The same with their payloads, fetched in pieces."""
        while piece := list(islice(elements, PIECE)):
            for stored, planes in zip(piece, self._store.payloads(piece), strict=True):
                yield Loaded(stored, planes)

    def _ends(self) -> tuple[StoredElement | None, StoredElement | None]:
        if isinstance(self._parsed, Places) and is_range(self._parsed):
            first, last = Places(self._parsed.first), Places(self._last_rank(self._parsed))
            return self._only(first), self._only(last) if last.first >= first.first else None
        if is_range(self._parsed):
            span = self._span()
            return self._edge(span, False), self._edge(span, True)
        found = self._single()
        return (found[0], found[-1]) if found else (None, None)

    def _found(self) -> Iterator[StoredElement]:
        if isinstance(self._parsed, Places) and is_range(self._parsed):
            return self._ranked(self._parsed.first, self._last_rank(self._parsed))
        return self._range(self._span()) if is_range(self._parsed) else iter(self._single())

    def _single(self) -> list[StoredElement]:
        return self._look_up.find(self._timed, self._parsed).elements

    def _only(self, place: Places) -> StoredElement | None:
        return next(iter(self._look_up.find(self._timed, place).elements), None)

    def _span(self) -> Span:
        if not isinstance(self._parsed, Stamps | Times):
            raise TypeError(f"{self.reference} is not a range of time")
        return self._look_up.span(self._timed, self._parsed, Terms())

    def _edge(self, span: Span, is_end: bool) -> StoredElement | None:
        if span.first > span.last:
            return None
        found = self._store.range(self.number, span.first, span.last, limit=1, descending=is_end)
        return found[0] if found else None

    def _last_rank(self, places: Places) -> int:
        end = self.facts.count - 1
        return end if places.last is None or places.last == LAST else min(places.last, end)

    def _ranked(self, rank: int, last_rank: int) -> Iterator[StoredElement]:
        while rank <= last_rank and (
            page := self._store.nth(self.number, rank, min(PAGE, last_rank - rank + 1))
        ):
            yield from page
            rank += len(page)

    def _range(self, span: Span) -> Iterator[StoredElement]:
        """By pts, each page going on after those of the last pts that were seen."""
        first, seen = span.first, 0
        while first <= span.last and (page := self._store.range(self.number, first, span.last, seen, PAGE)):
            yield from page
            last = pts_of(page[-1])
            same = sum(pts_of(each) == last for each in page)
            first, seen = last, same + (seen if last == first else 0)


def open_sources(store: ContentStore, catalogue: Catalogue, source: ConvertSource) -> list[StoreSource]:
    """The streams that a source names: one, or with ``all`` every one of its content, in their order.

    Raises NotFoundError or MalformedError.
    """
    content = catalogue.get(source.content)
    if source.stream != ALL:
        return [StoreSource(store, content, stream_index(content, source.stream), source.reference)]
    present = [index for index, stream in enumerate(content.streams) if stream is not None]
    return [StoreSource(store, content, index, source.reference) for index in present]
