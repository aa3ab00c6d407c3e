"""Run as a program: its group was told to stop, and the http process has ended before the server is told."""

from __future__ import annotations

import os
import signal
from typing import Any

from granian.constants import Interfaces

from jobengine.app.http_server import HttpServer
from jobengine.clock import SystemClock


class LateTold(HttpServer):
    """Its process is one that has come to its end, as its watcher has noted."""

    def _spawn_workers(self, *args: Any) -> None:
        self.interrupt_children.append(0)
        os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    server = LateTold(
        "late",
        port=0,
        interface=Interfaces.WSGI,
        respawn_failed_workers=True,
        log_enabled=False,
        on_stop=lambda: None,
        clock=SystemClock(),
    )
    server.serve(target_loader=lambda: print, wrap_loader=False)


if __name__ == "__main__":
    main()
