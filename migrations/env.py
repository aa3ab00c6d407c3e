"""How Alembic reaches the database.

`jobengine.history.database` hands over its own connection. On the command line the database is named by
``-x url=…`` or by ``sqlalchemy.url``: ``alembic -c setup.cfg -x url=sqlite:////tmp/new.db upgrade head``.
"""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from jobengine.errors import SettingsError
from jobengine.history.database import Database
from jobengine.history.tables import metadata


def run(connection: Connection) -> None:
    """Run what was asked for inside the transaction that the connection is in."""
    context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()


def run_from_command_line() -> None:
    """Open the database that the command line or the configuration names."""
    url = context.get_x_argument(as_dictionary=True).get("url")
    url = url or context.config.get_main_option("sqlalchemy.url")
    if not url:
        raise SettingsError("say which database: alembic -x url=sqlite:////folder/file.db …")
    with Database(url) as database, database.writing() as connection:
        run(connection)


given = context.config.attributes.get("connection")
if given is None:
    run_from_command_line()
else:
    run(given)
