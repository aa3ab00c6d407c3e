"""SQLite and PostgreSQL for a benchmark: fresh databases, and the bare driver as durable as ours."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Dialect

from jobengine.history.by_row import ByRow
from jobengine.history.statements import JOB_EXPECTED, JOB_FIXED
from jobengine.history.tables import events, jobs, transitions
from tests.databases import PostgresServer

Work = list[tuple[str, list[tuple[Any, ...]]]]
"""Statements with the rows that each is run for."""
Write = Callable[[Work], None]


class BareStatements:
    """The statements that the engine's rows are written with, one row at a time."""

    def __init__(self, dialect: Dialect) -> None:
        make = ByRow(dialect)
        self.insert_job = make.insert(jobs).text
        self.insert_transition = make.insert(transitions).text
        self.insert_event = make.insert(events, "sequence").text
        self.update_job = make.update(jobs, JOB_FIXED, JOB_EXPECTED).text


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
