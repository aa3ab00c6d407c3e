"""From documents of the Content Beam API back to FFmpeg: decoders, and streams whose packets are copied.

PyAV makes streams from encoders or from other streams only. A stream for packets that exist already is
made from a stand-in of the same media type, which is then given the codec and the parameters of the
document and is never opened.
"""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Mapping
from fractions import Fraction
from functools import cache
from typing import Any, get_args

import av
from av.bitstream import BitStreamFilterContext
from av.codec.context import CodecContext, Flags2
from av.container import OutputContainer
from av.error import FFmpegError
from av.packet import Packet, PacketSideData, PktSideDataT
from av.stream import Disposition, Stream

from jobengine.errors import MediaError
from jobengine.media.media_element import MediaElement, read_attributes
from jobengine.media.stream_document import (
    COLOUR_PRIMARIES,
    COLOUR_RANGES,
    COLOUR_SPACES,
    COLOUR_TRANSFERS,
    FIELD_ORDERS,
)

Json = Any
_DECODERS = {"av1": "libdav1d", "mp1": "mp1float", "mp2": "mp2float", "mp3": "mp3float"}
"""Where the decoder of the codec's own name is not the one that FFmpeg prefers."""
_STAND_INS = {
    "video": ("mpeg4", "mjpeg", "mpeg2video", "libvpx", "libx264"),
    "audio": ("aac", "pcm_s16le", "libopus", "flac", "libmp3lame", "mp2"),
    "subtitle": ("mov_text", "ass", "srt", "webvtt", "dvbsub"),
}
_MPEG_TS = frozenset(
    {"h264", "hevc", "vvc", "mpeg1video", "mpeg2video", "mpeg4", "aac", "aac_latm", "mp1", "mp2", "mp3"}
    | {"ac3", "eac3", "opus", "dts", "truehd", "dvb_subtitle", "dvb_teletext", "klv", "timed_id3", "scte_35"}
)
_TAKEN_WITHOUT_TELLING: Mapping[str, frozenset[str]] = {
    "mpegts": _MPEG_TS,
    "ogg": frozenset({"vorbis", "opus", "flac", "speex", "theora", "vp8"}),
    "opus": frozenset({"opus"}),
    "wav": frozenset(f"pcm_{form}" for form in ("u8", "s16le", "s24le", "s32le", "f32le", "f64le")),
}
"""Where FFmpeg's muxer does not tell the truth: MPEG-TS puts anything in as private data, WAV compressed
sound that hardly any reader of WAV knows."""
_SIDE_DATA_NAMES = get_args(PktSideDataT)
_CODES = {
    "field_order": ("field_order", FIELD_ORDERS),
    "color_range": ("color_range", COLOUR_RANGES),
    "color_primaries": ("color_primaries", COLOUR_PRIMARIES),
    "color_trc": ("color_trc", COLOUR_TRANSFERS),
    "color_space": ("colorspace", COLOUR_SPACES),
}


def parameters_of(document: Mapping[str, Json]) -> Mapping[str, Json]:
    """The CodecParameters of a Stream document; empty if it has none."""
    return document.get("codecpar") or {}


def time_base_of(document: Mapping[str, Json]) -> Fraction:
    """Seconds per tick. Raises MediaError if the document does not tell."""
    given = document.get("time_base")
    if not given or not given[0] or not given[1]:
        raise MediaError(f"stream {document.get('index', 0)} has no time_base, so its times mean nothing")
    return Fraction(given[0], given[1])


def read_binary(value: Json) -> bytes:
    """A binary value of a document: a ``Buffer`` object or base64. Raises MediaError."""
    try:
        return bytes(value["data"]) if isinstance(value, Mapping) else base64.b64decode(value, validate=True)
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise MediaError("a binary value is neither a Buffer object nor base64") from error


def open_decoder(document: Mapping[str, Json]) -> CodecContext:
    """A decoder for the packets of a stream. Raises MediaError if this FFmpeg has none."""
    parameters = parameters_of(document)
    name = str(parameters.get("name") or "")
    try:
        context = CodecContext.create(_DECODERS.get(name, name), "r")
        _apply(context, parameters)
        context.thread_count = 1
        context.flags2 |= Flags2.skip_manual
        return context
    except (FFmpegError, ValueError) as error:
        raise MediaError(f"there is no decoder for {name or 'a codec without a name'} here") from error


def takes(container: str, document: Mapping[str, Json]) -> bool:
    """Whether FFmpeg's muxer ``container`` stores packets of this stream as they are."""
    parameters = parameters_of(document)
    name, kind = str(parameters.get("name") or ""), str(parameters.get("codec_type") or "")
    if kind == "attachment":
        return container == "matroska"
    if kind == "data":
        return container == "mpegts" and name in _MPEG_TS
    return kind in _STAND_INS and name in _taken(container)


def add_copied_stream(container: OutputContainer, document: Mapping[str, Json]) -> Stream:
    """A stream of ``container`` for packets as they are. ``takes`` was true. Raises MediaError."""
    parameters = parameters_of(document)
    kind, name = parameters["codec_type"], str(parameters.get("name") or "")
    metadata = {str(key): str(value) for key, value in (document.get("metadata") or {}).items()}
    if kind == "attachment":
        place = metadata.get("filename", "attachment")
        kept = metadata.get("mimetype", "application/octet-stream")
        return container.add_attachment(place, kept, read_binary(parameters["extradata"]))
    try:
        if kind == "data":
            stream: Stream = container.add_mux_stream(name)
        else:
            stream = _from_stand_in(container, kind, name)
            _apply(stream.codec_context, parameters)
            _keep_tag(container, stream.codec_context, parameters)
    except (FFmpegError, ValueError) as error:
        raise MediaError(f"{name} can't be put into {container.format.name}: {error}") from error
    stream.time_base = time_base_of(document)
    stream.metadata.update(metadata)
    stream.disposition = Disposition(_disposition(document))
    return stream


def make_packet(item: MediaElement, time_base: Fraction) -> Packet[Any]:
    """The packet of an element, bit by bit, with its side data; its times as the element tells them."""
    payload = item.planes[0]
    packet: Packet[Any] = Packet(len(payload))
    memoryview(packet)[:] = payload
    element, members = item.element, read_attributes(item.element)
    packet.time_base = time_base
    packet.pts = None if members.get("pts_from_dts") else element.pts
    packet.dts = element.dts
    packet.duration = element.duration or 0
    packet.is_keyframe = element.is_key
    packet.is_corrupt = bool((members.get("flags") or {}).get("CORRUPT"))
    for name, value in (members.get("side_data") or {}).items():
        if name in _SIDE_DATA_NAMES:
            data = value if isinstance(value, bytes) else read_binary(value)
            packet.set_sidedata(_side_data(name, data))
    return packet


def _side_data(name: str, data: bytes) -> PacketSideData:
    make: Any = PacketSideData  # its type stub knows no constructor
    side: PacketSideData = make(_SIDE_DATA_NAMES.index(name), len(data))
    memoryview(side)[:] = data
    return side


def _from_stand_in(container: OutputContainer, kind: str, name: str) -> Stream:
    template = _stand_in(container.format.name, kind)
    stream = container.add_stream_from_template(template, opaque=True)
    BitStreamFilterContext("null", in_stream=_DECODERS.get(name, name), out_stream=stream)
    return stream


def _keep_tag(container: OutputContainer, context: Any, parameters: Mapping[str, Json]) -> None:
    """HEVC has two tags in MP4, and some players take only this one."""
    if container.format.name in ("mp4", "mov") and parameters.get("codec_tag") == "hvc1":
        context.codec_tag = "hvc1"


def _stand_in(container: str, kind: str) -> Stream:
    scratch = av.open(io.BytesIO(), "w", format=container)
    for name in _STAND_INS[kind]:
        try:
            return scratch.add_stream(name)
        except ValueError:
            continue
    raise MediaError(f"{container} holds no {kind}")


@cache
def _taken(container: str) -> frozenset[str]:
    if container in _TAKEN_WITHOUT_TELLING:
        return _TAKEN_WITHOUT_TELLING[container]
    with av.open(io.BytesIO(), "w", format=container) as scratch:
        names = scratch.supported_codecs
    return frozenset(_canonical(name) for name in names)


def _canonical(name: str) -> str:
    for mode in ("r", "w"):
        try:
            return str(av.Codec(name, mode).canonical_name)
        except (ValueError, FFmpegError):
            continue
    return name


def _apply(context: Any, parameters: Mapping[str, Json]) -> None:
    if parameters.get("extradata"):
        context.extradata = read_binary(parameters["extradata"])
    if parameters.get("bit_rate"):
        context.bit_rate = int(parameters["bit_rate"])
    if context.type == "video":
        _apply_video(context, parameters)
    elif context.type == "audio":
        _apply_audio(context, parameters)


def _apply_video(context: Any, parameters: Mapping[str, Json]) -> None:
    context.width, context.height = int(parameters.get("width", 0)), int(parameters.get("height", 0))
    if parameters.get("format"):
        context.pix_fmt = str(parameters["format"])
    if parameters.get("sample_aspect_ratio"):
        context.sample_aspect_ratio = Fraction(*parameters["sample_aspect_ratio"])
    context.reorder_depth = int(parameters.get("video_delay", 0))
    for member, (attribute, names) in _CODES.items():
        code = next((code for code, name in names.items() if name == parameters.get(member)), None)
        if code is not None:
            setattr(context, attribute, code)
    if parameters.get("bits_per_coded_sample") and context.is_decoder:
        context.bits_per_coded_sample = int(parameters["bits_per_coded_sample"])


def _apply_audio(context: Any, parameters: Mapping[str, Json]) -> None:
    if parameters.get("sample_rate"):
        context.sample_rate = int(parameters["sample_rate"])
    layout = parameters.get("channel_layout") or _channels(parameters)
    if layout:
        context.layout = layout
    if parameters.get("format"):
        context.format = str(parameters["format"])


def _channels(parameters: Mapping[str, Json]) -> str | None:
    return f"{parameters['channels']} channels" if parameters.get("channels") else None


def _disposition(document: Mapping[str, Json]) -> int:
    given = document.get("disposition") or {}
    known = Disposition.__members__
    return sum(int(known[name]) for name in given if given[name] and name in known)
