"""Elements with their payload in one answer, for who asks with ``Accept: multipart/mixed``.

Each element is an ``application/json`` part, followed by its planes as ``application/octet-stream`` parts;
an element without any has no payload here (any more). Each part tells its length.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from typing import Any

from flask import Response, request

from jobengine.model.element import StoredElement
from jobengine.ports.contents import Buffer, ContentStore
from jobengine.rest.api import encode
from jobengine.rest.beams.payload_answer import OCTETS

Json = Any
MIXED = "multipart/mixed"
MAX_PAGE_BYTES = 4 << 20
"""A page ends with the element that reaches so many bytes of payload."""


def is_wanted() -> bool:
    """Whether the request prefers this form."""
    accepted = request.accept_mimetypes
    return bool(accepted.best == MIXED and accepted.quality(MIXED))


def fitting(elements: Sequence[StoredElement]) -> int:
    """How many of ``elements`` go on one page."""
    total = 0
    for count, stored in enumerate(elements, 1):
        total += sum(stored.planes)
        if total >= MAX_PAGE_BYTES:
            return count
    return len(elements)


def mixed_answer(
    store: ContentStore, elements: Sequence[StoredElement], documents: Sequence[Json]
) -> Response:
    """The answer; ``documents`` are those of ``elements``."""
    boundary = secrets.token_hex(24)
    parts = _parts(boundary, documents, store.payloads(elements))
    return Response(b"".join(parts), mimetype=MIXED, content_type=f"{MIXED}; boundary={boundary}")


def _parts(
    boundary: str, documents: Sequence[Json], payloads: Sequence[Sequence[Buffer] | None]
) -> Iterator[Buffer]:
    for document, planes in zip(documents, payloads, strict=True):
        yield from _part(boundary, "application/json", encode(document))
        for plane in planes or ():
            yield from _part(boundary, OCTETS, plane)
    yield f"--{boundary}--\r\n".encode()


def _part(boundary: str, media_type: str, value: Buffer) -> Iterator[Buffer]:
    length = f"Content-Length: {len(value)}"
    yield f"--{boundary}\r\nContent-Type: {media_type}\r\n{length}\r\n\r\n".encode()
    yield value
    yield b"\r\n"
