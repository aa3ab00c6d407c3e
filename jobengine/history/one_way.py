"""Statements that a server gets in one way and answers in one, run by the driver itself.

Each statement that is sent alone costs a way to the server and back, which is most of what a small
transaction takes. SQLite has no way to go: there each is run when it is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from sqlalchemy import Connection, exc


@contextmanager
def in_one_way(connection: Connection, *, is_last: bool = False) -> Iterator[Any]:
    """The driver's connection, to execute statements on; what they found is known after the block.

    is_last: nothing more is done in the transaction, so a server may commit it along with them.
    Blocks for the database. Raises DBAPIError; of the statements after one that fails none is run.
    """
    driver: Any = connection.connection.driver_connection
    is_local = connection.dialect.name == "sqlite"
    with driver_errors(connection), nullcontext() if is_local else driver.pipeline():
        yield driver
        if is_last and not is_local:
            driver.commit()


@contextmanager
def driver_errors(connection: Connection) -> Iterator[None]:
    """Raise what the driver raises as the DBAPIError that SQLAlchemy makes of it."""
    try:
        yield
    except connection.dialect.loaded_dbapi.Error as error:
        base = connection.dialect.loaded_dbapi.Error
        raise exc.DBAPIError.instance(None, None, error, base, dialect=connection.dialect) from error
