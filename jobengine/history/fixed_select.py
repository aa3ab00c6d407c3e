"""SELECTs of the hot path: written in SQLAlchemy Core, compiled once, run by the driver itself.

Core's work for a statement of many columns costs ten times what SQLite does for it, and most of that is the
description of its result. Writes are in `jobengine.history.statements`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, Select

from jobengine.history.one_way import driver_errors, in_one_way


class FixedSelect:
    """One SELECT for one kind of database. Its values are those of the driver."""

    def __init__(self, dialect: Dialect, statement: Select[Any]) -> None:
        compiled = statement.compile(dialect=dialect)
        self._text = str(compiled)
        self._names = tuple(compiled.positiontup or ())
        self._constants = compiled.params

    def ask(self, driver: Any, given: Mapping[str, Any]) -> Any:
        """A cursor of the driver's connection that was given the statement; raises the driver's error."""
        values = self._constants | given
        cursor = driver.cursor()
        cursor.execute(self._text, [values[name] for name in self._names])
        return cursor

    def answer(self, cursor: Any) -> list[tuple[Any, ...]]:
        """The rows that `ask` asked for; raises the driver's error."""
        found: list[tuple[Any, ...]] = cursor.fetchall()
        cursor.close()
        return found


Wanted = tuple[FixedSelect, Mapping[str, Any]]
"""A statement and the values of its parameters."""


def read_together(connection: Connection, wanted: Sequence[Wanted]) -> list[list[tuple[Any, ...]]]:
    """The rows of each, as one consistent view; the transaction may be over then.

    Blocks for the database, a server's answers come together; raises DBAPIError.
    """
    with driver_errors(connection):
        with in_one_way(connection, is_last=True) as driver:
            cursors = [select.ask(driver, given) for select, given in wanted]
        return [select.answer(cursor) for (select, _), cursor in zip(wanted, cursors, strict=True)]
