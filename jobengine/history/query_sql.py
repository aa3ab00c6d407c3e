"""The filter and sort language as SQL over ``jobs``, with bound parameters only.

The meaning is that of `jobengine.model.query.matches`; a property test holds both against each other.
Every condition made here is true or false, never NULL, so NOT means what it says.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Numeric,
    Text,
    and_,
    bindparam,
    case,
    cast,
    collate,
    false,
    func,
    literal,
    not_,
    or_,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY

from jobengine.errors import MalformedError
from jobengine.history.tables import ROOM, String, jobs
from jobengine.model.lifecycle import ACTIVE_STATES, FINAL_STATES
from jobengine.model.query import And, Comparison, Field, Node, Not, Or, SortKey, Value

Condition = ColumnElement[bool]

FIELDS: dict[str, Column[Any]] = {
    column.name.replace("_", ""): column
    for column in jobs.columns
    if column.name
    not in {"client_data", "deleted_time", "epoch", "report_sequence", "transition_count", ROOM}
}
"""The fields of a job that can be asked for, by their name in lower case."""

CLIENT_DATA = "clientdata"


@dataclass(frozen=True, slots=True)
class Order:
    """One expression of an ORDER BY, never NULL."""

    expression: ColumnElement[Any]
    descending: bool


def condition(node: Node, dialect: str) -> Condition:
    """``node`` as a condition on ``jobs``; ``dialect`` is ``sqlite`` or ``postgresql``.

    Raises MalformedError with the column of a field that jobs don't have.
    """
    match node:
        case Comparison():
            return _comparison(node, dialect)
        case And(parts):
            return and_(*[condition(part, dialect) for part in parts])
        case Or(parts):
            return or_(*[condition(part, dialect) for part in parts])
        case Not(part):
            return not_(condition(part, dialect))


def order(keys: Sequence[SortKey], dialect: str) -> list[Order]:
    """The ORDER BY of a sort, ended by the job's id so that no two jobs are equal.

    In ``clientData`` what is missing comes first, then booleans, numbers and texts.
    """
    found: list[Order] = []
    for key in keys:
        if key.field.name == CLIENT_DATA:
            kind, number, string = _typed(_json(key.field, dialect), dialect)
            ranks = case((kind == "boolean", 1), (kind == "number", 2), (kind == "string", 3), else_=0)
            parts = [ranks, func.coalesce(number, literal(0)), func.coalesce(string, literal(""))]
            truth = case((_is_true(_json(key.field, dialect), dialect), 1), else_=0)
            found += [Order(part, key.descending) for part in (parts[0], truth, *parts[1:])]
        else:
            column = _column(key.field)
            expression = func.coalesce(column, literal("")) if column.nullable else column
            found.append(Order(expression, key.descending))
    descending = bool(keys) and keys[-1].descending
    return [*found, Order(jobs.c.job_id, descending)]


def after(orders: Sequence[Order], values: Sequence[Any]) -> Condition:
    """Rows that come after the one with ``values`` for ``orders``."""
    bound = [literal(value, item.expression.type) for item, value in zip(orders, values, strict=True)]
    if len({item.descending for item in orders}) == 1:
        # As a row value, so that an index over the same columns serves it.
        here, there = tuple_(*[item.expression for item in orders]), tuple_(*bound)
        return here < there if orders[0].descending else here > there
    alternatives: list[Condition] = []
    for i, item in enumerate(orders):
        same = [orders[k].expression == bound[k] for k in range(i)]
        beyond = item.expression < bound[i] if item.descending else item.expression > bound[i]
        alternatives.append(and_(*same, beyond))
    return or_(*alternatives)


def _column(field: Field) -> Column[Any]:
    if len(field.path) > 1 or field.name not in FIELDS:
        name = ".".join(field.path)
        known = ", ".join(sorted(_camel(column) for column in FIELDS.values()))
        raise MalformedError(
            f"column {field.column}: {name!r} is not a field of a job; known are {known}, clientData.…",
            column=field.column,
        )
    return FIELDS[field.name]


def _camel(column: Column[Any]) -> str:
    head, *tail = column.name.split("_")
    return head + "".join(part.title() for part in tail)


def _comparison(node: Comparison, dialect: str) -> Condition:
    if node.operator == "!=":
        return not_(_comparison(Comparison(node.field, "==", node.value), dialect))
    if node.field.name == CLIENT_DATA:
        return _on_json(node, dialect)
    column = _column(node.field)
    if node.value.value is None:
        return column.is_(None) if node.operator == "==" else false()
    if column is jobs.c.is_active:
        is_boolean = node.operator == "==" and isinstance(node.value.value, bool)
        return _is_active(bool(node.value.value)) if is_boolean else false()
    if isinstance(column.type, Text):
        found = _on_text(column, node, dialect)
        return and_(column.is_not(None), found) if column.nullable else found
    return _on_number(column, node)


def _is_active(wanted: bool) -> Condition:
    """By the states, of which there is an index."""
    return jobs.c.current_state.in_(sorted(ACTIVE_STATES if wanted else FINAL_STATES))


def _on_json(node: Comparison, dialect: str) -> Condition:
    document = _json(node.field, dialect)
    kind, number, string = _typed(document, dialect)
    value = node.value.value
    if value is None:
        return kind == "null" if node.operator == "==" else false()
    either: list[tuple[Condition, Condition]] = [(kind == "string", _on_text(string, node, dialect))]
    if isinstance(value, bool) and node.operator == "==":
        truth = _is_true(document, dialect)
        either.append((kind == "boolean", truth if value else not_(truth)))
    elif isinstance(value, int | float):
        either.append((kind == "number", _on_number(number, node)))
    return case(*either, else_=false()) if dialect == "postgresql" else case(*either, else_=0) == 1


def _on_text(column: ColumnElement[Any], node: Comparison, dialect: str) -> Condition:
    text = bindparam(None, node.value.text, type_=String)
    if node.operator == "==":
        return column == text
    if node.operator == "~":
        return _contains(column, node.value, dialect)
    return _ordered(column, node.operator, text) if isinstance(node.value.value, str) else false()


def _on_number(column: ColumnElement[Any], node: Comparison) -> Condition:
    value = node.value.value
    if isinstance(value, bool) or not isinstance(value, int | float) or node.operator == "~":
        return false()
    bound: Any = literal(value)
    if isinstance(column.type, Numeric):
        bound = cast(bindparam(None, repr(value), type_=Text), Numeric)
    return column == bound if node.operator == "==" else _ordered(column, node.operator, bound)


def _ordered(left: ColumnElement[Any], operator: str, right: ColumnElement[Any]) -> Condition:
    compare: dict[str, Callable[[], Condition]] = {
        ">": lambda: left > right,
        ">=": lambda: left >= right,
        "<": lambda: left < right,
        "<=": lambda: left <= right,
    }
    return compare[operator]()


def _contains(column: ColumnElement[Any], value: Value, dialect: str) -> Condition:
    if dialect == "sqlite":
        found: Condition = func.contains(column, value.text) == 1
        return found
    parts = [
        part.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") for part in value.text.split("*")
    ]
    folded = func.lower(collate(column, "und-x-icu"), type_=Text)
    pattern = func.lower(collate(literal("%" + "%".join(parts) + "%", Text), "und-x-icu"), type_=Text)
    return collate(folded, "C").like(collate(pattern, "C"))


def _json(field: Field, dialect: str) -> ColumnElement[Any]:
    """The value at a path: on SQLite the path for the json functions, on PostgreSQL the jsonb."""
    if dialect == "sqlite":
        path = "$" + "".join(f".{json.dumps(part, ensure_ascii=False)}" for part in field.path[1:])
        return literal(path)
    start: ColumnElement[Any] = jobs.c.client_data
    return reduce(lambda found, part: found.op("->")(literal(part, Text)), field.path[1:], start)


def _typed(document: ColumnElement[Any], dialect: str) -> tuple[ColumnElement[str], ...]:
    """The kind of a JSON value (``null``, ``boolean``, ``number``, ``string``, …), as number and as text."""
    if dialect == "sqlite":
        stored = func.json_type(jobs.c.client_data, document)
        kinds = {
            "true": "boolean",
            "false": "boolean",
            "integer": "number",
            "real": "number",
            "text": "string",
        }
        known = case(kinds, value=func.coalesce(stored, "null"), else_=func.coalesce(stored, "null"))
        value: ColumnElement[Any] = func.json_extract(jobs.c.client_data, document)
        return known, case((known == "number", value)), case((known == "string", value))
    kind = func.coalesce(func.jsonb_typeof(document), "null")
    text = document.op("#>>", return_type=Text())(cast(literal("{}", Text), ARRAY(Text)))
    return kind, case((kind == "number", cast(text, Numeric))), collate(case((kind == "string", text)), "C")


def _is_true(document: ColumnElement[Any], dialect: str) -> Condition:
    if dialect == "sqlite":
        return func.coalesce(func.json_type(jobs.c.client_data, document), "") == "true"
    return func.coalesce(cast(document, Text), "") == "true"
