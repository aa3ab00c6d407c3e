"""Packet and Frame documents, and the elements that a store keeps for them.

What a store knows of an element (pts, dts, duration, key, sizes, id) is kept there; all other members are in
`Element.attributes`, a msgpack map with bytes for binary values. Members equal to their default are left
out, unless they were given: what was sent comes back. An ``id`` comes back if it was given, or asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from pydantic import AfterValidator, Field

from jobengine.errors import Fault
from jobengine.model.beam.streams import MAX_STREAM_INDEX
from jobengine.model.beam.values import (
    BeamModel,
    Flags,
    Int64,
    Options,
    Rational,
    SideData,
    Size,
    kind_of,
    malformed,
    pack,
    read_document,
    unpack,
)
from jobengine.model.element import Element, ElementKind

Json = Any
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode
_OUTSIDE = frozenset({"type", "id", "stream_index"})
"""Members that are said by the store or by the address."""
_ID_WAS_GIVEN = "id"
_USUAL_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _check_id(text: str) -> str:
    """The usual form of an id, which `UUID` takes in many. Of any version: whoever writes chooses it."""
    return text if _USUAL_ID.fullmatch(text) else str(UUID(text))


class _ElementDocument(BeamModel):
    stream_index: Annotated[int, Field(ge=0, le=MAX_STREAM_INDEX)] | None = None
    pts: Int64 | None = None
    id: Annotated[str, AfterValidator(_check_id)] | None = None
    side_data: SideData | None = None


class PacketDocument(_ElementDocument):
    """A coded element. ``size`` is the useful length of its payload.

    One that came in several parts, as messages do, has the length of each in ``buf_sizes``.
    """

    type: Literal["Packet"]
    dts: Int64 | None = None
    size: Size | None = None
    buf_sizes: Annotated[list[Size], Field(min_length=2, max_length=64)] | None = None
    duration: Int64 | None = None
    pos: Int64 | None = None
    flags: Flags | None = None


class FrameDocument(_ElementDocument):
    """A raw element. ``buf_sizes`` are the lengths of its planes, as its producer declares them.

    Without ``key_frame`` it is one, as FFmpeg has it.
    """

    type: Literal["Frame"]
    linesize: list[Int64] | None = None
    buf_sizes: Annotated[list[Size], Field(max_length=64)] | None = None
    pkt_dts: Int64 | None = None
    width: Size | None = None
    height: Size | None = None
    nb_samples: Size | None = None
    sample_rate: Size | None = None
    channels: Size | None = None
    channel_layout: str | Int64 | None = None
    format: str | Int64 | None = None
    key_frame: bool = True
    pict_type: str | None = None
    sample_aspect_ratio: Rational | None = None
    interlaced_frame: bool | None = None
    top_field_first: bool | None = None
    repeat_pict: Int64 | None = None
    quality: Int64 | None = None
    best_effort_timestamp: Int64 | None = None
    pkt_duration: Int64 | None = None
    pkt_pos: Int64 | None = None
    pkt_size: Int64 | None = None
    crop_top: Size | None = None
    crop_bottom: Size | None = None
    crop_left: Size | None = None
    crop_right: Size | None = None
    flags: Flags | None = None
    decode_error_flags: Flags | None = None
    metadata: Options | None = None


ElementDocument = PacketDocument | FrameDocument
_MODELS: dict[str, type[ElementDocument]] = {"Packet": PacketDocument, "Frame": FrameDocument}


def read_element(value: Json, pointer: str = "") -> ElementDocument:
    """A Packet or Frame document, told by its ``type``. Raises MalformedError."""
    if not isinstance(value, dict):
        raise malformed([Fault(pointer, f"must be an object, not {kind_of(value)}")])
    found = value.get("type")
    model = _MODELS.get(found) if isinstance(found, str) else None
    if model is None:
        raise malformed([Fault(f"{pointer}/type", f"must be Packet or Frame, not {found!r}")])
    if "data" in value:
        raise malformed(
            [Fault(f"{pointer}/data", "the payload is no part of this document; it has its own address")]
        )
    return read_document(model, value, pointer)


def to_element(document: ElementDocument) -> Element:
    """The element of a document."""
    if isinstance(document, PacketDocument):
        element = _from_packet(document)
        known = _packet(element)
    else:
        element = _from_frame(document)
        known = _frame(element)
    given = document.model_fields_set
    kept = {
        name: pack(value)
        for name, value in document.__dict__.items()
        if name in given and name not in _OUTSIDE and not (name in known and known[name] == value)
    }
    for name, value in (document.model_extra or {}).items():
        kept[name] = pack(value)
    if document.id is not None:
        kept[_ID_WAS_GIVEN] = True
    if element.pts is None:
        kept.pop("pts", None)
    return msgspec.structs.replace(element, attributes=_encode(kept)) if kept else element


def to_document(element: Element, stream_index: int, with_id: bool = False) -> dict[str, Json]:
    """The document of an element; ``with_id`` shows its id also if its writer gave none."""
    document = _packet(element) if element.kind is ElementKind.PACKET else _frame(element)
    document["stream_index"] = stream_index
    kept: Mapping[str, Json] = _decode(element.attributes) if element.attributes else {}
    for name, value in kept.items():
        document[name] = unpack(value)
    id_was_given = document.pop(_ID_WAS_GIVEN, False)
    if (with_id or id_was_given) and element.element_id:
        document["id"] = str(UUID(bytes=element.element_id))
    return document


def _from_packet(document: PacketDocument) -> Element:
    return Element(
        kind=ElementKind.PACKET,
        pts=document.pts,
        dts=document.dts,
        duration=document.duration or None,
        is_key=bool((document.flags or {}).get("KEY")),
        plane_sizes=_packet_sizes(document),
        element_id=_id_bytes(document),
    )


def _from_frame(document: FrameDocument) -> Element:
    return Element(
        kind=ElementKind.FRAME,
        pts=document.pts,
        dts=document.pkt_dts,
        duration=document.pkt_duration or None,
        is_key=document.key_frame,
        plane_sizes=tuple(document.buf_sizes or ()),
        element_id=_id_bytes(document),
    )


def _packet(element: Element) -> dict[str, Json]:
    document: dict[str, Json] = {"type": "Packet", "stream_index": 0}
    _say(document, "pts", element.pts)
    _say(document, "dts", element.dts)
    _say(document, "size", sum(element.plane_sizes) if element.plane_sizes else None)
    if len(element.plane_sizes) > 1:
        document["buf_sizes"] = list(element.plane_sizes)
    _say(document, "duration", element.duration)
    if element.is_key:
        document["flags"] = {"KEY": True}
    return document


def _frame(element: Element) -> dict[str, Json]:
    document: dict[str, Json] = {"type": "Frame", "stream_index": 0}
    _say(document, "pts", element.pts)
    _say(document, "pkt_dts", element.dts)
    _say(document, "pkt_duration", element.duration)
    if element.plane_sizes:
        document["buf_sizes"] = list(element.plane_sizes)
    if not element.is_key:
        document["key_frame"] = False
    return document


def _packet_sizes(document: PacketDocument) -> tuple[int, ...]:
    if document.buf_sizes is not None:
        return tuple(document.buf_sizes)
    return () if document.size is None else (document.size,)


def _say(document: dict[str, Json], name: str, value: int | None) -> None:
    if value is not None:
        document[name] = value


def _id_bytes(document: ElementDocument) -> bytes:
    return bytes.fromhex(document.id.replace("-", "")) if document.id else b""
