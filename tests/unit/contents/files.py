"""Damaging the files of a closed store, and what a store may answer then."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from jobengine.contents.embedded import EmbeddedContents, EmbeddedOptions
from jobengine.model.element import PTS_MAX, PTS_MIN, Element, ElementKind, Gap, StoredElement
from jobengine.ports.contents import PutElement
from jobengine.testing.clock import ManualClock
from tests.begun import begun

STREAM = 3
SMALL = EmbeddedOptions(segment_bytes=64 << 10, reserve_bytes=4 << 10, hot_segments=2)


@contextmanager
def opened(folder: Path, options: EmbeddedOptions = SMALL) -> Iterator[EmbeddedContents]:
    """The store in a folder, closed afterwards; a new one has the streams 0 to 9."""
    is_new = not folder.exists() or not any(folder.iterdir())
    store = EmbeddedContents(folder, ManualClock(), options)
    try:
        if is_new:
            begun(store, range(10))
        yield store
    finally:
        store.close()


def put(pts: int, stream: int = STREAM, expires_us: int | None = None, size: int = 12) -> PutElement:
    """An element whose payload and attributes tell its pts."""
    said = b"%d" % pts
    element = Element(ElementKind.PACKET, pts, attributes=said)
    return PutElement(stream, element, [said.ljust(size, b".")], expires_us=expires_us)


def check_all(store: EmbeddedContents, stream: int = STREAM) -> list[int | None]:
    """The pts of all elements; fails if one is not what was put."""
    found = store.range(stream, PTS_MIN, PTS_MAX)
    for element, planes in zip(found, store.payloads(found), strict=True):
        said = b"%d" % (element.element.pts or 0)
        assert element.element.attributes == said
        assert planes is not None
        assert bytes(planes[0]).rstrip(b".") == said
    return [element.element.pts for element in found]


def scanned(store: EmbeddedContents, stream: int = STREAM) -> list[StoredElement | Gap]:
    """All of a stream, without what the store noted for itself."""
    return [
        entry if isinstance(entry, Gap) else msgspec.structs.replace(entry, payload_place=None)
        for entry in store.scan(stream, 0, 1000)
    ]


def segments(folder: Path) -> list[Path]:
    """The files of the log, oldest first."""
    return sorted((folder / "segments").iterdir())


def lose_index(folder: Path) -> None:
    """Remove the index."""
    shutil.rmtree(folder / "index")
