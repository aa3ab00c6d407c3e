"""The pictures of a stretch of a stream, decoded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import av

from jobengine.media.decoding import Decoding
from jobengine.media.media_element import MediaElement

Json = Any


def pictures_between(
    document: Mapping[str, Json], elements: Iterable[MediaElement], first: int, end: int
) -> Iterator[av.VideoFrame]:
    """Pictures whose pts is from ``first`` to ``end`` (exclusive), in rising order.

    ``elements`` of one stream from the key element at or before ``first`` on, in order of decoding; no more
    are taken than needed. What can't be decoded is passed over. Raises MediaError if nothing can decode it.
    """
    decoding = Decoding(document)
    for item in elements:
        for frame in decoding.take(item):
            if frame.pts is not None and frame.pts >= end:
                return
            if frame.pts is not None and frame.pts >= first:
                yield frame
    for frame in decoding.finish():
        if frame.pts is not None and first <= frame.pts < end:
            yield frame
