"""What of streams in memory is past its time or limits, or beyond the capacity of all, and letting it go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from jobengine.contents.eviction import Aged, choose
from jobengine.ports.contents import Capacity
from jobengine.testing.contents.stream import Held, MemoryStream


@dataclass(frozen=True, slots=True)
class Pin:
    """Payloads of a range of a stream, both ends inclusive, that stay until a moment."""

    stream: int
    first_sequence: int
    last_sequence: int
    until_us: int

    def holds(self, held: Held) -> bool:
        """Whether it keeps this element's payload."""
        stored = held.stored
        return self.stream == stored.stream and self.first_sequence <= stored.sequence <= self.last_sequence


def expire_stream(stream: MemoryStream, pins: Iterable[Pin], now_us: int) -> list[int]:
    """Let go what must; the bytes of each payload that went."""
    mine = [pin for pin in pins if pin.stream == stream.number]
    gone = []
    for is_to_go in (_is_past, _is_too_much):
        for held in stream.all_held():
            if held.planes is None or any(pin.holds(held) for pin in mine):
                continue
            if is_to_go(held, stream, now_us):
                gone.append(held.payload_bytes)
                stream.put(held.without_payload())
    return gone


def let_payloads_go(
    streams: Mapping[int, MemoryStream], pins: Iterable[Pin], capacity: Capacity
) -> list[int]:
    """Let the oldest payloads go that are beyond the capacity and not pinned; the bytes of each."""
    if capacity.payload_bytes is None:
        return []
    excess = _payload_bytes(streams) - capacity.payload_bytes
    aged = [_aged(stream, pins, for_payload=True) for stream in streams.values()]
    gone = choose(aged, excess, _all_elements(streams))
    for each in gone:
        held = streams[each.stream].held(each.sequence)
        if held is not None:
            streams[each.stream].put(held.without_payload())
    return [each.size for each in gone]


def remove_elements(
    streams: Mapping[int, MemoryStream], pins: Iterable[Pin], capacity: Capacity
) -> list[Held]:
    """Remove the oldest elements that are beyond the capacity and not pinned."""
    if capacity.elements is None:
        return []
    count = _all_elements(streams)
    aged = [_aged(stream, pins, for_payload=False) for stream in streams.values()]
    removed = [
        streams[each.stream].remove(each.sequence) for each in choose(aged, count - capacity.elements, count)
    ]
    return [held for held in removed if held is not None]


def is_beyond(streams: Mapping[int, MemoryStream], capacity: Capacity) -> bool:
    """Whether there is more payload than the capacity allows."""
    return capacity.payload_bytes is not None and _payload_bytes(streams) > capacity.payload_bytes


def _payload_bytes(streams: Mapping[int, MemoryStream]) -> int:
    return sum(stream.payload_bytes for stream in streams.values())


def _all_elements(streams: Mapping[int, MemoryStream]) -> int:
    return sum(stream.facts().count for stream in streams.values())


def _aged(stream: MemoryStream, pins: Iterable[Pin], for_payload: bool) -> Iterator[Aged]:
    """What may go of a stream, in order of arrival."""
    mine = [pin for pin in pins if pin.stream == stream.number]
    for held in stream.all_held():
        stored = held.stored
        if any(pin.holds(held) for pin in mine) or (for_payload and held.planes is None):
            continue
        yield Aged(
            stored.stored_time_us, stream.number, stored.sequence, held.payload_bytes if for_payload else 1
        )


def _is_past(held: Held, stream: MemoryStream, now_us: int) -> bool:
    if held.expires_us is not None and held.expires_us <= now_us:
        return True
    age_us = stream.payload_age_us
    return age_us is not None and held.stored.stored_time_us + age_us <= now_us


def _is_too_much(_held: Held, stream: MemoryStream, _now_us: int) -> bool:
    limit = stream.payload_limit_bytes
    return limit is not None and stream.payload_bytes > limit
