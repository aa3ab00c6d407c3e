"""What goes when a whole store holds too much: the oldest over all of its streams, in any backend."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from typing import NamedTuple

from jobengine.ports.contents import PutElement, PutPlanes, Write


class Aged(NamedTuple):
    """Something that may go, in order of its age. ``size``: bytes of a payload, or 1 for an element."""

    stored_us: int
    stream: int
    sequence: int
    size: int


def choose(streams: Iterable[Iterator[Aged]], excess: int, at_most: int) -> list[Aged]:
    """The oldest whose sizes make up ``excess``, at most so many; ``streams`` are each in order of age."""
    chosen: list[Aged] = []
    if excess <= 0:
        return chosen
    for aged in merge(*streams):
        chosen.append(aged)
        excess -= aged.size
        if excess <= 0 or len(chosen) == at_most:
            break
    return chosen


def bring_payload(writes: Sequence[Write]) -> bool:
    """Whether a commit stores bytes of payload."""
    return any(
        isinstance(write, PutPlanes) or (isinstance(write, PutElement) and write.planes) for write in writes
    )
