"""Where a job begins: from an anchor, back by an offset, over any store.

Each look-up is a generator that gives its turn back now and then, because other jobs share the thread;
it returns what it found, or None if it is not there (yet).
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import TypeVar
from uuid import UUID

from jobengine.clock import to_us
from jobengine.model.anchor import Anchor, AnchorPlace, Offset
from jobengine.model.element import ElementKind, StoredElement
from jobengine.ports.contents import ContentStore

_STEPS = 256
_FIRST_STEPS = 4
"""Most streams begin with a key element."""
_ID_BITS = 128
_LAST_ID = b"\xff" * 16
_UUID_VERSION_7 = 7

Found = TypeVar("Found")
LookUp = Generator[None, None, Found]


@dataclass(frozen=True, slots=True)
class StoredStream:
    """A stream to look in. ``kind`` None: whatever kind is found first is meant."""

    store: ContentStore
    number: int
    time_base: Fraction
    kind: ElementKind | None = None


@dataclass(frozen=True, slots=True)
class Moments:
    """The times that an anchor may mean: when the job first ran, and now."""

    started: datetime
    now: datetime


@dataclass(frozen=True, slots=True)
class Start:
    """A key element to begin with. ``is_oldest``: the offset reaches back further than the store does."""

    stored: StoredElement
    is_oldest: bool = False


def find_start(
    stream: StoredStream, anchor: Anchor, offset: Offset | None, moments: Moments
) -> LookUp[Start | None]:
    """The key element to begin with, or None as long as the anchor is not there."""
    found = yield from _find_anchor(stream, anchor, moments)
    if found is None or offset is None:
        return None if found is None else Start(found)
    return (yield from _walk_back(stream, found, offset))


def created_us(stored: StoredElement) -> int:
    """When an element was made, in microseconds since the Unix epoch: by its id (to the millisecond), or
    when it was stored if its id tells no time."""
    element_id = stored.element.element_id
    if element_id[6] >> 4 != _UUID_VERSION_7:
        return stored.stored_time_us
    return int.from_bytes(element_id[:6], "big") * 1000


def _find_anchor(stream: StoredStream, anchor: Anchor, moments: Moments) -> LookUp[StoredElement | None]:
    if anchor == "first":
        return (yield from _first_key(stream))
    if anchor == "latest":
        return (yield from _key_at(stream, _LAST_ID))
    if isinstance(anchor, AnchorPlace) and anchor.key is not None:
        return _exactly(stream, anchor.key)
    if isinstance(anchor, AnchorPlace) and anchor.element is not None:
        stored = stream.store.by_id(stream.number, anchor.element.bytes)
        return None if stored is None else (yield from _key_at(stream, anchor.element.bytes))
    if isinstance(anchor, AnchorPlace) and anchor.pts is not None:
        return stream.store.key_by_pts(stream.number, anchor.pts)
    moment = anchor.time if isinstance(anchor, AnchorPlace) and anchor.time else moments.started
    if moment > moments.now:
        return None
    return (yield from _key_at(stream, _last_id_of(to_us(moment) // 1000)))


def _exactly(stream: StoredStream, element_id: UUID) -> StoredElement | None:
    stored = stream.store.by_id(stream.number, element_id.bytes)
    return stored if stored is not None and _is_wanted(stream, stored) and stored.element.is_key else None


def _key_at(stream: StoredStream, element_id: bytes) -> LookUp[StoredElement | None]:
    """The last wanted key element whose id is at or before this one."""
    stored = stream.store.key_by_id(stream.number, element_id)
    steps = 0
    while stored is not None and not _is_wanted(stream, stored):
        stored = _key_before(stream, stored)
        steps += 1
        if steps % _STEPS == 0:
            yield
    return stored


def _first_key(stream: StoredStream) -> LookUp[StoredElement | None]:
    sequence, steps = 0, _FIRST_STEPS
    while entries := stream.store.scan(stream.number, sequence, steps):
        steps = _STEPS
        for entry in entries:
            if not isinstance(entry, StoredElement):
                sequence = entry.last_sequence + 1
            elif entry.element.is_key and _is_wanted(stream, entry):
                return entry
            else:
                sequence = entry.sequence + 1
        yield
    return None


def _walk_back(stream: StoredStream, anchor: StoredElement, offset: Offset) -> LookUp[Start]:
    """From key element to key element until the offset is reached, or there is none before."""
    reached = anchor
    distance = _Distance(stream.time_base, offset, anchor)
    steps = 0
    while not distance.is_reached:
        before = _key_before(stream, reached)
        if before is None:
            return Start(reached, is_oldest=True)
        if _is_wanted(stream, before):
            distance.take(reached, before)
            reached = before
        steps += 1
        if steps % _STEPS == 0:
            yield
    return Start(reached)


class _Distance:
    """How far a walk has come. Media time is summed up, so that a clock that began anew counts as no step."""

    def __init__(self, time_base: Fraction, offset: Offset, anchor: StoredElement) -> None:
        self._by = "blocks" if offset.blocks is not None else offset.by
        self._anchor_us = created_us(anchor)
        self._tick_us = time_base * 1_000_000
        self._wanted = (
            offset.blocks if offset.blocks is not None else round((offset.seconds or 0) * 1_000_000)
        )
        self._passed: int | Fraction = 0

    @property
    def is_reached(self) -> bool:
        return self._passed >= self._wanted

    def take(self, reached: StoredElement, before: StoredElement) -> None:
        if self._by == "blocks":
            self._passed += 1
        elif self._by == "creationTime":
            self._passed = self._anchor_us - created_us(before)
        else:
            ticks = (reached.element.pts or 0) - (before.element.pts or 0)
            self._passed += max(0, ticks) * self._tick_us


def _key_before(stream: StoredStream, stored: StoredElement) -> StoredElement | None:
    number = int.from_bytes(stored.element.element_id, "big")
    if number == 0:
        return None
    return stream.store.key_by_id(stream.number, (number - 1).to_bytes(_ID_BITS // 8, "big"))


def _last_id_of(millisecond: int) -> bytes:
    """The greatest id made in a millisecond since the Unix epoch."""
    return max(0, millisecond).to_bytes(6, "big") + _LAST_ID[6:]


def _is_wanted(stream: StoredStream, stored: StoredElement) -> bool:
    return stream.kind is None or stored.element.kind is stream.kind
