"""FFmpeg's pictures as raw frame elements: the way back is `jobengine.media.raw_frames`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import av
from av.error import FFmpegError

from jobengine.errors import MediaError
from jobengine.media.media_element import write_attributes
from jobengine.model.element import Element, ElementKind

Json = Any


def shaped(frame: av.VideoFrame, wanted: Mapping[str, Json]) -> av.VideoFrame:
    """The picture in the size and the format that ``wanted``, CodecParameters, says. Raises MediaError."""
    size = wanted.get("width") or frame.width, wanted.get("height") or frame.height
    try:
        return frame.reformat(*size, wanted.get("format") or frame.format.name)
    except (FFmpegError, ValueError) as error:
        raise MediaError(f"the picture can't be converted to {wanted.get('format')} ({error})") from error


def frame_element(frame: av.VideoFrame, pts: int, duration: int | None = None) -> tuple[Element, list[bytes]]:
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
    return Element(kind, pts, None, duration, is_key, sizes, told), planes
