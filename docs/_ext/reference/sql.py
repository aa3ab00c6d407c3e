"""The SQL page: tables from their definition, views from a database that the migrations made."""

from __future__ import annotations

import sqlite3
import tempfile
from argparse import Namespace
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Table

from jobengine.history.tables import metadata
from rst import code, heading, literal, table

ROOT = Path(__file__).parents[3]


def columns(each: Table) -> str:
    """One row for each column."""
    rows = [
        (
            literal(column.name),
            literal(str(column.type)),
            "key" if column.primary_key else "" if column.nullable else "always given",
            column.doc or "",
        )
        for column in each.columns
    ]
    return table(("Column", "Type", "", "Meaning"), rows)


def views() -> dict[str, str]:
    """The SQL of each view, as SQLite keeps it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "views.db"
        config = Config(ROOT / "setup.cfg", cmd_opts=Namespace(x=[f"url=sqlite:///{path}"]))
        config.set_main_option("script_location", str(ROOT / "migrations"))
        command.upgrade(config, "head")
        connection = sqlite3.connect(path)
        try:
            return dict(
                connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'view' ORDER BY name")
            )
        finally:
            connection.close()


def render() -> str:
    """Views first: they are what auditors read."""
    text = heading("SQL") + (
        "The same tables are on SQLite and PostgreSQL. Times are text in UTC such as "
        "``2026-12-01T11:00:00.000000Z``, so they sort as they are. Passed transitions can't be changed or\n"
        "deleted: the database refuses.\n\n"
    )
    text += heading("Views", "-")
    for name, sql in views().items():
        text += heading(name, "^") + code(sql, "sql")
    text += heading("Tables", "-")
    for each in metadata.sorted_tables:
        text += heading(each.name, "^") + columns(each)
    return text
