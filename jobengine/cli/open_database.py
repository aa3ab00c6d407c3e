"""Opens the database of a data folder, for commands that need no running service."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobengine.cli.options import Command, works_on_data
from jobengine.errors import NotFoundError

if TYPE_CHECKING:
    from jobengine.history.database import Database
    from jobengine.settings import Settings


def works_on_database(command: Command) -> Command:
    """Adds ``--data`` and ``--config``; the command gets the open database as its first argument."""

    @works_on_data
    @functools.wraps(command)
    def run(settings: Settings, **arguments: Any) -> None:
        with existing(settings) as database:
            database.check_head()
            command(database, **arguments)

    return run


def existing(settings: Settings) -> Database:
    """The database that is there. Raises NotFoundError instead of making an empty one."""
    from jobengine.history.database import Database

    database = Database(settings.database)
    if database.is_sqlite and not Path(str(database.url.database)).is_file():
        raise NotFoundError(f"there is no database {database.url.database}; is --data right?")
    return database


def upgraded(settings: Settings) -> Database:
    """The database, made if it is not there, with its tables as this version needs them."""
    from jobengine.history.database import Database

    database = Database(settings.database)
    if database.is_sqlite:
        Path(str(database.url.database)).parent.mkdir(parents=True, exist_ok=True)
    database.upgrade()
    return database
