"""What a store refuses because of what it holds, or no longer does: every backend in the same words.

What is refused whatever a store holds is in `contents.checks`.
"""

from __future__ import annotations

from collections.abc import Iterable

from jobengine.errors import (
    ConflictError,
    DiskFull,
    NotFoundError,
    RevisionMismatch,
    StreamGone,
    UnavailableError,
)
from jobengine.model.element import ElementKind


def store_closed() -> UnavailableError:
    """Whatever is asked of a store that was closed."""
    return UnavailableError("the contents store is closed")


def store_full() -> DiskFull:
    """Payloads for a store that is full of pinned ones."""
    return DiskFull(
        "the contents store is full: what jobs are reading takes all of contents.capacity_bytes; "
        "nothing was stored, try again when they have read on"
    )


def stream_gone(streams: Iterable[int]) -> StreamGone:
    """Elements for streams that aren't there; ``streams`` in its facts names them."""
    numbers = sorted(streams)
    named = ", ".join(map(str, numbers))
    return StreamGone(
        f"the stream was deleted, or its content (number {named} of the store); nothing was stored",
        streams=numbers,
    )


def pts_taken(kind: ElementKind, pts: int | None) -> ConflictError:
    """A new element of a kind where one is."""
    return ConflictError(f"the stream has a {kind.name.lower()} with pts {pts} already")


def id_taken(element_id: bytes, pts: int | None) -> ConflictError:
    """A new element whose id another has, which lies at ``pts``."""
    return ConflictError(f"the stream has element {element_id.hex()} already, with pts {pts}")


def no_element(kind: ElementKind, pts: int) -> NotFoundError:
    """Planes for an element that isn't there."""
    return NotFoundError(f"the stream has no {kind.name.lower()} with pts {pts}")


def must_match(collection: str, key: str, revision: int, expected: int | None) -> None:
    """Raise RevisionMismatch unless a document's revision (0: it isn't there) is the one expected."""
    if expected is not None and revision != expected:
        raise RevisionMismatch(
            f"document {key!r} of {collection!r} has revision {revision}, expected was {expected}"
        )
