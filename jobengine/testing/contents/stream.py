"""One stream held in memory, in all the orders that look-ups need.

Knows nothing of commits, locks or clocks; `jobengine.testing.contents.store` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
from sortedcontainers import SortedDict, SortedList

from jobengine.model.element import (
    PTS_MAX,
    PTS_MIN,
    Element,
    ElementKind,
    Gap,
    PayloadState,
    StoredElement,
    StreamFacts,
)

BEHIND_ALL_SEQUENCES = 2**64


@dataclass(frozen=True, slots=True)
class Held:
    """An element with its payload; ``expires_us`` belongs to the payload."""

    stored: StoredElement
    planes: tuple[bytes, ...] | None
    expires_us: int | None

    @property
    def payload_bytes(self) -> int:
        """What its payload takes now."""
        return sum(self.stored.planes) if self.stored.payload is PayloadState.HERE else 0

    def with_payload(self, planes: tuple[bytes, ...], expires_us: int | None) -> Held:
        """The same with another payload."""
        sizes = tuple(len(plane) for plane in planes)
        return Held(
            msgspec.structs.replace(self.stored, payload=PayloadState.HERE, planes=sizes), planes, expires_us
        )

    def without_payload(self) -> Held:
        """The same with its payload gone."""
        return Held(msgspec.structs.replace(self.stored, payload=PayloadState.GONE, planes=()), None, None)

    def described_by(self, element: Element) -> Held:
        """The same with other metadata; place, id, pts and payload stay."""
        there = self.stored.element
        element = msgspec.structs.replace(element, pts=there.pts, element_id=there.element_id)
        return Held(msgspec.structs.replace(self.stored, element=element), self.planes, self.expires_us)


class MemoryStream:
    """Elements by sequence, by (pts, kind, sequence) and by id; key elements apart."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.next_sequence = 0
        self.payload_age_us: int | None = None
        self.payload_limit_bytes: int | None = None
        self.payload_bytes = 0
        self._held: SortedDict = SortedDict()
        self._times: SortedList = SortedList()
        self._key_times: SortedList = SortedList()
        self._ids: SortedDict = SortedDict()
        self._key_ids: SortedDict = SortedDict()

    def limit(self, payload_age_us: int | None, payload_limit_bytes: int | None) -> None:
        """Keep payload of this age and size at most; None: any."""
        self.payload_age_us = payload_age_us
        self.payload_limit_bytes = payload_limit_bytes

    def put(self, held: Held) -> Held | None:
        """Add an element, or replace the one of the same sequence; what was there."""
        stored = held.stored
        previous = self.remove(stored.sequence)
        time = _time(stored)
        self._held[stored.sequence] = held
        self._times.add(time)
        self._ids[stored.element.element_id] = stored.sequence
        if stored.element.is_key:
            self._key_times.add(time)
            self._key_ids[stored.element.element_id] = stored.sequence
        self.payload_bytes += held.payload_bytes
        return previous

    def remove(self, sequence: int) -> Held | None:
        """Take an element out; what was there."""
        held: Held | None = self._held.pop(sequence, None)
        if held is None:
            return None
        time = _time(held.stored)
        self._times.remove(time)
        del self._ids[held.stored.element.element_id]
        if held.stored.element.is_key:
            self._key_times.remove(time)
            del self._key_ids[held.stored.element.element_id]
        self.payload_bytes -= held.payload_bytes
        return held

    def held(self, sequence: int) -> Held | None:
        """One element with its payload."""
        held: Held | None = self._held.get(sequence)
        return held

    def all_held(self) -> list[Held]:
        """Every element in order of arrival."""
        return list(self._held.values())

    def facts(self) -> StreamFacts:
        """Counts and bounds."""
        return StreamFacts(
            stream=self.number,
            count=len(self._held),
            key_count=len(self._key_times),
            payload_bytes=self.payload_bytes,
            first_pts=self._times[0][0] if self._times else None,
            last_pts=self._times[-1][0] if self._times else None,
            next_sequence=self.next_sequence,
        )

    def last_at(self, pts: int, kind: ElementKind) -> Held | None:
        """The latest element of this pts and kind."""
        place = self._times.bisect_left((pts, kind, BEHIND_ALL_SEQUENCES))
        if place and self._times[place - 1][:2] == (pts, kind):
            return self.held(self._times[place - 1][2])
        return None

    def by_id(self, element_id: bytes) -> Held | None:
        """The element with exactly this id."""
        sequence = self._ids.get(element_id)
        return None if sequence is None else self.held(sequence)

    def between(self, first_pts: int, last_pts: int) -> tuple[int, int]:
        """Ranks (first, after the last) of the elements in a range of pts."""
        first = self._times.bisect_left((max(first_pts, PTS_MIN), -1, -1))
        last = self._times.bisect_right((min(last_pts, PTS_MAX), 2, 0))
        return first, max(first, last)

    def ranked(self, first: int, last: int) -> list[Held]:
        """Elements with ranks from ``first`` to before ``last``."""
        return [self._held[sequence] for _, _, sequence in self._times[first:last]]

    def key_by_pts(self, pts: int) -> Held | None:
        """The last key element at or before a pts."""
        place = self._key_times.bisect_right((pts, 2, 0))
        return self.held(self._key_times[place - 1][2]) if place else None

    def key_by_id(self, element_id: bytes) -> Held | None:
        """The last key element whose id is at or before this one."""
        place = self._key_ids.bisect_right(element_id)
        return self.held(self._key_ids.peekitem(place - 1)[1]) if place else None

    def scan(self, sequence: int) -> Iterator[StoredElement | Gap]:
        """What stands from a place of arrival on, with gaps for what is gone."""
        expected = sequence
        for found in self._held.irange(minimum=sequence):
            if found > expected:
                yield Gap(self.number, expected, found - 1)
            yield self._held[found].stored
            expected = found + 1
        if expected < self.next_sequence:
            yield Gap(self.number, expected, self.next_sequence - 1)


def _time(stored: StoredElement) -> tuple[int, int, int]:
    if stored.element.pts is None:
        raise ValueError("a stored element has a pts")
    return stored.element.pts, int(stored.element.kind), stored.sequence
