"""The filter and sort language of lists and of the event feed.

``isActive==true OR clientData.desk=="news" AND NOT (name ~ "noon*")``. Operators are ``==`` ``!=`` ``>``
``>=`` ``<`` ``<=`` and ``~``; ``NOT`` binds before ``AND``, ``AND`` before ``OR``; words are of any case.
This is the language itself and its meaning over a mapping (`matches`); over SQL it is
`jobengine.history.query_sql`, and both agree.

What is what:

* Names of fields are of any case; the path below ``clientData`` or ``data`` is as the client wrote it.
* A field that is not there is null. ``!=`` is the opposite of ``==``, so it is true of what is not there.
* A quoted value is text. A bare one may be ``null``, ``true``, ``false``, a number, or text; a bare
  number or boolean also equals the text that reads the same.
* Order is between numbers, or between texts by code point; other pairs have none and give false.
* ``~`` finds its text anywhere, in any case; ``*`` in it stands for anything. It is true of text only.
* Times (`TIME_FIELDS`) compare with any ISO 8601 time; without an offset it is UTC.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from jobengine.errors import MalformedError

TIME_FIELDS = frozenset({"createdtime", "updatedtime", "time"})
"""Fields, in lower case, whose values are times."""

MAX_LENGTH = 4_000
MAX_DEPTH = 50

Operator = Literal["==", "!=", ">", ">=", "<", "<=", "~"]
Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Field:
    """A dotted name as written; ``column`` is where, from 1."""

    path: tuple[str, ...]
    column: int = 0

    @property
    def name(self) -> str:
        """The first part in lower case."""
        return self.path[0].lower()


@dataclass(frozen=True, slots=True)
class Value:
    """A literal; ``text`` is how it was written, without quotes."""

    value: Scalar
    text: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """``field operator value``."""

    field: Field
    operator: Operator
    value: Value


@dataclass(frozen=True, slots=True)
class And:
    """All of ``parts``."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of ``parts``."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of ``part``."""

    part: Node


Node = Comparison | And | Or | Not


@dataclass(frozen=True, slots=True)
class SortKey:
    """One part of a sort: a field and its direction."""

    field: Field
    descending: bool = False


_PART = re.compile(r'\.("[^"]+"|[\w$-]+)')


@lru_cache(maxsize=256)
def parse_filter(text: str) -> Node:
    """The filter that ``text`` says. Raises MalformedError with the column of the fault."""
    if len(text) > MAX_LENGTH:
        raise MalformedError(f"the filter is longer than {MAX_LENGTH} characters")
    from jobengine.model.query_grammar import read_filter

    node = read_filter(text)
    if _depth(node) > MAX_DEPTH:
        raise MalformedError(f"the filter is nested deeper than {MAX_DEPTH} levels")
    return node


def fields_of(node: Node) -> Iterator[Field]:
    """Every field that ``node`` asks about."""
    match node:
        case Comparison():
            yield node.field
        case Not():
            yield from fields_of(node.part)
        case And() | Or():
            for part in node.parts:
                yield from fields_of(part)


def parse_sort(text: str) -> tuple[SortKey, ...]:
    """The keys of a sort such as ``-createdTime,clientData.priority``. Raises MalformedError."""
    keys, column = [], 1
    for item in text.split(","):
        bare = item.strip()
        descending = bare.startswith("-")
        name = bare.removeprefix("-").removeprefix("+")
        if not re.fullmatch(r'[^\W\d]\w*(\.("[^"]+"|[\w$-]+))*', name):
            raise MalformedError(f"sort, column {column}: {bare!r} is not a field", column=column)
        keys.append(SortKey(Field(path_of(name), column), descending))
        column += len(item) + 1
    return tuple(keys)


def matches(node: Node, mapping: Mapping[str, Any]) -> bool:
    """Whether ``mapping``, a camelCase JSON object, is what the filter asks for."""
    match node:
        case Comparison(field, operator, value):
            return compare(look_up(mapping, field), operator, value)
        case And(parts):
            return all(matches(part, mapping) for part in parts)
        case Or(parts):
            return any(matches(part, mapping) for part in parts)
        case Not(part):
            return not matches(part, mapping)


def look_up(mapping: Mapping[str, Any], field: Field) -> Any:
    """The value of ``field``; None when there is none."""
    found = next((value for key, value in mapping.items() if key.lower() == field.name), None)
    for part in field.path[1:]:
        if not isinstance(found, Mapping):
            return None
        found = found.get(part)
    return found


def compare(found: Any, operator: Operator, value: Value) -> bool:
    """The meaning of one comparison."""
    if operator == "==":
        return _equal(found, value)
    if operator == "!=":
        return not _equal(found, value)
    if operator == "~":
        return isinstance(found, str) and contains(found, value.text)
    wanted = value.value
    if not (_is_number(found) and _is_number(wanted)) and not (
        isinstance(found, str) and isinstance(wanted, str)
    ):
        return False
    if operator == ">":
        return bool(found > wanted)
    if operator == ">=":
        return bool(found >= wanted)
    return bool(found < wanted) if operator == "<" else bool(found <= wanted)


def contains(text: str, pattern: str) -> bool:
    """Whether the parts of ``pattern`` between its ``*`` stand in ``text`` in that order, in any case."""
    folded, start = text.lower(), 0
    for part in pattern.lower().split("*"):
        at = folded.find(part, start)
        if at < 0:
            return False
        start = at + len(part)
    return True


def _equal(found: Any, value: Value) -> bool:
    wanted = value.value
    if wanted is None:
        return found is None
    if isinstance(found, str):
        return found == value.text
    if isinstance(wanted, bool) or isinstance(found, bool):
        return wanted is found
    return _is_number(found) and _is_number(wanted) and bool(found == wanted)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _depth(node: Node) -> int:
    deepest, level = 0, [node]
    while level:
        deepest += 1
        below: list[Node] = []
        for each in level:
            if isinstance(each, And | Or):
                below += each.parts
            elif isinstance(each, Not):
                below.append(each.part)
        level = below
    return deepest


def path_of(name: str) -> tuple[str, ...]:
    """The parts of a dotted name; quotes are taken off all but the first."""
    first = name.split(".", 1)[0]
    return (first, *[part.strip('"') for part in _PART.findall(name[len(first) :])])
