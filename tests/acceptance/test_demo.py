"""``jobengine demo``: what a newcomer runs first."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

pytestmark = pytest.mark.needs("film")


def test_the_demo_records_real_sound_and_proves_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "jobengine", "demo", "--data", str(tmp_path / "demo")],
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "BROKEN" not in done.stdout
    assert "SELECT sequence" in done.stdout
    assert "Traceback" not in done.stderr
    with closing(sqlite3.connect(tmp_path / "demo" / "jobengine.sqlite3")) as connection:
        states = connection.execute("SELECT name, current_state FROM jobs ORDER BY name").fetchall()
    assert states == [("Film sound", "Finished"), ("Test signal", "Finished")]
