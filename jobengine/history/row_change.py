"""Statements that write many rows at once: the rows come as a table that the statement reads.

A statement costs a server its time and an interpreter with several threads its turn, a row costs little. How
the rows become a table is the one thing in which the databases differ: `jobengine.history.json_columns`,
`jobengine.history.value_rows`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from sqlalchemy import (
    ColumnElement,
    Dialect,
    FromClause,
    Select,
    Table,
    delete,
    insert,
    null,
    select,
    true,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import UpdateBase

from jobengine.history.tables import ROOM

Rows = list[tuple[Any, ...]]
Ran = list[Any]
"""Cursors of the driver, to be asked for their rows once their statements have been answered."""
Conditions = Sequence[ColumnElement[bool]]
Build = Callable[[FromClause], UpdateBase]
"""Makes a statement over the rows that are given to it."""
Computed = Callable[[FromClause], ColumnElement[Any]]
"""A column made of those that are given."""


class RowChange(Protocol):
    """One statement, compiled once."""

    def run(self, driver: Any, rows: Rows) -> Ran:
        """Have all ``rows`` written by the driver's connection; raises the driver's error."""
        ...

    def get_ready(self, driver: Any) -> None:
        """Do for the driver's connection what the first `run` of few rows would; nothing is written."""
        ...


def rows_hit(ran: Ran) -> int:
    """How many rows of the table a change has hit."""
    return sum(cursor.rowcount for cursor in ran)


class Form(Protocol):
    """A database's way to be given rows as a table."""

    def make(self, table: Table, names: Sequence[str], expected: Sequence[str], build: Build) -> RowChange:
        """The statement that ``build`` makes; each row gives the columns ``names`` of ``table``, then what
        the columns ``expected`` must hold, as ``expected_`` and their name.
        """
        ...


class RowChanges:
    """Makes statements for one kind of database. A row of a table may be meant once in a statement."""

    def __init__(self, dialect: Dialect, form: Form) -> None:
        self._is_sqlite = dialect.name == "sqlite"
        self._form = form

    def insert(
        self, table: Table, *without: str, more: Computed | None = None, where: Conditions = ()
    ) -> RowChange:
        """New rows, in the order in which they are given; each gives the columns but for ``without``.

        What is without comes from ``more``, if that is given.
        """
        names = columns_without(table, without)

        def build(given: FromClause) -> UpdateBase:
            rows = _all_of(given, names).where(*where)
            if more is None:
                return insert(table).from_select(names, rows)
            return insert(table).from_select([*names, *without], rows.add_columns(more(given)))

        return self._form.make(table, names, (), build)

    def update(self, table: Table, without: tuple[str, ...], expected: tuple[str, ...]) -> RowChange:
        """Change rows; each gives the columns but for ``without``, then what ``expected`` must hold."""
        names = columns_without(table, without)

        def build(given: FromClause) -> UpdateBase:
            same = [table.c[name] == given.c[f"expected_{name}"] for name in expected]
            changed: dict[str, ColumnElement[Any]] = {name: given.c[name] for name in names}
            if ROOM in table.c:
                changed[ROOM] = null()
            return update(table).values(changed).where(*same)

        return self._form.make(table, names, expected, build)

    def upsert(self, table: Table) -> RowChange:
        """New rows, or new values for the rows that are there; each gives all columns."""
        names = columns_without(table, ())
        keys = [column.name for column in table.primary_key]
        start = sqlite.insert(table) if self._is_sqlite else postgresql.insert(table)

        def build(given: FromClause) -> UpdateBase:
            statement: Any = start.from_select(names, _all_of(given, names))
            changed = {name: statement.excluded[name] for name in names if name not in keys}
            made: UpdateBase = statement.on_conflict_do_update(index_elements=keys, set_=changed)
            return made

        return self._form.make(table, names, (), build)

    def delete(self, table: Table, key: str) -> RowChange:
        """Remove rows; each gives ``key``."""

        def build(given: FromClause) -> UpdateBase:
            return delete(table).where(table.c[key].in_(select(given.c[f"expected_{key}"])))

        return self._form.make(table, (), (key,), build)


def _all_of(given: FromClause, names: Sequence[str]) -> Select[Any]:
    """The WHERE lets SQLite tell an ON CONFLICT from the ON of a join."""
    return select(*[given.c[name] for name in names]).where(true())


def columns_without(table: Table, without: Sequence[str]) -> tuple[str, ...]:
    """Names of the columns of ``table`` in their order, but for ``without``."""
    return tuple(column.name for column in table.columns if column.name not in without)
