"""What processes of a service begin with; each imports its own part only there, and main imports none."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket
    from multiprocessing.connection import Connection

    from jobengine.app.proxy_link import ProxyLink
    from jobengine.settings import Settings
    from jobengine.worker.nursery_process import NurseryProcess


def run_engine(
    settings: Settings, finish_jobs: bool, ready: Connection, nursery: NurseryProcess | None = None
) -> None:
    """Be the engine process; see `jobengine.app.engine_process.run_engine`."""
    from jobengine.app.engine_process import run_engine as run

    run(settings, finish_jobs, ready, nursery)


def run_proxy(settings: Settings, listener: socket.socket, link: ProxyLink, ready: Connection) -> None:
    """Be the proxy process; see `jobengine.app.proxy_process.run_proxy`."""
    from jobengine.app.proxy_process import run_proxy as run

    run(settings, listener, link, ready)


def load_http(
    settings: Settings, stopping: Connection, ready: Connection, link: ProxyLink | None
) -> Callable[..., Any]:
    """Be the http process; see `jobengine.app.http_process.load_http`."""
    from jobengine.app.http_process import load_http as load

    return load(settings, stopping, ready, link)
