"""How an embedded contents store divides its files and how long it waits."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class EmbeddedOptions:
    """The defaults suit a machine that records some hundred streams.

    ``segment_bytes``: a segment that would grow beyond is followed by the next; eviction frees that much at
    once. ``reserve_bytes``: disk space is taken in steps of this size. ``interval_ms``: callers that come
    one after the other within it share a sync. ``group_bytes``: so much is written without waiting for
    more. ``queue_bytes``: what may wait for the disk; beyond, callers wait. ``timeout_s``: how long they
    do. ``hot_segments``: the newest segments are read as they are, older ones are brought in and checked.
    ``expire_elements``: what one step of `expire` looks at. ``index_map_bytes``: address space for the
    index, no memory and no disk.
    """

    segment_bytes: int = 128 * MIB
    reserve_bytes: int = 16 * MIB
    interval_ms: float = 10.0
    group_bytes: int = 1 * MIB
    queue_bytes: int = 64 * MIB
    timeout_s: float = 30.0
    hot_segments: int = 16
    expire_elements: int = 2000
    index_map_bytes: int = 1 << 40
