"""Are the database's own guards in place? Without them nothing but the hash chain protects the history.

The migration makes them. Whoever may change the schema may drop them; rows changed afterwards are found by
`jobengine.history.audit`, the missing guard itself is found here.
"""

from __future__ import annotations

from sqlalchemy import text

from jobengine.history.database import Database

_COMMON = ("transitions_settled_no_update", "transitions_settled_no_delete", "jobs_with_history_no_delete")
_SQLITE = (*_COMMON, "transitions_settled_no_replace", "transitions_settled_no_update_replace")
_POSTGRESQL = (*_COMMON, "transitions_no_truncate", "jobs_no_truncate")
_IN_SQLITE = text("SELECT name FROM sqlite_master WHERE type = 'trigger'")
_IN_POSTGRESQL = text("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D'")


def missing_guards(database: Database) -> list[str]:
    """Names of the triggers that should refuse changes of history and are gone or switched off."""
    expected, statement = (_SQLITE, _IN_SQLITE) if database.is_sqlite else (_POSTGRESQL, _IN_POSTGRESQL)
    with database.reading() as connection:
        found = set(connection.scalars(statement))
    return sorted(set(expected) - found)
