"""Raw frame elements, planes with a description, as FFmpeg's frames."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import av
import numpy as np

from jobengine.errors import MediaError
from jobengine.media.layout import default_layout
from jobengine.media.media_element import Buffer, MediaElement, read_attributes

Json = Any
_SAMPLE_KINDS = {"u8": "u1", "s16": "<i2", "s32": "<i4", "flt": "<f4", "dbl": "<f8", "s64": "<i8"}


def video_frame_of(item: MediaElement) -> av.VideoFrame:
    """The picture; rows may be padded (``linesize``) and planes longer than needed. Raises MediaError."""
    members = read_attributes(item.element)
    try:
        width, height, form = int(members["width"]), int(members["height"]), str(members["format"])
        frame = av.VideoFrame(width, height, form)
    except (KeyError, TypeError, ValueError) as error:
        raise MediaError("a frame has no width, height and format that make a picture") from error
    if len(item.planes) < len(frame.planes):
        raise MediaError(f"a {form} picture has {len(frame.planes)} planes, {len(item.planes)} are there")
    lines = members.get("linesize") or []
    for index, plane in enumerate(frame.planes):
        given_line = int(lines[index]) if index < len(lines) and lines[index] else 0
        _copy_rows(plane, item.planes[index], given_line, index)
    frame.pts = item.element.pts
    return frame


def audio_frame_of(item: MediaElement) -> av.AudioFrame:
    """The sound, in packed samples. Raises MediaError."""
    members = read_attributes(item.element)
    form = str(members.get("format") or "")
    kind = _SAMPLE_KINDS.get(form.removesuffix("p"))
    if kind is None or not members.get("sample_rate"):
        raise MediaError("a frame has no sample_rate and no format of samples that is known")
    layout = _layout_of(members, len(item.planes) if form.endswith("p") else 1)
    channels = av.AudioLayout(layout).nb_channels
    packed = _packed(item, np.dtype(kind), channels, form.endswith("p"), members.get("nb_samples"))
    frame = av.AudioFrame.from_ndarray(packed, format=form.removesuffix("p"), layout=layout)
    frame.sample_rate = int(members["sample_rate"])
    frame.pts = item.element.pts
    return frame


def _copy_rows(plane: Any, given: Buffer, given_line: int, index: int) -> None:
    into = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
    source = np.frombuffer(given, np.uint8)
    line = given_line or len(source) // plane.height
    width = min(line, plane.line_size)
    needed = line * (plane.height - 1) + width
    if line <= 0 or len(source) < needed:
        raise MediaError(f"plane {index} of a frame has {len(source)} bytes, {needed} are needed")
    rows = np.lib.stride_tricks.as_strided(source, (plane.height, width), (line, 1), writeable=False)
    into[:, :width] = rows


def _layout_of(members: Mapping[str, Json], planes: int) -> str:
    channels = members.get("channels") or planes
    return str(members.get("channel_layout") or default_layout(int(channels)))


def _packed(item: MediaElement, kind: np.dtype[Any], channels: int, is_planar: bool, samples: Json) -> Any:
    try:
        if is_planar:
            parts = [np.frombuffer(plane, kind) for plane in item.planes[:channels]]
            count = min(int(samples or len(parts[0])), *(len(part) for part in parts))
            return np.stack([part[:count] for part in parts], axis=1).reshape(1, -1)
        flat = np.frombuffer(item.planes[0], kind)
        count = min(int(samples or len(flat) // channels), len(flat) // channels)
        return flat[: count * channels].reshape(1, -1)
    except (IndexError, ValueError) as error:
        raise MediaError("the planes of a frame don't hold as many samples as it declares") from error
