"""What every contents store promises: documents and streams of elements, changed in atomic commits.

A store knows numbered streams and named documents, not contents, formats or relations; `jobengine.contents`
builds those on any store. Backends are memory, embedded files and Redis; one behaviour suite
(``tests/contract/contents``) holds for all. Objects are safe to share between threads; embedded stores also
between processes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

import msgspec

from jobengine.model.element import Element, ElementKind, Gap, StoredElement, StreamFacts
from jobengine.model.file_span import FileSpan

Json = Any
Buffer = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON object under (``collection``, ``key``), with the number of its changes from 1."""

    collection: str
    key: str
    value: Mapping[str, Json]
    revision: int


@dataclass(frozen=True, slots=True)
class PutDocument:
    """Create (``expected_revision`` 0), or replace the revision expected; None replaces whatever is there."""

    collection: str
    key: str
    value: Mapping[str, Json]
    expected_revision: int | None


@dataclass(frozen=True, slots=True)
class DeleteDocument:
    """Remove a document; a missing one is no error unless a revision was expected."""

    collection: str
    key: str
    expected_revision: int | None = None


class PutMode(Enum):
    """What happens to an element that is there already.

    One without a pts is always a further one, whatever number it gets: it says no place to be taken.
    """

    APPEND = "append"
    """Always a further element, unless its id is known: then nothing happens (writers may repeat)."""
    REPLACE = "replace"
    """An element of the same pts and kind is replaced in its place; its payload stays unless given anew."""
    CREATE = "create"
    """An element of the same pts and kind refuses the whole commit (ConflictError)."""


class PutElement(msgspec.Struct, frozen=True, gc=False):
    """Store an element, with its payload if ``planes`` are given. StreamGone if its stream isn't there.

    ``expires_us``: when the payload may go, microseconds since the epoch, None: only by the stream's
    limits. The buffers may be reused once `ContentStore.commit` has returned.
    """

    stream: int
    element: Element
    planes: Sequence[Buffer] | None = None
    mode: PutMode = PutMode.APPEND
    expires_us: int | None = None


@dataclass(frozen=True, slots=True)
class PutPlanes:
    """Store planes of an element that is there (NotFoundError if not, StreamGone if its stream isn't).

    Other planes stay as they are.
    """

    stream: int
    kind: ElementKind
    pts: int
    planes: Mapping[int, Buffer]
    expires_us: int | None = None


@dataclass(frozen=True, slots=True)
class DeleteElements:
    """Remove the elements in a range of pts, both ends inclusive; ``kind`` None: both kinds."""

    stream: int
    first_pts: int
    last_pts: int
    kind: ElementKind | None = None


@dataclass(frozen=True, slots=True)
class DropPayloads:
    """Let payloads in a range of pts go, those that are pinned aside; metadata stays."""

    stream: int
    first_pts: int
    last_pts: int
    kind: ElementKind | None = None


@dataclass(frozen=True, slots=True)
class KeepPayload:
    """Let a payload that has an end stay until a moment at least, microseconds since the epoch.

    One without an end, or with a later one, is left as it is (``changed`` 0), and so is one that is gone.
    """

    stream: int
    kind: ElementKind
    pts: int
    until_us: int


@dataclass(frozen=True, slots=True)
class DropStream:
    """End a stream and remove everything in it; one that isn't there is no error."""

    stream: int


@dataclass(frozen=True, slots=True)
class LimitStream:
    """Begin a stream, if it isn't there, and say how much of its payload is kept.

    That is age since it was stored, and bytes; None: no limit.
    """

    stream: int
    payload_age_us: int | None
    payload_bytes: int | None


Write = (
    PutDocument
    | DeleteDocument
    | PutElement
    | PutPlanes
    | DeleteElements
    | DropPayloads
    | KeepPayload
    | DropStream
    | LimitStream
)


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """What one write did. ``created``: nothing was there before; ``changed``: how many things it touched
    (0: a repeated element, nothing to delete). Elements carry their place, documents their revision."""

    created: bool
    changed: int
    sequence: int | None = None
    pts: int | None = None
    element_id: bytes = b""
    revision: int | None = None


@dataclass(frozen=True, slots=True)
class Capacity:
    """How much all streams of a store may hold together: bytes of payload, and elements; None: any amount."""

    payload_bytes: int | None = None
    elements: int | None = None


@dataclass(frozen=True, slots=True)
class Expiry:
    """What one call of `ContentStore.expire` let go; ``elements`` were removed as a whole.

    ``is_full``: what is pinned takes more than the capacity, so that commits with payload are refused.
    """

    payloads: int
    payload_bytes: int
    freed_bytes: int
    elements: int = 0
    is_full: bool = False

    @property
    def did_nothing(self) -> bool:
        """Whether there was nothing to let go and nothing to free."""
        return not (self.payloads or self.freed_bytes or self.elements)


@dataclass(frozen=True, slots=True)
class Opening:
    """What a store found when it was opened: bytes of a torn tail that were cut, elements indexed anew."""

    cut_bytes: int
    reindexed_elements: int


class Bell(Protocol):
    """Rings with every commit of any process; it may ring without one. Used by one thread."""

    @property
    def descriptor(self) -> int:
        """Becomes readable when it rings, and stays so until it is hushed."""
        ...

    def hush(self) -> None:
        """Take the rings so far; look at `ContentStore.version` after it, not before."""
        ...

    def wait(self, timeout_s: float) -> None:
        """Block until it rings, at most so long."""
        ...

    def close(self) -> None:
        """Let it go."""
        ...


class ContentStore(Protocol):
    """A store of documents and of streams of elements.

    Streams are 64-bit numbers that the caller chooses. A stream begins with a `LimitStream` and ends with a
    `DropStream`, and only between them elements may come: whoever writes learns by their own commit that the
    stream was deleted, and nothing is left that no look-up finds. Which streams elements need is looked at
    before the first write of a commit is done.

    Reads see every commit that returned before, of any process. Look-ups order elements by
    (pts, kind, sequence).
    Raises UnavailableError when the store can't be reached or has failed a write (it then refuses all
    further ones until opened again).
    """

    @property
    def opening(self) -> Opening:
        """What the opening found and mended."""
        ...

    def commit(self, writes: Sequence[Write]) -> list[Outcome]:
        """Do all writes or none, and return when they survive a crash of process and machine.

        Blocks for the commit interval and the disk; calls of several threads share one sync. Raises
        ConflictError, RevisionMismatch, NotFoundError, StreamGone, DiskFull or MalformedError (nothing was
        changed then).
        """
        ...

    def document(self, collection: str, key: str) -> Document | None:
        """One document."""
        ...

    def documents(
        self, collection: str, after: str | None = None, limit: int | None = None
    ) -> list[Document]:
        """Documents in order of their keys, those after ``after``."""
        ...

    def facts(self, stream: int) -> StreamFacts:
        """Counts and bounds; an unknown stream is an empty one."""
        ...

    def range(
        self,
        stream: int,
        first_pts: int,
        last_pts: int,
        offset: int = 0,
        limit: int | None = None,
        descending: bool = False,
    ) -> list[StoredElement]:
        """Elements in a range of pts, both ends inclusive; ``offset`` counts from the end if descending."""
        ...

    def nth(self, stream: int, rank: int, limit: int) -> list[StoredElement]:
        """``limit`` elements from the rank-th on, counted from 0 in order of pts."""
        ...

    def by_id(self, stream: int, element_id: bytes) -> StoredElement | None:
        """The element with exactly this id."""
        ...

    def by_sequence(self, stream: int, sequence: int) -> StoredElement | None:
        """The element at one place of arrival."""
        ...

    def key_by_id(self, stream: int, element_id: bytes) -> StoredElement | None:
        """The last key element whose id is at or before this one."""
        ...

    def key_by_pts(self, stream: int, pts: int) -> StoredElement | None:
        """The last key element whose pts is at or before this one."""
        ...

    def scan(self, stream: int, sequence: int, limit: int) -> list[StoredElement | Gap]:
        """What stands from a place of arrival on, at most ``limit`` entries; empty at the live end."""
        ...

    def payloads(self, elements: Sequence[StoredElement]) -> list[Sequence[Buffer] | None]:
        """The planes of each element; None where they were never stored or are gone.

        Read-only buffers that stay valid as long as they are referenced, also once the store has let the
        payload go.
        """
        ...

    def payload_file(self, element: StoredElement) -> FileSpan | None:
        """Where its payload is in a file now, all planes as they are kept, one after the other.

        None where it is in no file, or in one that is so old that reading may wait for the disk.
        """
        ...

    def version(self) -> int:
        """A number that grows with every commit of any process; cheap, for those who wait for news."""
        ...

    def bell(self) -> Bell | None:
        """A new bell, which is the caller's to close; None: `version` has to be looked at now and then."""
        ...

    def pin(self, stream: int, first_sequence: int, last_sequence: int, until_us: int) -> str:
        """Keep payloads of a range from going until a moment (microseconds since the epoch); the pin's id.

        Raises StreamGone. A pin ends with its stream.
        """
        ...

    def unpin(self, pin: str) -> None:
        """Let a pin go; an unknown one is no error."""
        ...

    def expire(self, now_us: int, capacity: Capacity = Capacity()) -> Expiry:
        """Let payloads go that are past their time or limits and free what they took.

        Of what a store holds beyond its ``capacity`` the oldest goes, by the time at which elements were
        stored: payloads leave their elements, elements leave a gap. What is pinned stays. If nothing but
        that is left and it is too much, commits that bring payload are refused (DiskFull) until a later
        call finds room. Bounded work: call again while it did something.
        """
        ...

    def close(self) -> None:
        """Finish what was begun and let everything go. Idempotent."""
        ...
