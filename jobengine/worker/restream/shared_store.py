"""A contents store as the re-streaming jobs of one process share it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from jobengine.clock import Clock
from jobengine.contents.catalogue import Catalogue
from jobengine.ports.contents import Bell, ContentStore
from jobengine.worker.restream.pins import Pins


@dataclass(frozen=True, slots=True)
class SharedStore:
    """The store, what is known of its contents, what is pinned in it, and a bell that rings with commits."""

    store: ContentStore
    catalogue: Catalogue
    pins: Pins
    bell: Bell | None = None

    @property
    def descriptors(self) -> Sequence[int]:
        """Those that become readable with a commit; none where the store has no bell."""
        return (self.bell.descriptor,) if self.bell is not None else ()

    def version(self) -> int:
        """The store's version; whoever waits for the next one is woken by the bell, if there is one."""
        if self.bell is not None:
            self.bell.hush()
        return self.store.version()

    def close(self) -> None:
        """Let bell and store go."""
        if self.bell is not None:
            self.bell.close()
        self.store.close()


def share(store: ContentStore, clock: Clock, executor: Executor) -> SharedStore:
    """A store with its bell; ``executor`` is shut down before it is closed."""
    return SharedStore(store, Catalogue(store, clock), Pins(store, clock, executor), store.bell())
