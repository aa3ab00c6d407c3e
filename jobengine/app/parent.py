"""Processes of one tree end together."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """Linux: the kernel kills this process when its parent is gone, however that went.

    Killing is safe: engine and http processes keep nothing that is not in the database.
    """
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)


def end_parent() -> None:
    """Tell the process that started this one to end, as a supervisor would; returns at once."""
    os.kill(os.getppid(), signal.SIGTERM)
