"""How the filter language is read: its grammar, and what follows from each rule of it.

Loaded with the first filter that is read, as it brings a parser of 60 ms with it. What the language means is
in `jobengine.model.query`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from typing import Any, cast

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedInput, UnexpectedToken, VisitError

from jobengine.clock import to_text
from jobengine.errors import MalformedError
from jobengine.model.query import TIME_FIELDS, And, Comparison, Field, Node, Not, Or, Scalar, Value, path_of

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
_EXPECTED = {
    "FIELD": "a field",
    "OPERATOR": "an operator (== != >= > <= < ~)",
    "BARE": "a value",
    "QUOTED": "a value",
    "LPAR": "'('",
    "RPAR": "')'",
    "_NOT": "NOT",
    "_AND": "AND",
    "_OR": "OR",
    "$END": "the end",
}


def read_filter(text: str) -> Node:
    """The filter that ``text`` says. Raises MalformedError with the column of the fault."""
    try:
        return cast(Node, _parser().parse(text))  # the transformer makes nodes of every rule
    except UnexpectedInput as error:
        raise _unexpected(error, text) from error
    except VisitError as error:
        raise error.orig_exc from error


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
        of = Field(path_of(field), field.column or 0)
        sign: Any = str(operator)
        literal = _quoted(value) if value.type == "QUOTED" else _bare(value)
        if len(of.path) == 1 and of.name in TIME_FIELDS and sign != "~" and literal.value is not None:
            literal = _time(literal, value.column or 0)
        return Comparison(of, sign, literal)


@cache
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr", transformer=_Build(), maybe_placeholders=False)


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
