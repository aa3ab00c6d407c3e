"""SQLite and PostgreSQL for a benchmark: fresh databases, and the bare driver as durable as ours."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Dialect, bindparam, insert, update
from sqlalchemy.sql.dml import UpdateBase

from jobengine.history.row_change import columns_without
from jobengine.history.statements import JOB_EXPECTED, JOB_FIXED
from jobengine.history.tables import ROOM, events, jobs, transitions
from tests.databases import PostgresServer

Work = list[tuple[str, list[tuple[Any, ...]]]]
"""Statements with the rows that each is run for."""
Write = Callable[[Work], None]


class BareStatements:
    """What writes the engine's rows one at a time, as anybody would."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self.insert_job = self._text(insert(jobs).values(_parameters(columns_without(jobs, (ROOM,)))))
        made = _parameters(columns_without(transitions, (ROOM,)))
        self.insert_transition = self._text(insert(transitions).values(made))
        told = _parameters(columns_without(events, ("sequence",)))
        self.insert_event = self._text(insert(events).values(told))
        changed = _parameters(columns_without(jobs, JOB_FIXED))
        same = [jobs.c[name] == bindparam(f"expected_{name}") for name in JOB_EXPECTED]
        self.update_job = self._text(update(jobs).values(changed).where(*same))

    def _text(self, statement: UpdateBase) -> str:
        return str(statement.compile(dialect=self._dialect))


def _parameters(names: Iterable[str]) -> dict[str, Any]:
    return {name: bindparam(name) for name in names}


class Sqlite:
    """Files in one folder."""

    name = "SQLite"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def url(self, name: str) -> str:
        """A fresh database."""
        return f"sqlite:///{self._folder / name}.sqlite3"

    @contextmanager
    def bare(self, name: str) -> Iterator[Write]:
        """Writes to the database ``name``, one commit per call."""
        connection = sqlite3.connect(self._folder / f"{name}.sqlite3", isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")

        def write(work: Work) -> None:
            connection.execute("BEGIN IMMEDIATE")
            for statement, rows in work:
                connection.executemany(statement, rows)
            connection.execute("COMMIT")

        yield write
        connection.close()


class Postgresql:
    """Databases of one private server."""

    name = "PostgreSQL"

    def __init__(self, server: PostgresServer) -> None:
        self._server = server

    def url(self, name: str) -> str:
        """A fresh database."""
        self._server.execute(f"CREATE DATABASE {name}")
        return self._server.url(name)

    @contextmanager
    def bare(self, name: str) -> Iterator[Write]:
        """Writes to the database ``name``, one commit per call."""
        with psycopg.connect(self._server.url(name)) as connection, connection.cursor() as cursor:

            def write(work: Work) -> None:
                for statement, rows in work:
                    cursor.executemany(statement.encode(), rows)
                connection.commit()

            yield write
