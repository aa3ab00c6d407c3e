"""From FFmpeg's containers and streams to documents of the Content Beam API: what a file says of itself.

Members that equal their default are left out, rationals are pairs, binary values are ``Buffer`` objects.
The way back is in ``codec_setup``.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from av.codec.context import CodecContext
from av.container import InputContainer
from av.stream import AttachmentStream, Disposition, Stream

Json = Any
_UNSET_LEVEL = -99
FIELD_ORDERS = {1: "progressive", 2: "tt", 3: "bb", 4: "tb", 5: "bt"}
COLOUR_RANGES = {1: "tv", 2: "pc"}
COLOUR_PRIMARIES = {
    1: "bt709",
    4: "bt470m",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "film",
    9: "bt2020",
    10: "smpte428",
    11: "smpte431",
    12: "smpte432",
}
COLOUR_TRANSFERS = {
    1: "bt709",
    4: "bt470m",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "linear",
    13: "iec61966-2-1",
    14: "bt2020-10",
    15: "bt2020-12",
    16: "smpte2084",
    18: "arib-std-b67",
}
COLOUR_SPACES = {
    0: "gbr",
    1: "bt709",
    4: "fcc",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "ycgco",
    9: "bt2020nc",
    10: "bt2020c",
}


def describe_format(container: InputContainer) -> dict[str, Json]:
    """The Format document of an opened file, without its streams and its name (``url``)."""
    said: dict[str, Json] = {"type": "demuxer", "iformat": container.format.name, "interleaved": True}
    optional = {
        "start_time": container.start_time,
        "duration": container.duration,
        "bit_rate": container.bit_rate,
        "metadata": dict(container.metadata),
    }
    return said | {key: value for key, value in optional.items() if value}


def describe_stream(stream: Stream) -> dict[str, Json]:
    """The Stream document of one stream of an opened file."""
    said: dict[str, Json] = {"type": "Stream", "index": stream.index}
    optional = {
        "id": stream.id,
        "time_base": _rational(stream.time_base),
        "start_time": stream.start_time,
        "duration": stream.duration,
        "nb_frames": stream.frames,
        "r_frame_rate": _rational(getattr(stream, "base_rate", None)),
        "avg_frame_rate": _rational(getattr(stream, "average_rate", None)),
        "sample_aspect_ratio": _aspect(stream.codec_context),
        "disposition": {flag.name: True for flag in Disposition if flag in stream.disposition},
        "metadata": dict(stream.metadata),
    }
    said |= {key: value for key, value in optional.items() if value}
    return said | {"codecpar": dict(_codec_parameters(stream))}


def binary(value: bytes) -> Json:
    """A binary value as it stands in JSON documents."""
    return {"type": "Buffer", "data": list(value)}


def _codec_parameters(stream: Stream) -> Iterator[tuple[str, Json]]:
    yield "type", "CodecParameters"
    yield "codec_type", stream.type
    context: CodecContext | None = stream.codec_context
    if isinstance(stream, AttachmentStream):
        yield "extradata", binary(stream.data)
        return
    if context is None:
        name = getattr(stream, "name", None)
        if name:
            yield "name", name
        return
    yield "codec_id", context.codec.id
    yield "name", context.codec.canonical_name
    parameters = {**_common(context), **(_video(context) if stream.type == "video" else _audio(context))}
    yield from ((key, value) for key, value in parameters.items() if value)


def _common(context: CodecContext) -> dict[str, Json]:
    level = getattr(context, "level", _UNSET_LEVEL)
    return {
        "codec_tag": _tag(context),
        "extradata": binary(context.extradata) if context.extradata else None,
        "bit_rate": context.bit_rate,
        "profile": context.profile,
        "level": None if level == _UNSET_LEVEL else level,
    }


def _tag(context: CodecContext) -> str | None:
    """The four letters of the container for the codec; what is a number there says nothing elsewhere."""
    try:
        tag = context.codec_tag
    except UnicodeDecodeError:
        return None
    return tag if tag.isprintable() else None


def _video(context: Any) -> dict[str, Json]:
    return {
        "format": context.pix_fmt,
        "width": context.width,
        "height": context.height,
        "sample_aspect_ratio": _aspect(context),
        "bits_per_coded_sample": context.bits_per_coded_sample,
        "field_order": FIELD_ORDERS.get(int(context.field_order)),
        "color_range": COLOUR_RANGES.get(int(context.color_range)),
        "color_primaries": COLOUR_PRIMARIES.get(int(context.color_primaries)),
        "color_trc": COLOUR_TRANSFERS.get(int(context.color_trc)),
        "color_space": COLOUR_SPACES.get(int(context.colorspace)),
        "video_delay": context.reorder_depth,
    }


def _audio(context: Any) -> dict[str, Json]:
    if context.type != "audio":
        return {}
    return {
        "format": context.format.name if context.format else None,
        "channel_layout": context.layout.name,
        "channels": context.layout.nb_channels,
        "sample_rate": context.sample_rate,
        "frame_size": context.frame_size,
    }


def _aspect(context: Any) -> Json:
    return _rational(getattr(context, "sample_aspect_ratio", None))


def _rational(value: Fraction | None) -> Json:
    return [value.numerator, value.denominator] if value else None
