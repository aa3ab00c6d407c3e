"""Migrating a database. Nothing else knows Alembic, which is loaded only when something is to be migrated."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0003"
"""The newest of the migrations, said here so that a start need not read them."""


def upgrade(connection: Connection, revision: str) -> None:
    """Migrate up within the transaction that ``connection`` is in."""
    from alembic import command

    _migrate(command.upgrade, connection, revision)


def downgrade(connection: Connection, revision: str) -> None:
    """Migrate down within the transaction that ``connection`` is in."""
    from alembic import command

    _migrate(command.downgrade, connection, revision)


def alembic_config() -> Config:
    """Alembic's settings without any file: the migrations that were shipped, or those beside the package."""
    from alembic.config import Config

    package = Path(__file__).parents[1]
    shipped, beside = package / "migrations", package.parent / "migrations"
    config = Config()
    config.set_main_option("script_location", str(shipped if shipped.is_dir() else beside).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _migrate(migrate: Any, connection: Connection, revision: str) -> None:
    config = alembic_config()
    config.attributes["connection"] = connection
    migrate(config, revision)
