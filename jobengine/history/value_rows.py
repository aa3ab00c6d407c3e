"""Rows as VALUES in the statement's text: SQLite's way.

The driver lets go of the interpreter while a statement runs and takes it again after each, for which a thread
that writes waits up to a millisecond while another one computes. So the fewer statements the better: a full
group takes one for each kind of row.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

from sqlalchemy import ColumnElement, Dialect, Table, literal_column, select, text

from jobengine.history.row_change import Build, Ran, Rows

SIZES = (500, 250, 125, 64, 32, 16, 8, 4, 2, 1)
"""Numbers of rows that there is a text for; a group takes the largest that fits until none is left. The first
is the default of ``engine.group_size``; its rows have a third of the values that SQLite takes at most."""
FEW = 3
"""So many of the last are what a group about one job takes."""


class ValueStatement:
    """One compiled statement, its text repeated for each of `SIZES`."""

    def __init__(self, text: str, row: str) -> None:
        self.texts = {size: text.replace(row, ", ".join([row] * size)) for size in SIZES}

    def run(self, driver: Any, rows: Rows) -> Ran:
        """Run in as few parts as there are texts for."""
        ran: Ran = []
        at = 0
        for size, statement in self.texts.items():
            while len(rows) - at >= size:
                parameters = tuple(chain.from_iterable(rows[at : at + size]))
                ran.append(driver.execute(statement, parameters))
                at += size
        return ran

    def get_ready(self, driver: Any) -> None:
        """Have SQLite compile the texts for few rows, which the driver keeps: they are run for no row."""
        for size in SIZES[-FEW:]:
            driver.executemany(self.texts[size], ())


class ValueRows:
    """Makes statements that are given VALUES."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect

    def make(
        self, table: Table, names: Sequence[str], expected: Sequence[str], build: Build
    ) -> ValueStatement:
        """Compiled for a single row. Not WITH: after such a start the driver does not count what was hit."""
        every = [*names, *(f"expected_{name}" for name in expected)]
        row = _row(len(every))
        columns: list[ColumnElement[Any]] = [
            literal_column(f"column{at}").label(name) for at, name in enumerate(every, 1)
        ]
        given = select(*columns).select_from(text(f"(VALUES {row})")).subquery("given")
        return ValueStatement(str(build(given).compile(dialect=self._dialect)), row)


def _row(columns: int) -> str:
    return f"({', '.join('?' * columns)})"
