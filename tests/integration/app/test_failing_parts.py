"""A part of the service that can't begin ends it, and one whose template is gone does not go on alone."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from jobengine.crash_loop import LIMIT
from tests.waiting import PATIENCE_S


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A Python program; it has ended."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


def test_an_http_process_that_can_not_begin_is_tried_as_often_as_any_other_part() -> None:
    served = run("-m", "tests.integration.app.failing_http")

    assert served.returncode == 1
    assert served.stdout.splitlines()[-LIMIT:] == ["begun"] * LIMIT
    assert "it can't begin" in served.stderr


def test_an_http_process_that_was_told_to_stop_with_its_group_has_not_failed() -> None:
    assert run("-m", "tests.integration.app.late_told_http").returncode == 0


@pytest.mark.parametrize(("is_there", "exit_code"), [(True, 0), (False, 1)])
def test_a_process_goes_on_only_below_the_parent_that_it_shall_end_with(
    is_there: bool, exit_code: int
) -> None:
    parent = os.getpid() if is_there else os.getppid()
    program = f"from jobengine.app.parent import end_with_parent; end_with_parent({parent})"

    assert run("-c", program).returncode == exit_code
