"""What is asked of the committer: writes, made ready in the caller's thread as far as they can be.

Sizes, flags and the payload's checksum of an element don't depend on what is stored, so the thread that
writes for all has only numbers to fill in.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from jobengine.contents.checks import PLANE_BYTES_MAX, document_json
from jobengine.contents.embedded.log import lifetime_class
from jobengine.contents.embedded.record import (
    FLAG_DTS,
    FLAG_DURATION,
    FLAG_EXPIRES,
    FLAG_FRAME,
    FLAG_HERE,
    FLAG_KEY,
    HEADER_BYTES,
    payload_checksum,
)
from jobengine.contents.embedded.row import Row
from jobengine.contents.embedded.tables import KEPT
from jobengine.errors import MalformedError
from jobengine.ports.contents import (
    Buffer,
    DeleteElements,
    DropPayloads,
    DropStream,
    LimitStream,
    PutDocument,
    PutElement,
    PutMode,
    PutPlanes,
    Write,
)

COMMIT_BYTES_MAX = 1 << 30


@dataclass(slots=True)
class ReadyElement:
    """A `PutElement` made ready: ``row`` lacks pts, id, time and places; ``sizes`` are packed."""

    stream: int
    mode: PutMode
    pts: int | None
    element_id: bytes
    attributes: bytes
    row: Row
    sizes: bytes
    planes: Sequence[Buffer]
    payload_bytes: int


@dataclass(frozen=True, slots=True)
class ReadyDocument:
    """A `PutDocument` with its JSON."""

    write: PutDocument
    json: bytes


@dataclass(slots=True)
class Request:
    """Some writes that are done together, and what became of them.

    ``log_bytes``: about what they take in the log. ``lifetime``: class of the segment that suits.
    ``is_sure``: nothing that is stored can refuse it. ``turn`` is set when it was done, or is to lead.
    """

    writes: Sequence[Any]
    log_bytes: int = 0
    lifetime: int = KEPT
    is_sure: bool = False
    turn: threading.Event = field(default_factory=threading.Event)
    is_leader: bool = False
    outcomes: list[Any] = field(default_factory=list)
    fault: BaseException | None = None


def make_ready(writes: Sequence[Write], now_us: int) -> Request:
    """A request for writes that were checked. Raises MalformedError for buffers that can't be kept."""
    ready: list[Any] = []
    log_bytes = 0
    lifetimes: set[int] = set()
    is_sure = True
    for write in writes:
        if isinstance(write, PutElement):
            element = ready_element(write)
            log_bytes += HEADER_BYTES + len(element.attributes) + element.payload_bytes + 64
            is_sure = is_sure and write.mode is PutMode.APPEND
            ready.append(element)
        elif isinstance(write, PutDocument):
            document = ReadyDocument(write, document_json(write))
            log_bytes += HEADER_BYTES + len(document.json) + 512
            is_sure = False
            ready.append(document)
        else:
            log_bytes += _other_bytes(write)
            is_sure = is_sure and isinstance(write, DeleteElements | DropPayloads | DropStream | LimitStream)
            ready.append(write)
        if isinstance(write, PutElement | PutPlanes) and getattr(write, "planes", None):
            lifetimes.add(lifetime_class(write.expires_us, now_us))
    if log_bytes > COMMIT_BYTES_MAX:
        raise MalformedError(f"a commit has {COMMIT_BYTES_MAX} bytes at most, not {log_bytes}")
    lifetime = KEPT if KEPT in lifetimes or not lifetimes else max(lifetimes)
    return Request(ready, log_bytes, lifetime, is_sure)


def ready_element(write: PutElement) -> ReadyElement:
    """All of an element that can be said before its place is known."""
    element = write.element
    planes = plain_buffers(write.planes or ())
    stored = tuple([len(plane) for plane in planes])
    flags = FLAG_FRAME if element.kind else 0
    flags |= FLAG_KEY if element.is_key else 0
    flags |= 0 if element.dts is None else FLAG_DTS
    flags |= 0 if element.duration is None else FLAG_DURATION
    expires_us = 0
    if planes:
        flags |= FLAG_HERE
        if write.expires_us is not None:
            flags |= FLAG_EXPIRES
            expires_us = write.expires_us
    row = Row(
        pts=0,
        dts=element.dts or 0,
        duration=element.duration or 0,
        expires_us=expires_us,
        stored_us=0,
        element_id=element.element_id,
        flags=flags,
        declared=tuple(element.plane_sizes),
        stored=stored,
        attributes_bytes=len(element.attributes),
        segment=0,
        offset=0,
        payload_segment=0,
        payload_offset=0,
        payload_checksum=payload_checksum(planes) if planes else 0,
    )
    return ReadyElement(
        stream=write.stream,
        mode=write.mode,
        pts=element.pts,
        element_id=element.element_id,
        attributes=element.attributes,
        row=row,
        sizes=row.sizes(),
        planes=planes,
        payload_bytes=sum(stored),
    )


def plain_buffers(buffers: Sequence[Buffer]) -> list[Buffer]:
    """The same as flat runs of bytes. Raises MalformedError for memory that isn't in one piece."""
    plain: list[Buffer] = []
    for buffer in buffers:
        if isinstance(buffer, memoryview) and (buffer.ndim != 1 or buffer.itemsize != 1):
            if not buffer.c_contiguous:
                raise MalformedError("a plane is one contiguous run of bytes")
            buffer = buffer.cast("B")
        if len(buffer) > PLANE_BYTES_MAX:
            raise MalformedError(f"a plane has {PLANE_BYTES_MAX} bytes at most")
        plain.append(buffer)
    return plain


def _other_bytes(write: Write) -> int:
    if isinstance(write, PutPlanes):
        return HEADER_BYTES + 512 + sum(len(memoryview(plane)) for plane in write.planes.values())
    return HEADER_BYTES + 512
