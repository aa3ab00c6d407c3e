"""Streams of a contents store that elements may come to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from jobengine.ports.contents import ContentStore, LimitStream

Store = TypeVar("Store", bound=ContentStore)


def begun(store: Store, streams: Iterable[int]) -> Store:
    """The store with these streams, without limits."""
    store.commit([LimitStream(stream, None, None) for stream in streams])
    return store
