"""A contents store as the re-streaming jobs of one process share it."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass

from jobengine.clock import Clock
from jobengine.contents.catalogue import Catalogue
from jobengine.ports.contents import ContentStore
from jobengine.worker.restream.pins import Pins


@dataclass(frozen=True, slots=True)
class SharedStore:
    """The store, what is known of its contents, and what is pinned in it."""

    store: ContentStore
    catalogue: Catalogue
    pins: Pins


def share(store: ContentStore, clock: Clock, executor: Executor) -> SharedStore:
    """``store`` stays its opener's to close, after ``executor`` has been shut down."""
    return SharedStore(store, Catalogue(store, clock), Pins(store, clock, executor))
