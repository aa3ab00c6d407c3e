"""Reads Savant's messages: video frames, user data and ends become elements, all else is not stored.

The message itself stays with its element, in the member ``savant`` of the attributes, so that it can be
sent again exactly. Pixels inside of a message are taken out of it, and become the payload.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Final
from uuid import UUID

import msgspec

from jobengine.messaging.sockets import savant_library as library
from jobengine.messaging.sockets.codec import Glance, Record, UnreadableRecord
from jobengine.messaging.sockets.savant_envelope import (
    END_OF_STREAM,
    USER_DATA,
    VIDEO_FRAME,
    Envelope,
    open_envelope,
)
from jobengine.model.element import Element, ElementKind
from jobengine.model.message import Message
from jobengine.ports.contents import Buffer

Json = Any
FORMAT: Final[dict[str, Json]] = {"type": "demuxer", "iformat": "savant", "interleaved": True}
CODECS: Final = {"jpeg": "mjpeg", "raw-rgba": "rawvideo", "raw-rgb24": "rawvideo", "raw-nv12": "rawvideo"}
"""Names that differ from FFmpeg's."""

_pack = msgspec.msgpack.Encoder().encode


class SavantDecoder:
    """Reads what speaks the library's version of the protocol. Raises MediaError without the library."""

    def __init__(self) -> None:
        self._version = library.protocol_version()
        self._opened: tuple[bytes, Envelope] = b"", Envelope()

    def glance(self, record: bytes) -> Glance:
        try:
            envelope = open_envelope(record)
        except UnreadableRecord:
            return Glance.UNREADABLE
        self._opened = record, envelope
        if envelope.version != self._version:
            return Glance.OTHER_VERSION
        return Glance.END if envelope.content_field == END_OF_STREAM else Glance.ELEMENT

    def read(self, record: bytes, parts: Sequence[Buffer]) -> Record:
        opened, envelope = self._opened
        if opened is not record:
            envelope = open_envelope(record)
        message = library.load(record)
        if envelope.content_field == VIDEO_FRAME:
            return _read_frame(envelope, record, parts, message)
        if envelope.content_field == USER_DATA:
            return _read_user_data(envelope, record, parts, message.as_user_data())
        is_end = envelope.content_field == END_OF_STREAM
        element = None
        if is_end:
            element = _message(envelope, {"message": Message.END_OF_STREAM.value})
        return Record(
            source=message.as_end_of_stream().source_id if is_end else "",
            is_end=is_end,
            element=element,
            sender=envelope.sender,
            sequence=envelope.sequence,
        )


def _read_frame(envelope: Envelope, record: bytes, parts: Sequence[Buffer], message: Any) -> Record:
    frame = message.as_video_frame()
    source: str = frame.source_id
    kept: dict[str, Json] = {"message": record, "source": source}
    if frame.content.is_internal():
        parts = [bytes(frame.content.get_data())]
        frame.content = library.primitives().VideoFrameContent.none()
        kept = {"message": library.save(message), "source": source, "internal": True}
    numerator, denominator = frame.time_base
    if numerator <= 0 or denominator <= 0:
        raise UnreadableRecord(f"has the time base {numerator}/{denominator}")
    members: dict[str, Json] = {"savant": kept}
    if frame.attributes:
        members["attributes"] = library.attributes_of(frame)
    element = Element(
        kind=ElementKind.PACKET,
        pts=frame.pts,
        dts=frame.dts,
        duration=frame.duration,
        is_key=bool(frame.keyframe),
        plane_sizes=tuple(map(len, parts)),
        attributes=_packed(envelope, members),
        element_id=UUID(frame.uuid).bytes,
    )
    return Record(
        source=source,
        is_end=False,
        element=element,
        planes=parts,
        sender=envelope.sender,
        sequence=envelope.sequence,
        format=FORMAT,
        stream=_describe(frame, numerator, denominator),
    )


def _read_user_data(envelope: Envelope, record: bytes, parts: Sequence[Buffer], data: Any) -> Record:
    members: dict[str, Json] = {
        "message": Message.USER_DATA.value,
        "savant": {"message": record, "source": data.source_id},
    }
    if data.attributes:
        members["attributes"] = library.attributes_of(data)
    return Record(
        source=data.source_id,
        is_end=False,
        element=_message(envelope, members, parts),
        planes=parts,
        sender=envelope.sender,
        sequence=envelope.sequence,
        format=FORMAT,
    )


def _message(envelope: Envelope, members: dict[str, Json], parts: Sequence[Buffer] = ()) -> Element:
    return Element(
        ElementKind.PACKET,
        None,
        plane_sizes=tuple(map(len, parts)),
        attributes=_packed(envelope, members),
    )


def _packed(envelope: Envelope, members: dict[str, Json]) -> bytes:
    return _pack(members | {"labels": envelope.labels} if envelope.labels else members)


def _describe(frame: Any, numerator: int, denominator: int) -> dict[str, Json]:
    codec = frame.codec or ""
    rate = _rate(frame.framerate)
    parameters = {
        "type": "CodecParameters",
        "codec_type": "video",
        "name": CODECS.get(codec, codec),
        "width": frame.width,
        "height": frame.height,
    }
    return {
        "type": "Stream",
        "time_base": [numerator, denominator],
        **({"avg_frame_rate": rate} if rate else {}),
        "codecpar": {key: value for key, value in parameters.items() if value},
    }


def _rate(text: str) -> list[int] | None:
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        return None
    return [rate.numerator, rate.denominator] if rate > 0 else None
