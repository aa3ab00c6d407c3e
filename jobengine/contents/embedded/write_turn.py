"""Turns of processes in writing to a store: LMDB's lock has no timeout, so nobody waits at it.

Two locks make the line: who waits for the one that writes holds the other, so that a process which writes
again at once comes behind it. The system takes both from a process that dies.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from jobengine.clock import Clock
from jobengine.errors import UnavailableError

_LOOK_AGAIN_S: Final = 0.0002


class WriteTurn:
    """This process's place in the line; used by one thread at a time."""

    def __init__(self, folder: Path, clock: Clock, timeout_s: float) -> None:
        """``timeout_s``: how long others may write before this process gives up."""
        self._clock = clock
        self._timeout_s = timeout_s
        self._pause = threading.Event()
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self._next = os.open(folder / "next-writer", flags, 0o640)
        self._writer = os.open(folder / "writer", flags, 0o640)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Nobody else writes meanwhile. Blocks; raises UnavailableError after the timeout."""
        deadline_ns = self._clock.monotonic_ns() + int(self._timeout_s * 1e9)
        self._take(self._next, deadline_ns)
        try:
            self._take(self._writer, deadline_ns)
        finally:
            fcntl.flock(self._next, fcntl.LOCK_UN)
        try:
            yield
        finally:
            fcntl.flock(self._writer, fcntl.LOCK_UN)

    def close(self) -> None:
        """Leave the line."""
        os.close(self._next)
        os.close(self._writer)

    def _take(self, file: int, deadline_ns: int) -> None:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if self._clock.monotonic_ns() > deadline_ns:
                    raise UnavailableError(
                        f"other processes wrote to the contents store for {self._timeout_s:g} s; "
                        "nothing was accepted"
                    ) from None
                self._pause.wait(_LOOK_AGAIN_S)
            else:
                return
