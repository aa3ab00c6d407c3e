"""An event for which a main thread waits that also handles signals."""

from __future__ import annotations

import select
import signal
import socket
from contextlib import suppress

_BITE_BYTES = 4096


class SignalEvent:
    """What `threading.Event` is, but for two things. A signal wakes who waits, also if the kernel gives it to
    another thread, as it may where a stopped process goes on: its handler runs in the main thread, which has
    to be awake for that. And a handler may set it whatever the main thread is doing, as there is no lock.

    Made and waited for in the main thread, whose signals it hears from `listen` on; `close` it there.
    """

    def __init__(self) -> None:
        self._is_set = False
        self._ear, self._mouth = socket.socketpair()
        for end in (self._ear, self._mouth):
            end.setblocking(False)
        self._arrivals = select.poll()
        self._arrivals.register(self._ear, select.POLLIN)

    def listen(self) -> None:
        """Have all signals that Python handles wake who waits."""
        signal.set_wakeup_fd(self._mouth.fileno(), warn_on_full_buffer=False)

    def set(self) -> None:
        """Wake who waits, now and whenever one waits. From any thread, or a signal handler; also once it is
        closed, when nobody waits any more."""
        self._is_set = True
        with suppress(OSError):  # full, so there is enough to wake somebody
            self._mouth.send(b"\0")

    def clear(self) -> None:
        """Have who waits next wait."""
        self._is_set = False

    def wait(self) -> None:
        """Wait without a limit until it is set. Handlers of signals run meanwhile."""
        while not self._is_set:
            self._arrivals.poll()
            with suppress(BlockingIOError):
                self._ear.recv(_BITE_BYTES)

    def close(self) -> None:
        """No signal wakes anybody any more. Idempotent."""
        if self._ear.fileno() >= 0:
            signal.set_wakeup_fd(-1)
        self._ear.close()
        self._mouth.close()
