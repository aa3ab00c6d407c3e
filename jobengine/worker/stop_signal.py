"""That the process of a worker was told to stop."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence


class StopSignal:
    """Remembers it from `install` on, and wakes whoever waits for the ``descriptors``: they become readable
    with the signal and stay so. They are open as long as the process lives, like the handler."""

    def __init__(self) -> None:
        self.stop = False
        self.descriptors: Sequence[int] = ()

    def install(self) -> None:
        """SIGTERM tells to stop; what a whole group of processes is sent besides is the engine's business."""
        self.descriptors = (os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC),)
        signal.signal(signal.SIGTERM, self._on_stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def _on_stop(self, signum: int, frame: object) -> None:
        self.stop = True
        for descriptor in self.descriptors:
            os.eventfd_write(descriptor, 1)
