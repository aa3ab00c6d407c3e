"""An element with its payload, on its way between a file and a store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from jobengine.model.element import Element

Json = Any
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


def read_attributes(element: Element) -> dict[str, Json]:
    """The members that `write_attributes` wrote."""
    return dict(msgspec.msgpack.decode(element.attributes)) if element.attributes else {}
