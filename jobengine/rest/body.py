"""Reading request bodies, within the size that the operator allows."""

from __future__ import annotations

from typing import Any

from flask import request
from werkzeug.exceptions import UnsupportedMediaType

from jobengine.errors import MalformedError, TooLargeError
from jobengine.model.json_text import parse

Json = Any
JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
_PIECE = 1 << 20


def read_body(limit_bytes: int, *accepted: str) -> tuple[Json, bytes]:
    """The body as a JSON value, and its bytes. ``accepted`` are further media types beside JSON's.

    Raises UnsupportedMediaType, TooLargeError (having read no more than the limit), MalformedError, or
    DocumentError for text that can't be kept.
    """
    _check_type(accepted)
    data = read_bytes(limit_bytes)
    return parse(data), data


def read_bytes(limit_bytes: int) -> bytes:
    """The whole body, its length told before or not.

    Raises TooLargeError (having read no more than the limit), MalformedError if it is a part of what was
    announced, or of a representation, and UnsupportedMediaType if it is coded.
    """
    _check_coding()
    length = request.content_length
    if length is not None and length > limit_bytes:
        raise TooLargeError(f"the body has {length} bytes; {limit_bytes} are accepted", limit=limit_bytes)
    pieces, total = [], 0
    while piece := request.stream.read(min(_PIECE if length is None else length, limit_bytes + 1 - total)):
        pieces.append(piece)
        total += len(piece)
        if total > limit_bytes:
            raise TooLargeError(f"the body has more than {limit_bytes} bytes", limit=limit_bytes)
    if length is not None and total < length:
        # The server ends the stream, as if that were all, when a client goes away.
        raise MalformedError(f"the body ended after {total} of {length} bytes")
    return b"".join(pieces)


def _check_type(accepted: tuple[str, ...]) -> None:
    if request.mimetype not in (JSON, *accepted):
        wanted = " or ".join((JSON, *accepted))
        given = f"not {request.mimetype}" if request.mimetype else "and the request has no Content-Type"
        raise UnsupportedMediaType(f"the body must be {wanted}, {given}")


def _check_coding() -> None:
    coding = request.headers.get("Content-Encoding", "").strip().lower()
    if coding not in ("", "identity"):
        raise UnsupportedMediaType(f"the body is coded ({coding[:40]}); send it as it is")
    if "Content-Range" in request.headers:
        raise MalformedError("Content-Range says that the body is a part; only whole ones are stored")
