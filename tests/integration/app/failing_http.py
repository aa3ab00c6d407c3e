"""Run as a program: serves with http processes that can't begin. Each prints a line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from granian.constants import Interfaces

from jobengine.app.http_server import HttpServer
from jobengine.app.template import start_template
from jobengine.clock import SystemClock


def fail() -> Callable[..., Any]:
    print("begun", flush=True)
    raise RuntimeError("it can't begin")


def main() -> None:
    start_template()
    server = HttpServer(
        "failing",
        port=0,
        interface=Interfaces.WSGI,
        respawn_failed_workers=True,
        log_enabled=False,
        on_stop=lambda: None,
        clock=SystemClock(),
    )
    server.serve(target_loader=fail, wrap_loader=False)


if __name__ == "__main__":
    main()
