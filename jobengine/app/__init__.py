"""The composition root: the only place that joins ports to adapters."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jobengine.settings import Settings


def run_service(settings: Settings, finish_jobs: bool = False) -> int:
    """Run one service until it is stopped; see `jobengine.app.service.run_service`.

    Imported late, since the engine's process lives in this package too and needs no http server.
    """
    from jobengine.app.service import run_service as run

    return run(settings, finish_jobs)
