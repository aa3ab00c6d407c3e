"""JSON strictly by RFC 8259.

What Python's reader would let through - keys given twice, NaN, numbers beyond a double or 64 bits, lone
surrogates, depths that no walk through a document comes out of - is refused here, because it could not be
stored, hashed or answered faithfully.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from math import isfinite
from typing import Any

from jobengine.errors import DocumentError, Fault, MalformedError
from jobengine.model.plain_json import UNSURE, read_plain

Json = Any
MAX_DEPTH = 100
_TOO_DEEP = f"the text is nested deeper than {MAX_DEPTH} levels"
_INTEGERS = range(-(2**63), 2**64)
"""What goes between the processes; a text of more than 20 digits is none of them."""
_SUSPICIOUS = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")


def parse(data: bytes) -> Json:
    """``data`` as a JSON value. Raises MalformedError or DocumentError."""
    value = read_plain(data)
    if value is UNSURE:
        value = parse_exactly(data)
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH and _is_deep(value):
        raise MalformedError(_TOO_DEEP)
    return value


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
        raise MalformedError(f"the text is not UTF-8: byte {error.start} is wrong") from None
    except RecursionError:
        raise MalformedError(_TOO_DEEP) from None
    except ValueError as error:
        raise MalformedError(str(error)) from None
    if _SUSPICIOUS.search(data):
        faults = _unkeepable(value, "")
        if faults:
            raise DocumentError(faults)
    return value


def _is_deep(value: Json) -> bool:
    """Whether more than `MAX_DEPTH` lists and objects stand in one another."""
    level = _branches([value])
    for _ in range(MAX_DEPTH):
        level = [
            branch for each in level for branch in _branches(each.values() if type(each) is dict else each)
        ]
    return bool(level)


def _branches(values: Iterable[Json]) -> list[Json]:
    return [value for value in values if type(value) in (dict, list)]


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
