"""FFmpeg's pictures as raw frame elements: the way back is `jobengine.media.raw_frames`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import av

from jobengine.media.decoding import Decoding
from jobengine.media.media_element import MediaElement, write_attributes
from jobengine.model.element import Element, ElementKind

Json = Any


def decoded_at(
    document: Mapping[str, Json], elements: Iterable[MediaElement], pts: int
) -> av.VideoFrame | None:
    """The picture of exactly this pts; None if none is decoded before a later one or the end.

    ``elements`` of one stream from a key frame on, in order of decoding; no more are taken than needed.
    """
    decoding = Decoding(document)
    for item in elements:
        for frame in decoding.take(item):
            if frame.pts is not None and frame.pts >= pts:
                return frame if frame.pts == pts else None
    return next((frame for frame in decoding.finish() if frame.pts == pts), None)


def frame_element(frame: av.VideoFrame, pts: int) -> tuple[Element, list[bytes]]:
    """The element, at another pts, and its planes as FFmpeg lays them out (``linesize`` tells the rows)."""
    planes = [bytes(plane) for plane in frame.planes]
    members = {
        "width": frame.width,
        "height": frame.height,
        "format": frame.format.name,
        "linesize": [plane.line_size for plane in frame.planes],
    }
    sizes = tuple(len(plane) for plane in planes)
    told = write_attributes(members)
    kind, is_key = ElementKind.FRAME, bool(frame.key_frame)
    return Element(kind, pts, is_key=is_key, plane_sizes=sizes, attributes=told), planes
