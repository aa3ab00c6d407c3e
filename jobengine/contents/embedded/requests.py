"""What is asked of the committer: writes, made ready in the caller's thread as far as they can be.

Sizes, flags and the payload's checksum of an element don't depend on what is stored, so the thread that
writes for all has only numbers to fill in.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from jobengine.contents.checks import PLANE_BYTES_MAX, document_json
from jobengine.contents.embedded.log import lifetime_class
from jobengine.contents.embedded.record import (
    CORE_BEHIND_PTS,
    FLAG_DTS,
    FLAG_DURATION,
    FLAG_EXPIRES,
    FLAG_HERE,
    FLAG_KEY,
    HEADER_BYTES,
    padding,
    payload_checksum,
    sizes_struct,
)
from jobengine.contents.embedded.row import Row, row_of_record
from jobengine.contents.embedded.tables import KEPT
from jobengine.errors import MalformedError
from jobengine.ids import new_element_id
from jobengine.ports.contents import (
    Buffer,
    DeleteDocument,
    DropPayloads,
    KeepPayload,
    PutDocument,
    PutElement,
    PutMode,
    PutPlanes,
    Write,
)

COMMIT_BYTES_MAX = 1 << 30
_AROUND_BYTES: Final = HEADER_BYTES + 64
"""What a record takes beside what is said of an element and its payload; paddings and its share of a group's
header are guessed."""


class ReadyElement(msgspec.Struct, frozen=True, gc=False):
    """A `PutElement` made ready; a struct because those are made fastest.

    ``said``: bytes of attributes and sizes; ``rest``: its record behind pts, with padding.
    """

    stream: int
    mode: PutMode
    kind: int
    is_key: bool
    pts: int | None
    duration: int
    element_id: bytes
    has_new_id: bool
    expires_us: int | None
    attributes: bytes
    sizes: bytes
    planes: Sequence[Buffer]
    payload_bytes: int
    payload_checksum: int
    said: int
    rest: bytes

    def row(self, pts: int) -> Row:
        """The row without places."""
        core = pts.to_bytes(8, "little", signed=True) + self.rest[: CORE_BEHIND_PTS.size]
        return row_of_record(core, self.attributes + self.sizes)


@dataclass(frozen=True, slots=True)
class ReadyDocument:
    """A `PutDocument` with its JSON."""

    write: PutDocument
    json: bytes


@dataclass(frozen=True, slots=True)
class ReadyDrop:
    """A `DropPayloads` with the moment at which pins count."""

    write: DropPayloads
    now_us: int


@dataclass(slots=True)
class Request:
    """Some writes that are done together, and what became of them.

    ``writes``: lists of `ReadyElement` to append, and single writes. ``log_bytes``: about
    what they take in the log. ``lifetime``: class of the segment that suits.
    ``is_sure``: nothing that is stored can refuse it, unless one of ``streams`` isn't there, or it
    ``brings_payload`` and the store is full.
    ``turn`` is set when it was done, or is to lead.
    """

    writes: Sequence[Any]
    log_bytes: int = 0
    lifetime: int = KEPT
    is_sure: bool = False
    streams: Set[int] = frozenset()
    brings_payload: bool = False
    turn: threading.Event = field(default_factory=threading.Event)
    is_leader: bool = False
    outcomes: list[Any] = field(default_factory=list)
    fault: BaseException | None = None


def make_ready(writes: Sequence[Write], now_us: int, streams: Set[int]) -> Request:
    """A request for writes that were checked, which need ``streams``.

    Raises MalformedError for buffers that can't be kept.

    Appends that follow each other become one list, to be done in one go.
    """
    ready: list[Any] = []
    run: list[ReadyElement] = []
    log_bytes = 0
    expiries: set[int | None] = set()
    renewed: set[int] = set()
    is_sure = True
    for write in writes:
        if isinstance(write, PutElement):
            element = ready_element(write, now_us)
            log_bytes += _AROUND_BYTES + element.said + element.payload_bytes
            if element.planes:
                expiries.add(element.expires_us)
            if write.mode is not PutMode.APPEND:
                is_sure = False
                ready.append(element)
            elif ready and ready[-1] is run:
                run.append(element)
            else:
                run = [element]
                ready.append(run)
        else:
            prepared, size, other_is_sure = _ready_other(write, now_us)
            ready.append(prepared)
            log_bytes += size
            is_sure = is_sure and other_is_sure
            if isinstance(write, PutPlanes):
                expiries.add(write.expires_us)
            elif isinstance(write, KeepPayload):
                renewed.add(write.until_us)
    if log_bytes > COMMIT_BYTES_MAX:
        raise MalformedError(f"a commit has {COMMIT_BYTES_MAX} bytes at most, not {log_bytes}")
    classes = {lifetime_class(expires_us, now_us) for expires_us in expiries | renewed}
    lifetime = KEPT if KEPT in classes or not classes else max(classes)
    return Request(ready, log_bytes, lifetime, is_sure, streams, bool(expiries))


def ready_element(write: PutElement, now_us: int) -> ReadyElement:
    """All of an element that can be said before its place is known."""
    element, expires_us, planes = write.element, write.expires_us, write.planes
    dts, duration, declared, attributes = (
        element.dts,
        element.duration,
        element.plane_sizes,
        element.attributes,
    )
    flags = element.kind | (FLAG_KEY if element.is_key else 0)
    if dts is not None:
        flags |= FLAG_DTS
    if duration is not None:
        flags |= FLAG_DURATION
    if planes:
        planes = plain_buffers(planes)
        flags |= FLAG_HERE if expires_us is None else FLAG_HERE | FLAG_EXPIRES
        stored = tuple(map(len, planes))
        payload_bytes, checksum = sum(stored), payload_checksum(planes)
        all_sizes = declared + stored
    else:
        planes, stored, expires_us, payload_bytes, checksum = (), (), None, 0, 0
        all_sizes = declared
    sizes = sizes_struct(len(all_sizes)).pack(*all_sizes)
    element_id = element.element_id or new_element_id()
    said = len(attributes) + len(sizes)
    core = CORE_BEHIND_PTS.pack(
        dts or 0,
        duration or 0,
        expires_us or 0,
        now_us,
        element_id,
        flags,
        len(declared),
        len(stored),
        len(attributes),
    )
    return ReadyElement(
        write.stream,
        write.mode,
        element.kind,
        element.is_key,
        element.pts,
        duration or 0,
        element_id,
        not element.element_id,
        expires_us,
        attributes,
        sizes,
        planes,
        payload_bytes,
        checksum,
        said,
        b"".join((core, attributes, sizes, padding(said))),
    )


def plain_buffers(buffers: Sequence[Buffer]) -> Sequence[Buffer]:
    """The same as flat runs of bytes. Raises MalformedError for memory that isn't in one piece."""
    if len(buffers) == 1 and type(buffers[0]) is bytes and len(buffers[0]) <= PLANE_BYTES_MAX:
        return buffers
    plain: list[Buffer] = []
    for buffer in buffers:
        if (
            type(buffer) is not bytes
            and isinstance(buffer, memoryview)
            and (buffer.ndim != 1 or buffer.itemsize != 1)
        ):
            if not buffer.c_contiguous:
                raise MalformedError("a plane is one contiguous run of bytes")
            buffer = buffer.cast("B")
        if len(buffer) > PLANE_BYTES_MAX:
            raise MalformedError(f"a plane has {PLANE_BYTES_MAX} bytes at most")
        plain.append(buffer)
    return plain


def _ready_other(write: Write, now_us: int) -> tuple[Any, int, bool]:
    """A write that is no element, about its bytes, and whether nothing can refuse it."""
    if isinstance(write, PutDocument):
        document = ReadyDocument(write, document_json(write))
        return document, HEADER_BYTES + 512 + len(document.json), False
    if isinstance(write, PutPlanes):
        return write, HEADER_BYTES + 512 + sum(len(memoryview(p)) for p in write.planes.values()), False
    if isinstance(write, DropPayloads):
        return ReadyDrop(write, now_us), HEADER_BYTES + 512, True
    return write, HEADER_BYTES + 512, not isinstance(write, DeleteDocument)
