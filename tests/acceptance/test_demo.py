"""``jobengine demo`` for real: its own service, real sound, and every promise kept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jobengine.cli.demo.wav import read_wav


@pytest.mark.needs("film")
@pytest.mark.timeout(120)
def test_the_demo_keeps_its_promises_and_leaves_what_it_says(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    command = [sys.executable, "-m", "jobengine", "demo", "--data", str(folder)]
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=110, env=os.environ | {"NO_COLOR": "1"}
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Everything is as promised." in ended.stdout
    assert "BROKEN" not in ended.stdout
    assert "SELECT sequence, time_stamp" in ended.stdout
    assert "its dashboard is at http://127.0.0.1:" in ended.stdout
    assert "state=Paused" in ended.stdout
    assert "\x1b" not in ended.stdout
    assert read_wav(folder / "media" / "film-sound.wav").frames == 230_400
