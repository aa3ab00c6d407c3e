"""Elements to store, short to write, and what is read back as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from jobengine.model.element import Element, ElementKind, Gap, StoredElement
from jobengine.ports.contents import Buffer, ContentStore, PutElement, PutMode

STREAM, OTHER = 7, 8
"""Those that a store of these tests has at first."""
PACKET, FRAME = ElementKind.PACKET, ElementKind.FRAME


def element(pts: int | None, kind: ElementKind = PACKET, key: bool = False, id_: bytes = b"") -> Element:
    """An element that says nothing but its time."""
    return Element(kind=kind, pts=pts, is_key=key, element_id=id_)


def element_id(number: int) -> bytes:
    """An id that sorts by its number."""
    return number.to_bytes(16, "big")


def put(  # noqa: PLR0913 - a write in one line
    pts: int | None,
    payload: bytes | None = None,
    *,
    stream: int = STREAM,
    kind: ElementKind = PACKET,
    key: bool = False,
    id_: bytes = b"",
    mode: PutMode = PutMode.APPEND,
    expires_us: int | None = None,
) -> PutElement:
    """An element of one plane, or without payload."""
    planes = None if payload is None else [payload]
    return PutElement(stream, element(pts, kind, key, id_), planes, mode, expires_us)


def fill(store: ContentStore, times: Iterable[int | None], stream: int = STREAM) -> None:
    """Append an element for each pts, with the pts as text for its payload."""
    store.commit([put(pts, str(pts).encode(), stream=stream) for pts in times])


def times(elements: Sequence[StoredElement]) -> list[int | None]:
    """The pts of each."""
    return [each.element.pts for each in elements]


def sequences(entries: Sequence[StoredElement | Gap]) -> list[int | tuple[int, int]]:
    """The sequence of each element, both ends of each gap."""
    return [
        (entry.first_sequence, entry.last_sequence) if isinstance(entry, Gap) else entry.sequence
        for entry in entries
    ]


def payload(planes: Sequence[Buffer] | None) -> list[bytes] | None:
    """Planes as bytes."""
    return None if planes is None else [bytes(plane) for plane in planes]


def payload_at(store: ContentStore, pts: int, stream: int = STREAM) -> list[bytes] | None:
    """The planes of the first element with this pts."""
    return payload(store.payloads(store.range(stream, pts, pts, limit=1))[0])
