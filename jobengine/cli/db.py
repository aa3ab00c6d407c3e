"""``jobengine db``: tables, backup and restore."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jobengine.cli.open_database import existing, upgraded, works_on_database
from jobengine.cli.options import document_form, works_on_data
from jobengine.errors import ConflictError

if TYPE_CHECKING:
    from jobengine.history.database import Database
    from jobengine.settings import Settings

SERVICE_LOCK = "service.lock"
"""The file that a running service holds locked in its data folder."""


@click.group()
def db() -> None:
    """Make and upgrade the tables; back up and restore. Needs no running service."""


@contextmanager
def _stopped(data: Path) -> Iterator[None]:
    """Keep services from starting on this folder. Raises ConflictError while one runs on it."""
    data.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(data / SERVICE_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise ConflictError(f"a service runs on {data}; stop it first") from None
    finally:
        os.close(descriptor)


@db.command()
@works_on_data
def upgrade(settings: Settings) -> None:
    """Upgrade the tables to what this version needs; creates the database if there is none.

    \b
    Example:
      jobengine db upgrade --data /srv/jobengine
    """
    with upgraded(settings) as database:
        click.echo(f"{database} is at revision {database.revision()}", err=True)


@db.command()
@document_form
@works_on_data
def check(settings: Settings, form: str) -> None:
    """Tell whether the tables are those of this version, and whether the history is guarded.

    \b
    Example:
      jobengine db check --data /srv/jobengine
    """
    from jobengine.cli.failure import guards_are_gone
    from jobengine.cli.output import show_document
    from jobengine.history.guards import missing_guards

    with existing(settings) as database:
        database.check_head()
        missing = missing_guards(database)
        if missing:
            raise guards_are_gone(missing)
        found = {"database": database.url.render_as_string(), "revision": database.revision()}
        show_document(form, found, {"Database": "database", "Revision": "revision"})


@db.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@works_on_database
def backup(database: Database, file: Path) -> None:
    """Copy the database to the new FILE while it is in use. Media files are not part of it.

    \b
    Example:
      jobengine db backup /backup/jobs-today.sqlite3 --data /srv/jobengine
    """
    from jobengine.history.backup import backup as copy

    copy(database, file)
    click.echo(f"{database} is copied to {file}", err=True)


@db.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--yes", is_flag=True, help="Replace what is there now without asking.")
@works_on_data
def restore(settings: Settings, file: Path, yes: bool) -> None:
    """Make the database what it was when FILE was made. Stop the service first.

    \b
    Example:
      jobengine db restore /backup/jobs-today.sqlite3 --data /srv/jobengine --yes
    """
    import sys

    from jobengine.history.backup import restore as copy

    if not yes and not sys.stdin.isatty():
        raise click.UsageError("this replaces the whole database; say --yes")
    if not yes:
        click.confirm(f"Replace {settings.database} by {file}?", abort=True, err=True)
    with _stopped(settings.data), upgraded(settings) as database:
        copy(database, file)
        database.check_head()
        click.echo(f"{database} is what it was in {file}", err=True)
