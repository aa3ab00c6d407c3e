"""Which class does which kind of work. Loaded when needed: a worker imports only its own kind."""

from __future__ import annotations

import sys
from importlib import import_module

from jobengine.errors import WorkerError
from jobengine.ports.work import Work
from jobengine.worker.convert.warm import warm_recipes

_WORKS = {
    "pipe": ("jobengine.worker.pipe", "PipeWork"),
    "convert": ("jobengine.worker.convert.work", "ConvertWork"),
    "restream": ("jobengine.worker.restream.resources", "new_restream"),
    "ingest": ("jobengine.worker.ingest.work", "new_ingest"),
}


def new_work(kind: str) -> Work:
    """A new work of this kind. Raises WorkerError if there is none."""
    if kind not in _WORKS:
        raise WorkerError(f"this worker knows no work of kind {kind!r}", kind=kind)
    module, name = _WORKS[kind]
    work: Work = getattr(import_module(module), name)()
    return work


def release() -> None:
    """The process ends: close what works have shared in it."""
    shared = sys.modules.get("jobengine.worker.restream.resources")
    if shared is not None:
        shared.release()


def preload() -> None:
    """Import every kind, for the nursery whose workers shall find them warm."""
    for module, _ in _WORKS.values():
        import_module(module)
    warm_recipes()
