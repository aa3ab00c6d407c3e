"""A contents store in a folder, and the packets that benchmarks put into it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jobengine.clock import SystemClock
from jobengine.contents.embedded import EmbeddedContents, EmbeddedOptions
from jobengine.ids import new_element_id
from jobengine.model.element import Element, ElementKind
from jobengine.ports.contents import PutElement
from tests.begun import begun

PAYLOAD_BYTES = 16 << 10
GROUP = 64
TICKS = 3003
ATTRIBUTES = os.urandom(400)
PAYLOAD = os.urandom(PAYLOAD_BYTES)
STREAMS = 200


@contextmanager
def opened(folder: Path, **options: int) -> Iterator[EmbeddedContents]:
    """A store with streams in a folder, closed afterwards."""
    store = begun(EmbeddedContents(folder, SystemClock(), EmbeddedOptions(**options)), range(STREAMS))
    try:
        yield store
    finally:
        store.close()


def packet(number: int, stream: int = 0, payload: bytes | None = PAYLOAD) -> PutElement:
    """A packet of 30 a second, every thirtieth a key."""
    sizes = (PAYLOAD_BYTES,) if payload else ()
    element = Element(
        ElementKind.PACKET, number * TICKS, None, TICKS, number % 30 == 0, sizes, ATTRIBUTES, new_element_id()
    )
    return PutElement(stream, element, (payload,) if payload else None)
