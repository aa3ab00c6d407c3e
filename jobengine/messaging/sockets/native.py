"""The codec ``native``: a MessagePack map and the planes of the payload, each a part of its own.

Members of the map: ``version`` (1), ``message`` (``packet``, ``frame`` or ``end``), ``source``,
``sender`` (8 bytes of one run of a sender), ``sequence``, and those of an element: ``id`` (16 bytes),
``pts``, ``dts``, ``duration``, ``key``, ``attributes`` (as in `jobengine.model.message`), ``sizes``. An
end has ``labels``. ``format`` and ``stream`` describe the stream: with the first element, and again with
key elements from time to time, for those who come later.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from jobengine.messaging.sockets.codec import Glance, Record, UnreadableRecord
from jobengine.model.element import PTS_MAX, PTS_MIN, Element, ElementKind
from jobengine.model.message import Message, message_attributes
from jobengine.ports.contents import Buffer
from jobengine.ports.sink import SinkStream

VERSION: Final = 1
DESCRIBED_EVERY: Final = 100
"""How many elements may pass until a key element describes the stream again."""

_KINDS = {"packet": ElementKind.PACKET, "frame": ElementKind.FRAME}
_FRAME: Final = ElementKind.FRAME
_ID_BYTES = 16


class _Header(msgspec.Struct, omit_defaults=True, gc=False):
    version: int
    message: str
    source: str
    sender: bytes = b""
    sequence: int = 0
    id: bytes = b""
    pts: int | None = None
    dts: int | None = None
    duration: int | None = None
    key: bool = False
    attributes: bytes = b""
    sizes: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()


class _DescribedHeader(_Header):
    format: dict[str, Any] = {}
    stream: dict[str, Any] = {}


class _Version(msgspec.Struct):
    version: int
    message: str


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_DescribedHeader).decode
_decode_version = msgspec.msgpack.Decoder(_Version).decode


class NativeDecoder:
    """Reads records of our own codec."""

    def glance(self, record: bytes) -> Glance:
        try:
            seen = _decode_version(record)
        except (msgspec.MsgspecError, ValueError):
            return Glance.UNREADABLE
        if seen.version != VERSION:
            return Glance.OTHER_VERSION
        return Glance.END if seen.message == "end" else Glance.ELEMENT

    def read(self, record: bytes, parts: Sequence[Buffer]) -> Record:
        try:
            header = _decode(record)
        except (msgspec.MsgspecError, ValueError) as error:
            raise UnreadableRecord(f"is not a record of this codec: {error}") from None
        is_end = header.message == "end"
        element = _end(header) if is_end else _element(header)
        return Record(
            source=header.source,
            is_end=is_end,
            element=element,
            planes=parts,
            sender=header.sender,
            sequence=header.sequence,
            format=header.format,
            stream=header.stream,
        )


class NativeEncoder:
    """Writes one stream."""

    def __init__(self, stream: SinkStream) -> None:
        self._stream = stream
        self._name = stream.name
        self._topic = stream.name.encode()
        self._sender = os.urandom(8)
        self._sequence = 0
        self._undescribed = DESCRIBED_EVERY

    def element(self, element: Element, planes: Sequence[Buffer]) -> Sequence[Buffer]:
        self._sequence = sequence = self._sequence + 1
        # Given in order, which takes half the time of naming them.
        header = _Header(
            VERSION,
            "frame" if element.kind is _FRAME else "packet",
            self._name,
            self._sender,
            sequence,
            element.element_id,
            element.pts,
            element.dts,
            element.duration,
            element.is_key,
            element.attributes,
            element.plane_sizes,
        )
        self._undescribed += 1
        if sequence == 1 or (element.is_key and self._undescribed >= DESCRIBED_EVERY):
            self._undescribed = 0
            header = self._described(header)
        return [self._topic, _encode(header), *planes]

    def end(self, labels: Sequence[str]) -> Sequence[Buffer]:
        header = _Header(
            version=VERSION,
            message="end",
            source=self._name,
            sender=self._sender,
            sequence=self._sequence + 1,
            labels=tuple(labels),
        )
        self._sequence = 0
        return self._topic, _encode(header)

    def _described(self, header: _Header) -> _DescribedHeader:
        format_, document = dict(self._stream.format), dict(self._stream.document)
        return _DescribedHeader(**msgspec.structs.asdict(header), format=format_, stream=document)


def _end(header: _Header) -> Element:
    return Element(
        ElementKind.PACKET, None, attributes=message_attributes(Message.END_OF_STREAM, header.labels)
    )


def _element(header: _Header) -> Element:
    kind = _KINDS.get(header.message)
    if kind is None:
        raise UnreadableRecord(f"is a message {header.message!r}; known are packet, frame and end")
    if len(header.id) not in (0, _ID_BYTES):
        raise UnreadableRecord(f"has an id of {len(header.id)} bytes; ids have {_ID_BYTES}")
    for ticks in (header.pts, header.dts, header.duration):
        if ticks is not None and not PTS_MIN <= ticks <= PTS_MAX:
            raise UnreadableRecord(f"has a time of {ticks}, which is not a signed number of 64 bits")
    return Element(
        kind=kind,
        pts=header.pts,
        dts=header.dts,
        duration=header.duration,
        is_key=header.key,
        plane_sizes=header.sizes,
        attributes=header.attributes,
        element_id=header.id,
    )
