"""Rings with commits of any process: the kernel tells of writes to the index's file.

Commits of the index are written to its file by system calls, also where nothing is synced, so whoever watches
the file is woken by each. There is no other word between processes that use a store.
"""

from __future__ import annotations

import ctypes
import os
import select
from pathlib import Path
from typing import Final

_IN_MODIFY: Final = 0x2
_libc: Final = ctypes.CDLL(None, use_errno=True)


class FileBell:
    """A `jobengine.ports.contents.Bell` at one file. Raises OSError where the kernel has no more watches."""

    def __init__(self, path: Path) -> None:
        self.descriptor = _checked(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        try:
            _checked(_libc.inotify_add_watch(self.descriptor, os.fsencode(path), _IN_MODIFY))
        except OSError:
            self.close()
            raise

    def hush(self) -> None:
        """Take the rings so far."""
        try:
            os.read(self.descriptor, 4096)  # equal events are one, so there is never more
        except BlockingIOError:
            return

    def wait(self, timeout_s: float) -> None:
        """Block until it rings, at most so long."""
        poller = select.poll()
        poller.register(self.descriptor, select.POLLIN)
        poller.poll(timeout_s * 1000)

    def close(self) -> None:
        """Let it go."""
        os.close(self.descriptor)


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), "the index can't be watched")
    return result
