"""Elements in the order in which decoders and muxers want them."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from itertools import count

from jobengine.media.media_element import MediaElement

DEPTH = 32
"""How many elements of a stream are held back: more than any codec reorders its pictures (16)."""


def in_decode_order(elements: Iterable[MediaElement]) -> Iterator[MediaElement]:
    """Each stream by rising dts, whether its elements came by pts or in their order of arrival.

    Elements without a dts keep their place. Holds `DEPTH` elements of each stream.
    """
    waiting: dict[int, list[tuple[int, int, MediaElement]]] = {}
    arrivals = count()
    for item in elements:
        dts = item.element.dts
        if dts is None:
            yield item
            continue
        heap = waiting.setdefault(item.stream_index, [])
        heapq.heappush(heap, (dts, next(arrivals), item))
        if len(heap) > DEPTH:
            yield heapq.heappop(heap)[2]
    for heap in waiting.values():
        while heap:
            yield heapq.heappop(heap)[2]
