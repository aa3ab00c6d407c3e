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
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any, Literal, cast

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedInput, UnexpectedToken, VisitError

from jobengine.clock import to_text
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


_GRAMMAR = r"""
?start: any
?any: all (_OR all)* -> any_of
?all: one (_AND one)* -> all_of
?one: _NOT one -> not_
    | "(" any ")"
    | comparison
comparison: FIELD OPERATOR (QUOTED | BARE)

_OR.3: /OR(?![^\s()"'!=<>~])/i
_AND.3: /AND(?![^\s()"'!=<>~])/i
_NOT.3: /NOT(?![^\s()"'!=<>~])/i
OPERATOR: "==" | "!=" | ">=" | "<=" | ">" | "<" | "~"
FIELD: /[^\W\d]\w*(\.("[^"]+"|[\w$-]+))*/
QUOTED: /"(\\.|[^"\\])*"|'(\\.|[^'\\])*'/
BARE: /[^\s()"'!=<>~]+/
%import common.WS
%ignore WS
"""

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?", re.ASCII)
_WORDS: dict[str, Scalar] = {"null": None, "true": True, "false": False}
_PART = re.compile(r'\.("[^"]+"|[\w$-]+)')
_EXPECTED = {
    "FIELD": "a field",
    "OPERATOR": "an operator",
    "BARE": "a value",
    "QUOTED": "a value",
    "LPAR": "'('",
    "RPAR": "')'",
    "_NOT": "NOT",
    "_AND": "AND",
    "_OR": "OR",
    "$END": "the end",
}


@lru_cache(maxsize=256)
def parse_filter(text: str) -> Node:
    """The filter that ``text`` says. Raises MalformedError with the column of the fault."""
    if len(text) > MAX_LENGTH:
        raise MalformedError(f"the filter is longer than {MAX_LENGTH} characters")
    try:
        node = cast(Node, _parser().parse(text))  # the transformer makes nodes of every rule
    except UnexpectedInput as error:
        raise _unexpected(error, text) from error
    except VisitError as error:
        raise error.orig_exc from error
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
        keys.append(SortKey(Field(_path(name), column), descending))
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


@v_args(inline=True)
class _Build(Transformer[Token, Node]):
    """From the grammar's rules to nodes."""

    def any_of(self, *parts: Node) -> Node:
        return parts[0] if len(parts) == 1 else Or(parts)

    def all_of(self, *parts: Node) -> Node:
        return parts[0] if len(parts) == 1 else And(parts)

    def not_(self, part: Node) -> Node:
        return Not(part)

    def comparison(self, field: Token, operator: Token, value: Token) -> Node:
        of = Field(_path(field), field.column or 0)
        sign: Any = str(operator)
        literal = _quoted(value) if value.type == "QUOTED" else _bare(value)
        if len(of.path) == 1 and of.name in TIME_FIELDS and sign != "~" and literal.value is not None:
            literal = _time(literal, value.column or 0)
        return Comparison(of, sign, literal)


@cache
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr", transformer=_Build(), maybe_placeholders=False)


def _path(name: str) -> tuple[str, ...]:
    first = name.split(".", 1)[0]
    return (first, *[part.strip('"') for part in _PART.findall(name[len(first) :])])


def _quoted(token: Token) -> Value:
    text = re.sub(r"\\(.)", r"\1", token[1:-1], flags=re.DOTALL)
    return Value(text, text)


def _bare(token: Token) -> Value:
    text = str(token)
    if text.lower() in _WORDS:
        return Value(_WORDS[text.lower()], text)
    if not _NUMBER.fullmatch(text):
        return Value(text, text)
    number = int(text) if text.lstrip("-").isdigit() else float(text)
    if abs(number) >= 2**63:
        raise MalformedError(f"filter, column {token.column}: {text} is too large", column=token.column)
    return Value(number, text)


def _time(literal: Value, column: int) -> Value:
    try:
        moment = datetime.fromisoformat(literal.text)
    except ValueError as error:
        text = f"filter, column {column}: {literal.text!r} is not an ISO 8601 time"
        raise MalformedError(text, column=column) from error
    canonical = to_text(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    return Value(canonical, canonical)


def _unexpected(error: UnexpectedInput, text: str) -> MalformedError:
    at_end = isinstance(error, UnexpectedToken) and error.token.type == "$END"
    column = len(text) + 1 if at_end else error.column
    names: Iterable[str] = getattr(error, "allowed", None) or getattr(error, "expected", None) or ()
    wanted = sorted({_EXPECTED.get(name, name) for name in names})
    return MalformedError(f"filter, column {column}: expected {' or '.join(wanted)}", column=column)
