"""What the tests of the history have in common."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jobengine.history.database import Database
from jobengine.history.reader import JobReader
from jobengine.history.store import SqlJobStore
from jobengine.history.whole_jobs import WholeJobs


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A migrated database of the test's own, once of each kind."""
    with Database(database_url, busy_timeout_ms=200) as opened:
        yield opened


@pytest.fixture
def store(database: Database) -> SqlJobStore:
    """The writing side."""
    return SqlJobStore(database)


@pytest.fixture
def whole_jobs(database: Database) -> WholeJobs:
    """Jobs with all their rows."""
    return WholeJobs(database)


@pytest.fixture
def reader(database: Database) -> JobReader:
    """The reading side."""
    return JobReader(database)
