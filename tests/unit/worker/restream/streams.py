"""Stored streams for tests: a memory store with a content and elements whose ids tell a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from typing import Any

import msgspec

from jobengine.clock import to_us
from jobengine.contents.catalogue import Catalogue, Content
from jobengine.model.element import Element, ElementKind, StoredElement
from jobengine.model.message import Message, message_attributes
from jobengine.ports.contents import PutElement
from jobengine.testing import ManualClock
from jobengine.testing.contents.store import MemoryContents

MILLISECONDS = Fraction(1, 1000)


class StoredCamera:
    """A content ``camera`` with one stream, in ticks of ``time_base``; elements are one byte big or more."""

    def __init__(
        self,
        clock: ManualClock,
        time_base: Fraction = MILLISECONDS,
        store: MemoryContents | None = None,
    ) -> None:
        self.clock = clock
        self.store = store or MemoryContents(clock)
        self.catalogue = Catalogue(self.store, clock)
        document = {"type": "Stream", "index": 0, "time_base": [time_base.numerator, time_base.denominator]}
        self.content: Content = self.catalogue.create("camera", {"type": "Format"}, [document])
        self.number = self.content.stream_number(0)
        self.start_us = to_us(clock.now())
        self._count = 0

    def add(
        self,
        pts: int,
        *,
        key: bool = False,
        dts: int | None = None,
        made_ms: float | None = None,
        payload: bytes = b"x",
        kind: ElementKind = ElementKind.PACKET,
        **attributes: Any,
    ) -> bytes:
        """Store one element; its id. It was made at its pts, or ``made_ms`` after the start."""
        element_id = self.new_id(pts if made_ms is None else made_ms)
        packed = msgspec.msgpack.encode(attributes) if attributes else b""
        element = Element(kind, pts, dts, None, key, (len(payload),), packed, element_id)
        self.store.commit([PutElement(self.number, element, [payload])])
        return element_id

    def add_with_id(self, element_id: bytes, pts: int) -> None:
        """Store a key element of this id."""
        element = Element(ElementKind.PACKET, pts, is_key=True, plane_sizes=(1,), element_id=element_id)
        self.store.commit([PutElement(self.number, element, [b"x"])])

    def add_message(self, message: Message, pts: int, labels: Sequence[str] = ()) -> bytes:
        """Store an element that is no media."""
        element_id = self.new_id(pts)
        attributes = message_attributes(message, labels)
        element = Element(ElementKind.PACKET, pts, attributes=attributes, element_id=element_id)
        self.store.commit([PutElement(self.number, element)])
        return element_id

    def add_every(self, step: int, count: int, key_every: int = 1, first: int = 0) -> list[bytes]:
        """Store a regular stream; the ids."""
        return [self.add(first + n * step, key=n % key_every == 0) for n in range(count)]

    def end(self) -> None:
        """No further element will come."""
        content = self.catalogue.get(self.content.name)
        self.catalogue.change(replace(content, ended=frozenset({0})), content.revision)

    def stored(self, sequence: int) -> StoredElement:
        """What stands at a place."""
        found = self.store.by_sequence(self.number, sequence)
        assert found is not None
        return found

    def new_id(self, made_ms: float) -> bytes:
        """A UUIDv7 of a moment after the start; later ones are greater."""
        self._count += 1
        millisecond = self.start_us // 1000 + int(made_ms)
        return millisecond.to_bytes(6, "big") + b"\x70\x00" + (0x8 << 60 | self._count).to_bytes(8, "big")

    def later(self, ms: float) -> None:
        """Let time pass."""
        self.clock.advance(timedelta(milliseconds=ms))
