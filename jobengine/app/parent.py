"""Processes of one tree end together."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys

from jobengine.worker.process_name import name_process

_PR_SET_PDEATHSIG = 1
_LOADED_IN = os.getpid()
"""The template, which loads this before it forks; its forks have it from there."""


def end_with_parent(parent: int) -> None:
    """Linux: the kernel kills this process when its parent is gone, however that went.

    ``parent`` is the id of the process that should be it: if it has ended already, this one ends here.
    Killing is safe: engine and http processes keep nothing that is not in the database.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)


def leave_template(name: str) -> None:
    """What a fork of the template begins with: it ends with that, can be told to end, and has a name."""
    end_with_parent(_LOADED_IN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    name_process(name)


def end_service() -> None:
    """Tell the main process to end, as a supervisor would; returns at once."""
    main = multiprocessing.parent_process()
    if main is None or main.pid is None:
        raise RuntimeError("this process belongs to no service")
    os.kill(main.pid, signal.SIGTERM)
