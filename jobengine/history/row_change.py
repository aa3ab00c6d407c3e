"""What a statement that writes many rows is, whichever way a database likes them best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Connection, Table

Rows = list[tuple[Any, ...]]
Conditions = Sequence[ColumnElement[bool]]


class RowChange(Protocol):
    """One statement, compiled once."""

    def run(self, connection: Connection, rows: Rows) -> int:
        """Write all ``rows``; how many rows of the table were hit. Blocks for the database."""
        ...


class RowChanges(Protocol):
    """Makes statements for one kind of database."""

    def insert(self, table: Table, *without: str) -> RowChange:
        """New rows; each gives the columns but for ``without``."""
        ...

    def update(
        self, table: Table, without: tuple[str, ...], expected: tuple[str, ...], where: Conditions = ()
    ) -> RowChange:
        """Change rows; each gives the columns but for ``without``, then what ``expected`` must hold."""
        ...

    def upsert(self, table: Table) -> RowChange:
        """New rows, or new values for the rows that are there; each gives all columns."""
        ...

    def delete(self, table: Table, key: str) -> RowChange:
        """Remove rows; each gives ``key``."""
        ...


def columns_without(table: Table, without: Sequence[str]) -> tuple[str, ...]:
    """Names of the columns of ``table`` in their order, but for ``without``."""
    return tuple(column.name for column in table.columns if column.name not in without)
