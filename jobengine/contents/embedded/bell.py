"""Rings with commits of any process: who has committed opens the index's file, and the kernel tells of it.

The file is written to as well, but page by page, and the last one a moment before readers see the commit: who
was woken by that and looked at once found nothing new, and was not woken again. There is no other word
between processes that use a store.
"""

from __future__ import annotations

import ctypes
import os
import select
from contextlib import suppress
from pathlib import Path
from typing import Final

_IN_OPEN: Final = 0x20
_libc: Final = ctypes.CDLL(None, use_errno=True)


class FileBell:
    """A `jobengine.ports.contents.Bell` at one file. Raises OSError where the kernel has no more watches."""

    def __init__(self, path: Path) -> None:
        self.descriptor = _checked(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        try:
            _checked(_libc.inotify_add_watch(self.descriptor, os.fsencode(path), _IN_OPEN))
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


def ring(path: Path) -> None:
    """Wake whoever watches this file. A process that can't open it now, as it has no descriptor left, rings
    nobody and goes on: what it rings for is committed, and who watches looks by itself every 0.1 s."""
    with suppress(OSError):
        os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC))


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), "the index can't be watched")
    return result
