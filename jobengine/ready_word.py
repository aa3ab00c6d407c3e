"""How a process says that it is ready to the one that has started it, which asks when it has ended.

What became of a process that never said so, and of one that did, is told apart in `jobengine.crash_loop`.
"""

from __future__ import annotations

import os
import struct
from multiprocessing import Pipe
from multiprocessing.connection import Connection

from jobengine.clock import Clock

_WORD = struct.Struct("qq")  # process id; when it was ready, on the clock that all processes share


class ReadyWords:
    """The words of all processes that are given ``mouth``, as an argument or by a fork. For one thread."""

    def __init__(self) -> None:
        self._ear, self.mouth = Pipe(duplex=False)
        self._ready_ns: dict[int, int] = {}

    def served_s(self, process_id: int, ended_ns: int) -> float | None:
        """How long a process that ended by the monotonic time ``ended_ns`` had been ready; None if it never
        was. Forgets it, so this is to be asked once for each process that ended. Never blocks."""
        while self._ear.poll():
            speaker, ready_ns = _WORD.unpack(self._ear.recv_bytes(_WORD.size))
            self._ready_ns[speaker] = ready_ns
        ready_ns = self._ready_ns.pop(process_id, None)
        return None if ready_ns is None else (ended_ns - ready_ns) / 1e9

    def close(self) -> None:
        """Hear nothing more. Idempotent."""
        self._ear.close()
        self.mouth.close()


def say_ready(mouth: Connection, clock: Clock) -> None:
    """Say that this process is ready, once; ``mouth`` is closed by it."""
    with mouth:
        mouth.send_bytes(_WORD.pack(os.getpid(), clock.monotonic_ns()))
