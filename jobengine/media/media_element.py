"""An element with its payload, on its way between a file and a store."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from jobengine.model.element import Element

Json = Any
_SKIP = struct.Struct("<II")
Buffer = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class MediaElement:
    """One element of stream ``stream_index``; ``planes`` are its payload, one for a packet."""

    stream_index: int
    element: Element
    planes: Sequence[Buffer]


def write_attributes(members: Mapping[str, Json]) -> bytes:
    """Members of a Packet or Frame document as `Element.attributes`; binary members stay bytes."""
    return msgspec.msgpack.encode(members) if members else b""


def skipped_samples(element: Element) -> tuple[int, int]:
    """How many samples at the beginning and the end of a packet are not to be heard."""
    value = (read_attributes(element).get("side_data") or {}).get("skip_samples")
    if not isinstance(value, bytes) or len(value) < _SKIP.size:
        return 0, 0
    begin, end = _SKIP.unpack_from(value)
    return begin, end


def skipping(samples: int) -> bytes:
    """Attributes of a packet whose first ``samples`` are not to be heard."""
    value = _SKIP.pack(samples, 0) + bytes(2)
    return write_attributes({"side_data": {"type": "PacketSideData", "skip_samples": value}})


def read_attributes(element: Element) -> dict[str, Json]:
    """The members that `write_attributes` wrote."""
    return dict(msgspec.msgpack.decode(element.attributes)) if element.attributes else {}
