"""What the cases of the Content Beam API begin with: F, K, R, set10 and setT of its description."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.rest.beams.beam import Beam
from tests.unit.rest.bench import make_bench


@pytest.fixture
def beam(tmp_path: Path, sqlite_url: str) -> Iterator[Beam]:
    """An empty store behind the API."""
    bench = make_bench(tmp_path, sqlite_url)
    yield Beam(bench)
    bench.database.close()


@pytest.fixture
def with_f(beam: Beam) -> Beam:
    """With F."""
    beam.post()
    return beam


@pytest.fixture
def set10(beam: Beam) -> Beam:
    """Stream 3 of ``test_url`` with packets at -40, -30, … 50."""
    beam.post(streams=4)
    beam.put_packets(3, range(-40, 51, 10))
    return beam


@pytest.fixture
def set12(beam: Beam) -> Beam:
    """Stream 3 of ``test_url``, 25 ticks a second, with packets at 0, 10, … 110."""
    beam.post(streams=4, time_base=[1, 25])
    beam.put_packets(3, range(0, 111, 10))
    return beam


@pytest.fixture
def set_t(beam: Beam) -> Beam:
    """F with packets at -14400, -10800, … 18000 on stream 1."""
    beam.post()
    beam.put_packets(1, range(-14400, 18001, 3600))
    return beam


def pytest_make_parametrize_id(config: pytest.Config, val: Any) -> str | None:
    """Short texts as they are."""
    return val if isinstance(val, str) and 0 < len(val) < 60 else None
