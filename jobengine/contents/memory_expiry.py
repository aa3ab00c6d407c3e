"""Which payloads of a stream in memory are past their time or limits, and letting them go."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from jobengine.contents.memory_stream import Held, MemoryStream


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


def _is_past(held: Held, stream: MemoryStream, now_us: int) -> bool:
    if held.expires_us is not None and held.expires_us <= now_us:
        return True
    age_us = stream.payload_age_us
    return age_us is not None and held.stored.stored_time_us + age_us <= now_us


def _is_too_much(_held: Held, stream: MemoryStream, _now_us: int) -> bool:
    limit = stream.payload_limit_bytes
    return limit is not None and stream.payload_bytes > limit
