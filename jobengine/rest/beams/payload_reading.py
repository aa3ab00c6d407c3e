"""Finding the payload that an address means: ``packet_42/data``, ``frame_42.raw_1``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from jobengine.contents.catalogue import Content
from jobengine.contents.look_up import LookUp
from jobengine.contents.stream_names import ALL, stream_index
from jobengine.errors import MalformedError, NotFoundError
from jobengine.model.element import ElementKind, PayloadState, StoredElement
from jobengine.model.media_reference import Direct, parse_reference
from jobengine.ports.contents import Buffer, ContentStore
from jobengine.rest.beams.payload_answer import Payload

_DATA = re.compile(r"(?:data|raw)(?:_?(?P<plane>[0-9]{1,2})|_)?")
_DIRECT = re.compile(r"(?P<kind>packet|frame)_(?P<pts>-?[0-9]{1,18})")
_KINDS = {"packet": ElementKind.PACKET, "frame": ElementKind.FRAME}
_STATES = {
    PayloadState.NEVER: "was never stored",
    PayloadState.HERE: "is not there in full",
    PayloadState.GONE: "is not kept any more",
}


def split_raw(reference: str) -> tuple[str, str]:
    """``packet_42.raw_1`` as element and payload; the second is empty if the first is all there is."""
    element, dot, data = reference.rpartition(".raw")
    return (element, f"raw{data}") if dot else (reference, "")


def plane_index(data: str) -> int | None:
    """Which plane ``data``, ``data_1``, ``raw`` or ``raw1`` means; None: all. Raises MalformedError."""
    match = _DATA.fullmatch(data)
    if match is None:
        raise MalformedError(f"{data!r} does not name a payload; expected is data, data_N, .raw or .raw_N")
    return None if match["plane"] is None else int(match["plane"])


class PayloadReader:
    """Reads payloads of one store. Thread-safe."""

    def __init__(self, store: ContentStore) -> None:
        self._store = store
        self._look_up = LookUp(store)

    def read(self, content: Content, stream: str, element: str, data: str) -> Payload:
        """The payload. Raises MalformedError for what can't mean one, NotFoundError if it is not there."""
        plane = plane_index(data)
        reference = _quickly(element) or parse_reference(element)
        if not isinstance(reference, Direct):
            raise MalformedError(f"address the payload of packet_P or frame_P, not of {element!r}", column=1)
        if stream == ALL:
            raise MalformedError("a payload is read from one stream; name it instead of all")
        number = content.stream_number(stream_index(content, stream))
        stored = self._look_up.direct(number, reference.kind, reference.pts)
        if stored is None:
            raise NotFoundError(f"there is no {reference} in {stream!r} of {content.name!r}")
        planes = self._planes(stored, plane, reference)
        if reference.kind is ElementKind.PACKET:
            return Payload(reference.pts, planes, stored)
        return Payload(reference.pts, planes, stored, plane, tuple(len(each) for each in planes))

    def _planes(self, stored: StoredElement, plane: int | None, reference: Direct) -> list[Buffer]:
        (found,) = self._store.payloads([stored])
        is_packet = reference.kind is ElementKind.PACKET
        declared = stored.element.plane_sizes or ((0,) if is_packet else ())
        count = 1 if is_packet else max(len(found or ()), len(declared))
        if plane is not None and plane >= max(count, 1):
            raise NotFoundError(f"{reference} has no plane {plane}")
        wanted = range(count) if plane is None else (plane,)
        planes = [_useful(found, index, declared) for index in wanted] if found else []
        if not planes or None in planes:
            raise NotFoundError(f"the payload of {reference} {_STATES[stored.payload]}")
        return [each for each in planes if each is not None]


def _quickly(element: str) -> Direct | None:
    """What the usual form means, as `parse_reference` would tell in several times the time."""
    match = _DIRECT.fullmatch(element)
    return Direct(_KINDS[match["kind"]], int(match["pts"])) if match else None


def _useful(found: Sequence[Buffer], index: int, declared: tuple[int, ...]) -> Buffer | None:
    """A plane without what a decoder's padding has added to its declared length; None if it is missing."""
    size = declared[index] if index < len(declared) else None
    plane = found[index] if index < len(found) else b""
    if not len(plane):
        return plane if size == 0 else None
    return memoryview(plane)[:size] if size and size < len(plane) else plane
