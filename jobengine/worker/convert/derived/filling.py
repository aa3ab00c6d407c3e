"""Elements of sources for what is derived of them, with payloads that the sources themselves have lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

from jobengine.clock import Clock, to_us
from jobengine.contents.look_up import pts_of
from jobengine.errors import NotFoundError
from jobengine.media.media_element import MediaElement
from jobengine.model.element import StoredElement
from jobengine.model.recipe import Buffer, Loaded
from jobengine.worker.convert.media_elements import media_elements
from jobengine.worker.convert.sources import StoreSource

Json = Any
_SETTLED_S = 10.0
"""A stream that got nothing for so long is taken for whole, though nobody has said so."""
Find = Callable[[StoreSource, StoredElement], Sequence[Buffer] | None]
Ensure = Callable[[StoreSource, int, int], None]


class Filling:
    """Reads sources. ``ensure`` makes what a source, derived itself, has not got yet from a pts to another
    (exclusive); ``find`` finds the payload of one of its elements elsewhere."""

    def __init__(self, find: Find, ensure: Ensure, clock: Clock) -> None:
        self._find = find
        self._ensure = ensure
        self._clock = clock

    def from_key(self, source: StoreSource, first: int, end: int) -> Iterator[MediaElement]:
        """From the key element at or before ``first`` on, in order of decoding; ``end``: what is wanted."""
        self._ensure(source, first, end)
        return self._decodable(source, source.from_key(first))

    def between(self, source: StoreSource, first: int, end: int) -> Iterator[MediaElement]:
        """From ``first`` to ``end`` (exclusive), in order of decoding."""
        self._ensure(source, first, end)
        return self._decodable(source, source.loaded(source.between(first, end)))

    def listed(self, source: StoreSource, first: int, end: int | None) -> Iterator[StoredElement]:
        """What a source has from ``first`` to ``end`` (exclusive; None: all that there is), by pts."""
        if end is not None:
            self._ensure(source, first, end)
        return source.between(first, end)

    def filled(self, source: StoreSource, item: Loaded) -> Loaded:
        """An element with its payload. Raises NotFoundError if it is nowhere."""
        if item.planes is not None:
            return item
        planes = self._find(source, item.stored)
        if planes is None:
            text = f"the source {source.content!r} has lost the payload at {pts_of(item.stored)} too"
            raise NotFoundError(text)
        return Loaded(item.stored, planes)

    def arrived_until(self, source: StoreSource) -> int | None:
        """The pts up to which a source that still grows has arrived; None if it is whole."""
        last = source.last()
        if last is None or source.has_ended:
            return None
        age_us = to_us(self._clock.now()) - last.stored_time_us
        return None if age_us > _SETTLED_S * 1e6 else pts_of(last) + (last.element.duration or 0)

    def _decodable(self, source: StoreSource, loaded: Iterator[Loaded]) -> Iterator[MediaElement]:
        """Packets if there are any, else raw frames."""
        head = next(loaded, None)
        if head is None:
            return iter(())
        kind = head.stored.element.kind
        given = (each for each in chain([head], loaded) if each.stored.element.kind is kind)
        return media_elements(source, (self.filled(source, each) for each in given), kind)
