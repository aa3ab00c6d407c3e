"""What tests of the worker share."""

from __future__ import annotations

import pytest

from tests.unit.worker.stage import Stage


@pytest.fixture
def stage() -> Stage:
    """A runtime whose waiting moves the clock."""
    return Stage()
