"""SELECTs of the hot path: written in SQLAlchemy Core, compiled once, run by the driver itself.

Core's work for a statement of many columns costs ten times what SQLite does for it, and most of that is the
description of its result. What is wanted at once goes to a server in one way, not in one for each
(`read_together`). Writes are in `jobengine.history.statements`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, Select, exc


class FixedSelect:
    """One SELECT for one kind of database. Its values are those of the driver."""

    def __init__(self, dialect: Dialect, statement: Select[Any]) -> None:
        compiled = statement.compile(dialect=dialect)
        self._text = str(compiled)
        self._names = tuple(compiled.positiontup or ())
        self._constants = compiled.params
        self.error = dialect.loaded_dbapi.Error

    def rows(self, connection: Connection, **given: Any) -> list[tuple[Any, ...]]:
        """All rows for these values of its parameters. Blocks for the database; raises DBAPIError."""
        try:
            return self.answer(self.ask(connection.connection, given))
        except self.error as error:
            raise exc.DBAPIError(self._text, None, error) from error

    def row(self, connection: Connection, **given: Any) -> tuple[Any, ...] | None:
        """The first row, None if there is none; as `rows`."""
        return next(iter(self.rows(connection, **given)), None)

    def ask(self, connection: Any, given: Mapping[str, Any]) -> Any:
        """A cursor of the driver's ``connection`` that was given the statement; raises the driver's error."""
        values = self._constants | given
        cursor = connection.cursor()
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
    """The rows of each. Blocks for the database, a server's answers come together; raises DBAPIError."""
    if connection.dialect.name == "sqlite":
        return [select.rows(connection, **given) for select, given in wanted]
    driver: Any = connection.connection.driver_connection
    try:
        with driver.pipeline():
            cursors = [select.ask(driver, given) for select, given in wanted]
        return [select.answer(cursor) for (select, _), cursor in zip(wanted, cursors, strict=True)]
    except wanted[0][0].error as error:
        raise exc.DBAPIError(None, None, error) from error
