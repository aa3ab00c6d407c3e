"""What pydantic finds wrong in a document, as faults with JSON Pointers (RFC 6901)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from jobengine.errors import Fault

Json = Any
_OBJECT = re.compile("a valid dictionary( or instance of [A-Za-z]+)?")
_ARRAY = re.compile("a valid (list|tuple)")


def faults_of(error: ValidationError, value: Json, prefix: str = "") -> list[Fault]:
    """Each fault once, by its place in ``value``, which stands at ``prefix`` of the whole."""
    lines = error.errors(include_url=False, include_context=False)
    faults = [
        Fault(prefix + _pointer(line["loc"], value, line["type"] == "missing"), sentence_of(line["msg"]))
        for line in lines
    ]
    return list(dict.fromkeys(faults))


def sentence_of(message: str) -> str:
    """A message of pydantic's in the form of ours: what is wrong, told of the place pointed at."""
    text = _OBJECT.sub("an object", message.removeprefix("Value error, "))
    text = _ARRAY.sub("an array", text).replace(" after validation", "")
    if text.startswith(("Input ", "Field ", "List ", "String ", "Dictionary ")):
        text = text.removeprefix("Input ")
        return text[:1].lower() + text[1:]
    return text


def _pointer(loc: Sequence[str | int], value: Json, is_missing: bool) -> str:
    """RFC 6901 pointer of a pydantic location, in the client's own spelling of the keys.

    Parts that are no place in the document (the tags of unions) are left out. The last key of what is missing
    has no spelling but the right one: a document that is read by case may have it in another.
    """
    parts: list[str] = []
    here = value
    for depth, part in enumerate(loc):
        key = None if is_missing and depth == len(loc) - 1 else _find(here, part)
        if key is None and (depth < len(loc) - 1 or ":" in str(part)):
            continue
        parts.append(str(part if key is None else key))
        here = None if key is None else here[key]
    return "".join(f"/{part.replace('~', '~0').replace('/', '~1')}" for part in parts)


def _find(value: Json, part: str | int) -> str | int | None:
    if isinstance(value, list) and isinstance(part, int) and part < len(value):
        return part
    if isinstance(value, dict):
        if part in value:
            return part
        return next((key for key in value if _folded(key) == _folded(part)), None)
    return None


def _folded(key: Json) -> str:
    """A key without its case: documents are read in camelCase, snake_case and any other."""
    return str(key).replace("_", "").lower()
