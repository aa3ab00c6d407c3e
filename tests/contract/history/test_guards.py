"""A dropped guard is noticed."""

from __future__ import annotations

from jobengine.history.database import Database
from jobengine.history.guards import missing_guards

GUARD = "transitions_settled_no_update"


def test_a_migrated_database_has_all_its_guards(database: Database) -> None:
    assert missing_guards(database) == []


def test_a_dropped_guard_is_named(database: Database) -> None:
    with database.writing() as connection:
        connection.exec_driver_sql(f"DROP TRIGGER {GUARD}{'' if database.is_sqlite else ' ON transitions'}")
    assert missing_guards(database) == [GUARD]
