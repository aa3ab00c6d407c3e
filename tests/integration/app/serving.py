"""What the programs here that serve have in common."""

from __future__ import annotations

from granian.constants import Interfaces

from jobengine.app.http_server import HttpServer
from jobengine.clock import SystemClock


def new_server(kind: type[HttpServer], name: str) -> HttpServer:
    """A server on a free port, as a service has it."""
    return kind(
        name,
        port=0,
        interface=Interfaces.WSGI,
        respawn_failed_workers=True,
        log_enabled=False,
        on_stop=lambda: None,
        clock=SystemClock(),
    )
