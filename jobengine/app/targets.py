"""What spawned processes begin with; each imports its own part only there, the main process needs neither."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from jobengine.settings import Settings


def run_engine(settings: Settings, finish_jobs: bool) -> None:
    """Be the engine process; see `jobengine.app.engine_process.run_engine`."""
    from jobengine.app.engine_process import run_engine as run

    run(settings, finish_jobs)


def load_http(settings: Settings, stopping: Connection) -> Callable[..., Any]:
    """Be the http process; see `jobengine.app.http_process.load_http`."""
    from jobengine.app.http_process import load_http as load

    return load(settings, stopping)
