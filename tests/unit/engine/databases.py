"""What others do to the database of an engine under test."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from jobengine.testing import InMemoryEngine


@contextmanager
def locked(stage: InMemoryEngine) -> Iterator[None]:
    """Another connection holds the database's write lock."""
    connection = sqlite3.connect(str(stage.database.url.database), isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
    finally:
        connection.close()
