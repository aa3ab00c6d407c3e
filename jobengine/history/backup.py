"""Backup and restore of an SQLite database, while it is in use.

PostgreSQL has better tools of its own; for it both calls refuse with a sentence that names them.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from jobengine.errors import ConflictError, NotFoundError, SettingsError, UnavailableError
from jobengine.history.database import Database

PAGES_AT_ONCE = 1_000
"""How much is copied between two chances for writers: 4 MB with the usual page size."""


def backup(database: Database, target: Path) -> None:
    """Copy the database, as it is at one moment, to the new file ``target``.

    Services may go on meanwhile. The copy is checked. Raises ConflictError when the file is there already,
    SettingsError for PostgreSQL and UnavailableError when a file can't be read or written.
    """
    source = _file_of(database, "pg_dump --format=custom")
    if target.exists():
        raise ConflictError(f"{target} is there already; nothing was written")
    unfinished = target.with_name(target.name + ".unfinished")
    try:
        _copy(source, unfinished)
        unfinished.rename(target)
    finally:
        unfinished.unlink(missing_ok=True)


def restore(database: Database, source: Path) -> None:
    """Make the database what it was when ``source`` was made; what is there now is replaced.

    No service may use it meanwhile: one that holds a lock makes this raise UnavailableError. Raises
    NotFoundError when there is no such file, and SettingsError for PostgreSQL or a file of another kind.
    """
    target = _file_of(database, "pg_restore --clean --if-exists")
    if not source.is_file():
        raise NotFoundError(f"there is no file {source}")
    with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as connection:
        try:
            connection.execute("SELECT version_num FROM alembic_version")
        except sqlite3.DatabaseError as error:
            raise SettingsError(f"{source} is not a backup of a jobengine database: {error}") from error
    database.close()
    _copy(source, target)


def _file_of(database: Database, program: str) -> Path:
    if not database.is_sqlite or database.url.database is None:
        raise SettingsError(f"{database} is PostgreSQL: use '{program}', which does this while it is in use")
    return Path(database.url.database)


def _copy(source: Path, target: Path) -> None:
    try:
        with (
            closing(sqlite3.connect(source, timeout=5)) as reading,
            closing(sqlite3.connect(target, timeout=5)) as writing,
        ):
            reading.backup(writing, pages=PAGES_AT_ONCE)
            verdict = writing.execute("PRAGMA quick_check").fetchone()[0]
    except sqlite3.Error as error:
        raise UnavailableError(f"{source} can't be copied to {target}: {error}") from error
    if verdict != "ok":
        raise UnavailableError(f"{target} is damaged: {verdict}")
