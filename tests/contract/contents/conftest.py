"""What the tests of the contents store have in common: a new store of each backend."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from jobengine.ports.contents import ContentStore
from jobengine.testing.clock import ManualClock
from tests.contract.contents.backends import BACKENDS, StoreFactory


@pytest.fixture
def clock() -> ManualClock:
    """The store's clock; stored times rise by a microsecond with each reading."""
    return ManualClock(step=timedelta(microseconds=1))


@pytest.fixture(params=sorted(BACKENDS))
def store_factory(
    request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock
) -> Iterator[StoreFactory]:
    """Opens the test's store, once of each backend."""
    with BACKENDS[request.param](tmp_path, clock) as factory:
        yield factory


@pytest.fixture
def store(store_factory: StoreFactory) -> ContentStore:
    """A new and empty store."""
    return store_factory.open()
