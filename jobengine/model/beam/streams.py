"""Stream documents: one elementary track of a content, with the parameters of its codec."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from jobengine.model.beam.values import (
    BeamModel,
    Binary,
    Flags,
    Int64,
    Options,
    Rational,
    SideData,
    Size,
)

Json = Any
MAX_STREAM_INDEX = (1 << 16) - 1
KINDS = ("video", "audio", "subtitle", "data", "attachment")


def _check_time_base(pair: list[int]) -> list[int]:
    if pair[0] < 0 or pair[1] < 1:
        raise ValueError("must be two positive numbers, or 0 and 1 for none")
    return pair


class CodecParameters(BeamModel):
    """What a decoder has to know."""

    type: Literal["CodecParameters"] | None = None
    codec_type: str | None = None
    codec_id: Int64 | None = None
    name: str | None = None
    codec_tag: str | Int64 | None = None
    extradata: Binary | None = None
    format: str | Int64 | None = None
    bit_rate: Int64 | None = None
    bits_per_coded_sample: Int64 | None = None
    bits_per_raw_sample: Int64 | None = None
    profile: str | Int64 | None = None
    level: Int64 | None = None
    width: Size | None = None
    height: Size | None = None
    sample_aspect_ratio: Rational | None = None
    field_order: str | None = None
    color_range: str | None = None
    color_primaries: str | None = None
    color_trc: str | None = None
    color_space: str | None = None
    chroma_location: str | None = None
    video_delay: Int64 | None = None
    channel_layout: str | Int64 | None = None
    channels: Size | None = None
    sample_rate: Size | None = None
    block_align: Int64 | None = None
    frame_size: Int64 | None = None
    initial_padding: Int64 | None = None
    trailing_padding: Int64 | None = None
    seek_preroll: Int64 | None = None


class StreamDocument(BeamModel):
    """A stream. ``closed``: no element will follow."""

    type: Literal["Stream"] = "Stream"
    index: Annotated[int, Field(ge=0, le=MAX_STREAM_INDEX)] | None = None
    id: Int64 | None = None
    time_base: Annotated[Rational, AfterValidator(_check_time_base)] | None = None
    start_time: Int64 | None = None
    duration: Int64 | None = None
    nb_frames: Int64 | None = None
    r_frame_rate: Rational | None = None
    avg_frame_rate: Rational | None = None
    sample_aspect_ratio: Rational | None = None
    disposition: Flags | None = None
    discard: str | None = None
    event_flags: Options | Int64 | None = None
    metadata: Options | None = None
    side_data: SideData | None = None
    codecpar: CodecParameters | None = None
    closed: bool = False


def time_base_of(stream: Mapping[str, Json]) -> Fraction | None:
    """Seconds of one tick, exactly; None if the stream does not say."""
    pair = stream.get("time_base")
    return Fraction(pair[0], pair[1]) if pair and pair[0] else None


def kind_of_stream(stream: Mapping[str, Json]) -> str:
    """``video``, ``audio``, ``subtitle``, ``data``, ``attachment`` or ``unknown``."""
    found = (stream.get("codecpar") or {}).get("codec_type")
    return found if found in KINDS else "unknown"
