"""What tests of re-streaming share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.worker.restream.scene import Scene


@pytest.fixture(params=[False, True], ids=["by-steps", "along"])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Scene:
    """A stored camera, a sink, and a worker between them, alone and as one of those that share a process."""
    scene = Scene(tmp_path)
    scene.goes_along = request.param
    return scene
