"""Whether a process that holds something is still alive, told by what the kernel says of it.

A name is of one machine, from one start to the next, and of one namespace of process ids; processes of others
can't be judged. The moment of its start tells a process from a later one with the same id.
"""

from __future__ import annotations

import os
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/pid")
_DEAD = frozenset("ZXx")


def this_process() -> str:
    """The name of this process."""
    pid = os.getpid()
    return f"{_here()}/{pid}/{_life(pid)[1]}"


def is_gone(name: str) -> bool:
    """Whether the process of this name is known to have ended; False for one that can't be judged."""
    here, _, rest = name.rpartition("/")
    here, _, pid = here.rpartition("/")
    if here != _here() or not pid.isdigit():
        return False
    try:
        state, started = _life(int(pid))
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state in _DEAD or started != rest


def _here() -> str:
    return f"{_BOOT_ID.read_text('ascii').strip()}/{os.readlink(_NAMESPACE)}"


def _life(pid: int) -> tuple[str, str]:
    """State and start of a process. Raises FileNotFoundError or ProcessLookupError if there is none."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    return fields[0], fields[19]
