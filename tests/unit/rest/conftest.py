"""One fresh bench per test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.rest.bench import Bench, make_bench


@pytest.fixture
def bench(tmp_path: Path, sqlite_url: str) -> Iterator[Bench]:
    made = make_bench(tmp_path, sqlite_url)
    yield made
    made.database.close()
