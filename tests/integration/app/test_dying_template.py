"""A template that dies takes no part of the service with it for good."""

from __future__ import annotations

import subprocess
import sys

from tests.waiting import PATIENCE_S

ROUNDS = 3


def test_what_is_started_while_the_template_dies_is_forked_from_the_next() -> None:
    command = [sys.executable, "-m", "tests.integration.app.dying_template", str(ROUNDS)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, f"{3 * ROUNDS}\n", "")
