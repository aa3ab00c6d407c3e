"""What tests of re-streaming share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.worker.restream.scene import Scene


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """A stored camera, a sink, and a worker between them."""
    return Scene(tmp_path)
