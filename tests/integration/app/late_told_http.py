"""Run as a program: its group was told to stop, and the http process has ended before the server is told."""

from __future__ import annotations

import os
import signal
from typing import Any

from jobengine.app.http_server import HttpServer
from tests.integration.app.serving import new_server


class LateTold(HttpServer):
    """Its process is one that has come to its end, as its watcher has noted."""

    def _spawn_workers(self, *args: Any) -> None:
        self.interrupt_children.append(0)
        os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    server = new_server(LateTold, "late")
    server.serve(target_loader=lambda: print, wrap_loader=False)


if __name__ == "__main__":
    main()
