"""Reading request bodies: JSON strictly by RFC 8259, within the size that the operator allows.

What Python's reader would let through - keys given twice, NaN, numbers beyond a double or
64 bits, lone surrogates - is refused here, because it could not be stored, hashed or answered faithfully.
"""

from __future__ import annotations

import json
import re
from math import isfinite
from typing import Any

from flask import request
from werkzeug.exceptions import UnsupportedMediaType

from jobengine.errors import DocumentError, Fault, MalformedError, TooLargeError
from jobengine.rest.plain_json import UNSURE, read_plain

Json = Any
JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
_PIECE = 1 << 20
_INTEGERS = range(-(2**63), 2**64)
"""What goes between the processes; a text of more than 20 digits is none of them."""
_SUSPICIOUS = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")


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


def parse(data: bytes) -> Json:
    """``data`` as a JSON value. Raises MalformedError or DocumentError."""
    value = read_plain(data)
    return parse_exactly(data) if value is UNSURE else value


def parse_exactly(data: bytes) -> Json:
    """The same, looking at everything."""
    try:
        text = data.decode("utf-8-sig")
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_float=_float,
            parse_int=_integer,
            parse_constant=_refuse_constant,
        )
    except json.JSONDecodeError as error:
        where = {"line": error.lineno, "column": error.colno}
        raise MalformedError(f"{error.msg} at line {error.lineno}, column {error.colno}", **where) from None
    except UnicodeDecodeError as error:
        raise MalformedError(f"the body is not UTF-8: byte {error.start} is wrong") from None
    except RecursionError:
        raise MalformedError("the body is nested too deeply") from None
    except ValueError as error:
        raise MalformedError(str(error)) from None
    if _SUSPICIOUS.search(data):
        faults = _unkeepable(value, "")
        if faults:
            raise DocumentError(faults)
    return value


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


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice!r} is given twice in one object")
    return found


def _float(text: str) -> float:
    value = float(text)
    if not isfinite(value):
        raise ValueError(f"the number {text[:40]} is too large")
    return value


def _integer(text: str) -> int:
    if len(text) > 21 or (value := int(text)) not in _INTEGERS:
        raise ValueError(f"the number {text[:40]} is too large")
    return value


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


def _unkeepable(value: Json, pointer: str) -> list[Fault]:
    if isinstance(value, str):
        return _text_fault(value, pointer)
    if isinstance(value, dict):
        return [
            fault
            for key, member in value.items()
            for fault in _text_fault(key, pointer) or _unkeepable(member, f"{pointer}/{_escape(key)}")
        ]
    if isinstance(value, list):
        return [
            fault for index, item in enumerate(value) for fault in _unkeepable(item, f"{pointer}/{index}")
        ]
    return []


def _escape(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _text_fault(text: str, pointer: str) -> list[Fault]:
    if "\0" in text:
        return [Fault(pointer, "has the character U+0000, which databases can't keep")]
    try:
        text.encode()
    except UnicodeEncodeError:
        return [Fault(pointer, "has half a surrogate pair, which is not text")]
    return []
