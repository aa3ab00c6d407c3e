"""Which encoder makes packets of a codec, and with what options if a stream's document does not say more."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from av.codec.context import CodecContext
from av.error import FFmpegError

from jobengine.errors import MediaError
from jobengine.media.codec_setup import parameters_of

Json = Any
_ENCODERS = {
    "h264": "libx264",
    "hevc": "libx265",
    "vp8": "libvpx",
    "vp9": "libvpx-vp9",
    "av1": "libsvtav1",
    "opus": "libopus",
    "mp3": "libmp3lame",
    "vorbis": "libvorbis",
    "prores": "prores_ks",
}
"""Where the encoder is not called as its codec."""
_OPTIONS: Mapping[str, dict[str, str]] = {
    "libx264": {"preset": "veryfast", "tune": "zerolatency", "crf": "20"},
    "libx265": {"preset": "veryfast", "tune": "zerolatency", "crf": "23", "x265-params": "log-level=error"},
    "libvpx": {"deadline": "realtime", "cpu-used": "4", "lag-in-frames": "0", "auto-alt-ref": "0"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "6", "lag-in-frames": "0", "auto-alt-ref": "0"},
    "libsvtav1": {"preset": "10", "svtav1-params": "pred-struct=1"},
    "libmp3lame": {"reservoir": "0"},
}
"""Nothing may look ahead or lean on packets of another run: a part of a stream is encoded by itself, and the
same part twice must become the same."""


def new_encoder(document: Mapping[str, Json]) -> CodecContext:
    """An encoder, not opened, for the packets of a stream. Raises MediaError if this FFmpeg has none."""
    name = str(parameters_of(document).get("name") or "")
    encoder = _ENCODERS.get(name, name)
    try:
        context = CodecContext.create(encoder, "w")
    except (FFmpegError, ValueError) as error:
        raise MediaError(f"there is no encoder for {name or 'a codec without a name'} here") from error
    options = dict(_OPTIONS.get(encoder, {}))
    bit_rate = parameters_of(document).get("bit_rate")
    if bit_rate:
        context.bit_rate = int(bit_rate)
        options.pop("crf", None)
    context.options = options
    context.thread_count = 1
    return context


def extradata_of(context: CodecContext) -> dict[str, Json]:
    """What an opened encoder tells decoders beside its packets, for ``codecpar``; empty if nothing."""
    return {"extradata": base64.b64encode(context.extradata).decode()} if context.extradata else {}
