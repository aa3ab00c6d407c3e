"""Statements that the driver runs once per row: SQLite's way, where a call costs no way to a server."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Dialect, Table, bindparam, delete, insert, update
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.sql.dml import UpdateBase

from jobengine.history.row_change import Conditions, Rows, columns_without


class RowStatement:
    """One compiled statement; a row of parameters is in the order of its placeholders."""

    def __init__(self, dialect: Dialect, statement: UpdateBase) -> None:
        self.text = str(statement.compile(dialect=dialect))

    def run(self, connection: Connection, rows: Rows) -> int:
        """Run once per row; how many rows of the table were hit in total."""
        return connection.exec_driver_sql(self.text, rows).rowcount


class ByRow:
    """Makes the statements of one dialect."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect

    def insert(self, table: Table, *without: str) -> RowStatement:
        """New rows; parameters are the columns but for ``without``."""
        return self._made(insert(table).values(_parameters(columns_without(table, without))))

    def update(
        self, table: Table, without: tuple[str, ...], expected: tuple[str, ...], where: Conditions = ()
    ) -> RowStatement:
        """Change rows; parameters are the columns but for ``without``, then what ``expected`` must hold."""
        same = [table.c[name] == bindparam(f"expected_{name}") for name in expected]
        changed = _parameters(columns_without(table, without))
        return self._made(update(table).values(changed).where(*same, *where))

    def upsert(self, table: Table) -> RowStatement:
        """New rows, or the others' values for the rows that are there; parameters are the columns."""
        statement = sqlite_insert(table).values(_parameters(columns_without(table, ())))
        keys = [column.name for column in table.primary_key]
        changed = {name: statement.excluded[name] for name in columns_without(table, tuple(keys))}
        return self._made(statement.on_conflict_do_update(index_elements=keys, set_=changed))

    def delete(self, table: Table, key: str) -> RowStatement:
        """Remove rows; the parameter is ``key``."""
        return self._made(delete(table).where(table.c[key] == bindparam(f"expected_{key}")))

    def _made(self, statement: UpdateBase) -> RowStatement:
        return RowStatement(self._dialect, statement)


def _parameters(names: tuple[str, ...]) -> dict[str, Any]:
    return {name: bindparam(name) for name in names}
