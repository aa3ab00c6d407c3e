"""Engines for tests: with real workers in this process, and with puppets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jobengine.testing import InMemoryEngine, ManualClock, PuppetWorkers


@pytest.fixture
def engine() -> Iterator[InMemoryEngine]:
    """Real workers over synthetic works."""
    with InMemoryEngine() as engine:
        yield engine


@pytest.fixture
def puppets(stage: InMemoryEngine) -> PuppetWorkers:
    """The workers of `stage`."""
    assert isinstance(stage.workers, PuppetWorkers)
    return stage.workers


@pytest.fixture
def stage() -> Iterator[InMemoryEngine]:
    """An engine whose workers say what the test makes them say."""
    clock = ManualClock()
    with InMemoryEngine(clock, PuppetWorkers(clock)) as engine:
        yield engine
