"""Waiting for something outside this process that sends no signal: a process, a file, a server.

Never to let a clock run: clocks are parameters, and tests move them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")

INTERVAL_S = 0.01


def wait_until(predicate: Callable[[], Result], timeout_s: float, what: str) -> Result:
    """Look again every 10 ms until ``predicate`` answers something true, and return that answer.

    Blocks for ``timeout_s`` seconds at most, then fails naming ``what`` was awaited and the last answer.
    """
    deadline = time.monotonic() + timeout_s
    while not (answer := predicate()):
        if time.monotonic() > deadline:
            raise AssertionError(f"after {timeout_s} s still not: {what} (last answer: {answer!r})")
        time.sleep(INTERVAL_S)
    return answer
