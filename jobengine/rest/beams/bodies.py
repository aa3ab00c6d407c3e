"""Reading request bodies of ``/beams``. What can't be read is a 400 there, whatever is wrong with it."""

from __future__ import annotations

from typing import Any

from flask import request

from jobengine.errors import DocumentError, MalformedError, TooLargeError
from jobengine.model.beam.values import malformed
from jobengine.rest.beams.payload_answer import OCTETS
from jobengine.rest.body import JSON, parse

Json = Any
_PIECE = 1 << 20


def read_json(limit_bytes: int, *accepted: str) -> tuple[Json, bytes]:
    """The body as a JSON value, and its bytes. Raises MalformedError or TooLargeError."""
    _check_type(JSON, *accepted)
    data = read_bytes(limit_bytes)
    return parse_json(data), data


def parse_json(data: bytes) -> Json:
    """``data`` as a JSON value. Raises MalformedError."""
    try:
        return parse(data)
    except DocumentError as error:
        raise malformed(list(error.faults)) from None


def read_octets(limit_bytes: int) -> bytes:
    """The body of a payload, its length told before or not. Raises MalformedError or TooLargeError."""
    _check_type(OCTETS)
    return read_bytes(limit_bytes)


def read_bytes(limit_bytes: int) -> bytes:
    """The body. Raises TooLargeError having read no more than the limit."""
    length = request.content_length
    if length is not None and length > limit_bytes:
        raise TooLargeError(f"the body has {length} bytes; {limit_bytes} are accepted", limit=limit_bytes)
    pieces, total = [], 0
    while piece := request.stream.read(min(_PIECE if length is None else length, limit_bytes + 1 - total)):
        pieces.append(piece)
        total += len(piece)
        if total > limit_bytes:
            raise TooLargeError(f"the body has more than {limit_bytes} bytes", limit=limit_bytes)
    return b"".join(pieces)


def _check_type(*accepted: str) -> None:
    if request.mimetype not in accepted:
        given = f"not {request.mimetype}" if request.mimetype else "and the request has no Content-Type"
        raise MalformedError(f"the body must be {' or '.join(accepted)}, {given}")
