"""What is refused whatever a store holds: writes, pins and pages that can't be meant or kept.

What is refused because of what a store holds is in `contents.refusals`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from jobengine.contents.refusals import stream_gone
from jobengine.errors import MalformedError
from jobengine.model.element import PTS_MAX, PTS_MIN
from jobengine.ports.contents import (
    DeleteDocument,
    DeleteElements,
    DropPayloads,
    DropStream,
    KeepPayload,
    LimitStream,
    PutDocument,
    PutElement,
    PutPlanes,
    Write,
)

STREAM_MAX: Final = 2**64 - 1
SEQUENCE_MAX: Final = 2**64 - 1
ELEMENT_ID_BYTES: Final = 16
PLANES_MAX: Final = 64
PLANE_BYTES_MAX: Final = 2**32 - 1
ATTRIBUTES_BYTES_MAX: Final = 2**24
DOCUMENT_KEY_BYTES_MAX: Final = 480
"""Of a collection and a key together, in UTF-8: what an index of any backend can hold."""
_ELEMENTS: Final = (PutElement, PutPlanes)
"""Writes that need their stream."""


def check_writes(writes: Sequence[Write]) -> set[int]:
    """The streams that must be there before the first write.

    Raises MalformedError, which names the write by its place in the commit, for one that no store could do,
    and StreamGone for an element after the commit's own `DropStream`.
    """
    needed: set[int] = set()
    is_begun: dict[int, bool] = {}
    for place, write in enumerate(writes):
        if not (isinstance(write, PutElement) and _is_usual(write)) and (fault := _fault(write)):
            raise MalformedError(f"write {place} of the commit ({type(write).__name__}): {fault}")
        if isinstance(write, _ELEMENTS):
            if write.stream not in is_begun:
                needed.add(write.stream)
            elif not is_begun[write.stream]:
                raise stream_gone([write.stream])
        elif isinstance(write, LimitStream | DropStream):
            is_begun[write.stream] = isinstance(write, LimitStream)
    return needed


def document_json(write: PutDocument) -> bytes:
    """The document as JSON. Raises MalformedError for what JSON can't say."""
    try:
        return msgspec.json.encode(write.value)
    except (TypeError, ValueError, OverflowError) as fault:
        raise MalformedError(
            f"document {write.key!r} of {write.collection!r} is not JSON: {fault}"
        ) from fault


def check_pin(stream: int, first_sequence: int, last_sequence: int, until_us: int) -> None:
    """Raise MalformedError for a pin that can't hold anything."""
    fault = _stream_fault(stream) or _time_fault("until_us", until_us)
    if not 0 <= first_sequence <= last_sequence <= SEQUENCE_MAX:
        fault = (
            fault or f"sequences go up from 0 to {SEQUENCE_MAX}: {first_sequence} to {last_sequence} don't"
        )
    if fault:
        raise MalformedError(f"pin: {fault}")


def check_page(offset: int, limit: int | None) -> None:
    """Raise MalformedError for an offset or limit below zero."""
    if offset < 0 or (limit is not None and limit < 0):
        raise MalformedError(f"offset ({offset}) and limit ({limit}) can't be negative")


def _fault(write: Write) -> str:
    if isinstance(write, PutElement):
        return _stream_fault(write.stream) or _element_fault(write)
    if isinstance(write, PutDocument | DeleteDocument):
        return _document_fault(write)
    if isinstance(write, PutPlanes):
        return _stream_fault(write.stream) or _planes_fault(write)
    if isinstance(write, DeleteElements | DropPayloads):
        return _stream_fault(write.stream)
    if isinstance(write, KeepPayload):
        return _stream_fault(write.stream) or _time_fault("until_us", write.until_us)
    if isinstance(write, LimitStream):
        return _stream_fault(write.stream) or _limits_fault(write)
    return _stream_fault(write.stream)


def _is_usual(write: PutElement) -> bool:
    """Whether an element with at most one plane has nothing to be looked at closely: the hot path."""
    element, pts, dts = write.element, write.element.pts, write.element.dts
    return (
        0 <= write.stream <= STREAM_MAX
        and (pts is None or PTS_MIN <= pts <= PTS_MAX)
        and (dts is None or PTS_MIN <= dts <= PTS_MAX)
        and 0 <= (element.duration or 0) <= PTS_MAX
        and 0 <= (write.expires_us or 0) <= PTS_MAX
        and len(element.element_id) in (0, ELEMENT_ID_BYTES)
        and len(element.attributes) <= ATTRIBUTES_BYTES_MAX
        and len(write.planes or ()) <= 1
        and (not element.plane_sizes or element.plane_sizes == (element.plane_sizes[0] & PLANE_BYTES_MAX,))
    )


def _stream_fault(stream: int) -> str:
    return "" if 0 <= stream <= STREAM_MAX else f"a stream is numbered from 0 to {STREAM_MAX}, not {stream}"


def _time_fault(name: str, ticks: int | None) -> str:
    if ticks is None or PTS_MIN <= ticks <= PTS_MAX:
        return ""
    return f"{name} is a signed number of 64 bits, not {ticks}"


def _element_fault(write: PutElement) -> str:
    element = write.element
    if len(element.element_id) not in (0, ELEMENT_ID_BYTES):
        return f"an element id has {ELEMENT_ID_BYTES} bytes or none, not {len(element.element_id)}"
    if len(element.plane_sizes) > PLANES_MAX or len(write.planes or ()) > PLANES_MAX:
        return f"an element has {PLANES_MAX} planes at most"
    if any(not 0 <= size <= PLANE_BYTES_MAX for size in element.plane_sizes):
        return f"a plane has {PLANE_BYTES_MAX} bytes at most"
    if len(element.attributes) > ATTRIBUTES_BYTES_MAX:
        return f"attributes have {ATTRIBUTES_BYTES_MAX} bytes at most"
    return (
        _time_fault("pts", element.pts)
        or _time_fault("dts", element.dts)
        or _time_fault("duration", element.duration)
        or _time_fault("expires_us", write.expires_us)
    )


def _planes_fault(write: PutPlanes) -> str:
    if not write.planes:
        return "no plane is given"
    if any(not 0 <= plane < PLANES_MAX for plane in write.planes):
        return f"planes are numbered from 0 to {PLANES_MAX - 1}"
    return _time_fault("pts", write.pts) or _time_fault("expires_us", write.expires_us)


def _limits_fault(write: LimitStream) -> str:
    if (write.payload_age_us or 0) < 0 or (write.payload_bytes or 0) < 0:
        return "limits can't be negative"
    return _time_fault("payload_age_us", write.payload_age_us) or _time_fault(
        "payload_bytes", write.payload_bytes
    )


def _document_fault(write: PutDocument | DeleteDocument) -> str:
    if not write.collection or "\0" in write.collection:
        return f"a collection has a name without NUL, not {write.collection!r}"
    if len(write.collection.encode()) + len(write.key.encode()) > DOCUMENT_KEY_BYTES_MAX:
        return f"collection and key have {DOCUMENT_KEY_BYTES_MAX} bytes of UTF-8 at most"
    if write.expected_revision is not None and write.expected_revision < 0:
        return f"revisions count from 1, {write.expected_revision} can't be expected"
    return ""
