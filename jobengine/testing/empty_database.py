"""SQLite databases with all tables and no rows: a migration takes longer than most tests, a copy does not."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from jobengine.history.database import Database


def new_database(path: Path) -> str:
    """Make one at ``path``; its URL."""
    path.write_bytes(_empty_database())
    return f"sqlite:///{path}"


@cache
def _empty_database() -> bytes:
    """Made once per process."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "empty.sqlite3"
        with Database(f"sqlite:///{path}") as database:
            database.upgrade()
        return path.read_bytes()
