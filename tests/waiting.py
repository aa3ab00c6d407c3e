"""Waiting for something outside this process that sends no signal: a process, a file, a server.

Never to let a clock run: clocks are parameters, and tests move them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")

PATIENCE_MS = 120_000
PATIENCE_S = PATIENCE_MS / 1000
"""The one bound for what has to happen in the end: it says that something hangs, not how fast it is.

A busy machine may stand still for seconds, so no test has a shorter one of its own.
"""
INTERVAL_S = 0.01


def wait_until(predicate: Callable[[], Result], what: str) -> Result:
    """Look again every 10 ms until ``predicate`` answers something true, and return that answer.

    Blocks for `PATIENCE_S` at most, then fails naming ``what`` was awaited and the last answer.
    """
    deadline = time.monotonic() + PATIENCE_S
    while not (answer := predicate()):
        if time.monotonic() > deadline:
            raise AssertionError(f"after {PATIENCE_S:g} s still not: {what} (last answer: {answer!r})")
        time.sleep(INTERVAL_S)
    return answer
