"""What ``ps`` and ``top`` call a process: Linux keeps a name of 15 bytes for each.

The command line of a fork stays that of the process it is a fork of.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

_PR_SET_NAME = 15
_MAX_BYTES = 15


def name_process(name: str) -> None:
    """Name this process; what is longer than 15 bytes is cut. Called by its main thread."""
    ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode()[:_MAX_BYTES])


def name_of(process_id: int) -> str:
    """What a process is called; empty if there is none."""
    try:
        return Path(f"/proc/{process_id}/comm").read_text().rstrip("\n")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def name_for(job_id: str) -> str:
    """The name of the worker of a job: the end of its id, as ids of one time begin alike."""
    return f"job {job_id[-11:]}"
