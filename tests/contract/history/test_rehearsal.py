"""Before its first request an engine rehearses, of which nothing is kept."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text
from structlog.testing import capture_logs

from jobengine.clock import SystemClock
from jobengine.engine.rehearsal import rehearse
from jobengine.history.database import Database
from jobengine.history.store import SqlJobStore
from jobengine.history.tables import metadata
from tests.contract.history.records import a_job_with_history


def everything(database: Database) -> dict[str, list[Any]]:
    with database.reading() as connection:
        tables = {table.name: list(connection.execute(table.select())) for table in metadata.sorted_tables}
        if not database.is_sqlite:
            tables["numbers"] = list(connection.execute(text("SELECT * FROM pg_sequences")))
    return tables


def test_it_changes_no_row_takes_no_number_and_finds_nothing_wrong(
    database: Database, store: SqlJobStore
) -> None:
    a_job_with_history(store)
    before = everything(database)
    with capture_logs() as lines:
        rehearse(store, SystemClock())
    assert lines == []
    assert everything(database) == before
