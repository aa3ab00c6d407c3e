"""The backends that the behaviour suite holds for: one line for each in `BACKENDS`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from jobengine.contents.embedded import EmbeddedContents, EmbeddedOptions
from jobengine.contents.redis_store.opening import open_redis_store
from jobengine.ports.contents import ContentStore
from jobengine.testing.clock import ManualClock
from jobengine.testing.contents.store import MemoryContents
from tests import redis_servers
from tests.begun import begun
from tests.contract.contents.samples import OTHER, STREAM
from tests.waiting import PATIENCE_S


class StoreFactory(Protocol):
    """Opens one store, again and again; whatever it opened is closed by whoever made the factory."""

    def open(self) -> ContentStore:
        """The store, new at the first call."""
        ...

    def reopen(self) -> ContentStore:
        """Close it and open it again, with all that was committed."""
        ...


class OpenedAgain:
    """A `StoreFactory` for stores that live on in files or in a server; new ones have the tests' streams."""

    def __init__(self, opener: Callable[[], ContentStore]) -> None:
        self._opener = opener
        self._opened: list[ContentStore] = []
        self._is_new = True

    def open(self) -> ContentStore:
        """The store, new at the first call."""
        self._opened.append(self._opener())
        if self._is_new:
            begun(self._opened[-1], (STREAM, OTHER))
        self._is_new = False
        return self._opened[-1]

    def reopen(self) -> ContentStore:
        """Close it and open it again."""
        self.close()
        return self.open()

    def close(self) -> None:
        """Close what was opened."""
        while self._opened:
            self._opened.pop().close()


class _InMemory(OpenedAgain):
    """Nothing outlives a store in memory: to open it again leaves it as it is."""

    def reopen(self) -> ContentStore:
        return self._opened[-1] if self._opened else self.open()


@contextmanager
def memory(_folder: Path, clock: ManualClock) -> Iterator[StoreFactory]:
    """A store in this process."""
    factory = _InMemory(lambda: MemoryContents(clock))
    yield factory
    factory.close()


@contextmanager
def redis(_folder: Path, clock: ManualClock) -> Iterator[StoreFactory]:
    """A store on a private Redis server."""
    with redis_servers.running() as server:
        factory = OpenedAgain(lambda: open_redis_store(server.url("test"), clock, PATIENCE_S))
        yield factory
        factory.close()


SMALL = EmbeddedOptions(segment_bytes=64 << 10, reserve_bytes=16 << 10, hot_segments=2)
"""Segments that fill up within a test; all but the newest are read like old ones."""


@contextmanager
def embedded(folder: Path, clock: ManualClock) -> Iterator[StoreFactory]:
    """A store in files."""
    factory = OpenedAgain(lambda: EmbeddedContents(folder / "contents", clock, SMALL))
    yield factory
    factory.close()


Backend = Callable[[Path, ManualClock], AbstractContextManager[StoreFactory]]
"""Makes a factory for one new store, given a folder of its own and the clock that the test moves."""

BACKENDS: Mapping[str, Backend] = {
    "embedded": embedded,
    "memory": memory,
    "redis": redis,
}
