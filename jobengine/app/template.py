"""What the processes of a service are forked from: one process that has imported what they need.

It is Python's own fork server, so it has one thread, and forking it is safe whenever a part of the service is
started anew. What it does before it forks is in `jobengine.app.template_process`.
"""

from __future__ import annotations

import multiprocessing
import socket
import threading
from collections.abc import Sequence
from multiprocessing import forkserver
from multiprocessing.context import ForkServerProcess
from typing import Any

DYING_LIMIT_S = 20.0
"""How long a template that was killed may take until the kernel shows that it has ended."""
_LOOK_AGAIN_S = 0.01
_one_start = threading.Lock()
"""The fork server's address is not to change between the look whether it runs and the call to it."""


def start_template() -> None:
    """Start it if it does not run, and return at once.

    The thread that calls this must live as long as the processes: the kernel ends them with it.
    """
    multiprocessing.set_forkserver_preload(["__main__", "jobengine.app.template_process"])
    forkserver.ensure_running()


class TemplateFork(ForkServerProcess):
    """A process that is forked from the template when it is started; the template is started if need be.

    ``passed``: sockets among its arguments that are its own from then on, and closed here.
    """

    def __init__(self, *args: Any, passed: Sequence[socket.socket] = (), **options: Any) -> None:
        super().__init__(*args, **options)
        self._passed = passed

    def start(self) -> None:
        """Blocks until it runs. Of a template that is about to end, waits for the end and starts another.

        Raises OSError or EOFError when no template can be had. What `start_template` says of the thread
        is true of this too.
        """
        for _ in range(int(DYING_LIMIT_S / _LOOK_AGAIN_S)):
            try:
                return self._start_once()
            except (EOFError, ConnectionError):
                threading.Event().wait(_LOOK_AGAIN_S)
        self._start_once()

    def _start_once(self) -> None:
        with _one_start:
            start_template()
            super().start()
        for one in self._passed:
            one.close()
