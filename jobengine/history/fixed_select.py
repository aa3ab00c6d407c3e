"""SELECTs of the hot path: written in SQLAlchemy Core, compiled once, run by the driver itself.

Core's work for a statement of many columns costs ten times what SQLite does for it, and most of that is the
description of its result. Writes are in `jobengine.history.statements`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Dialect, Select, exc


class FixedSelect:
    """One SELECT for one kind of database. Its values are those of the driver."""

    def __init__(self, dialect: Dialect, statement: Select[Any]) -> None:
        compiled = statement.compile(dialect=dialect)
        self._text = str(compiled)
        self._names = tuple(compiled.positiontup or ())
        self._constants = compiled.params
        self._error = dialect.loaded_dbapi.Error

    def rows(self, connection: Connection, **given: Any) -> list[tuple[Any, ...]]:
        """All rows for these values of its parameters. Blocks for the database; raises DBAPIError."""
        values = self._constants | given
        cursor = connection.connection.cursor()
        try:
            cursor.execute(self._text, [values[name] for name in self._names])
            found: list[tuple[Any, ...]] = cursor.fetchall()  # type: ignore[assignment]
            return found
        except self._error as error:
            raise exc.DBAPIError(self._text, None, error) from error
        finally:
            cursor.close()

    def row(self, connection: Connection, **given: Any) -> tuple[Any, ...] | None:
        """The first row, None if there is none; as `rows`."""
        return next(iter(self.rows(connection, **given)), None)
