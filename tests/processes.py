"""The end of processes that are no children of the tests.

One that has ended stays in the table as a zombie until its parent has asked how. An orphan's parent is init,
which on some machines asks every other second only: what a test waits for has come before.
"""

from __future__ import annotations

from collections.abc import Iterable

import psutil

from tests.waiting import wait_until


def has_ended(process: psutil.Process) -> bool:
    """Whether it does nothing any more and holds nothing, asked after or not."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def name_of(process: psutil.Process) -> str:
    """What it calls itself; empty if it has ended, be it that nobody has heard of it yet."""
    try:
        return "" if has_ended(process) else process.name()
    except psutil.NoSuchProcess:
        return ""


def await_end(processes: Iterable[psutil.Process], what: str) -> None:
    """Block until all have ended."""
    left = list(processes)
    wait_until(lambda: all(map(has_ended, left)), what)
