"""An engine rehearses with a job that nobody ever sees."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from jobengine.app.engine_rehearsal import rehearse_engine
from jobengine.clock import SystemClock
from jobengine.engine.workers import WorkerFolders
from jobengine.history.database import Database
from jobengine.history.reader import JobReader
from jobengine.history.store import SqlJobStore


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    with Database(sqlite_url, busy_timeout_ms=100) as opened:
        yield opened


def rehearse(database: Database, folder: Path) -> list[str]:
    """What it says in the log."""
    folders = WorkerFolders(folder / "spool", folder / "logs")
    with ThreadPoolExecutor(1) as executor, capture_logs() as lines:
        rehearse_engine(SqlJobStore(database), executor, folders, SystemClock())
    return [line["event"] for line in lines]


def test_a_rehearsal_leaves_neither_rows_nor_files_nor_complaints(database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    assert rehearse(database, folder) == []
    reader = JobReader(database)
    assert (reader.count_jobs(None), reader.newest_event()) == (0, 0)
    assert not folder.exists()


def test_an_engine_that_can_not_rehearse_says_so_and_begins(database: Database, tmp_path: Path) -> None:
    with database.writing():
        assert rehearse(database, tmp_path) == ["engine.not_rehearsed"]
