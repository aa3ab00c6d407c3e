"""Reading request bodies of ``/beams``. What can't be read is a 400 there, whatever is wrong with it."""

from __future__ import annotations

from typing import Any

from flask import request

from jobengine.errors import DocumentError, MalformedError
from jobengine.model.beam.values import malformed
from jobengine.model.json_text import parse
from jobengine.rest.beams.payload_answer import OCTETS
from jobengine.rest.body import JSON, read_bytes

Json = Any


def read_json(limit_bytes: int, *accepted: str) -> tuple[Json, bytes]:
    """The body as a JSON value, and its bytes. Raises as `read_bytes` does, or MalformedError."""
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
    """The body of a payload. Raises as `read_bytes` does, or MalformedError."""
    _check_type(OCTETS)
    return read_bytes(limit_bytes)


def _check_type(*accepted: str) -> None:
    if request.mimetype not in accepted:
        given = f"not {request.mimetype}" if request.mimetype else "and the request has no Content-Type"
        raise MalformedError(f"the body must be {' or '.join(accepted)}, {given}")
