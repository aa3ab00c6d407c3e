"""Pins: payloads in a range of a stream that stay until a moment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import msgspec

from jobengine.contents.redis_store.keys import Keys
from jobengine.contents.redis_store.request import Request
from jobengine.contents.redis_store.server import RedisServer
from jobengine.contents.redis_store.wire import Command


class Pin(msgspec.Struct, frozen=True, array_like=True):
    """One pin; sequences inclusive, ``until_us`` in microseconds since the epoch."""

    stream: int
    first_sequence: int
    last_sequence: int
    until_us: int

    def holds(self, stream: int, sequence: int) -> bool:
        """Whether it keeps this element's payload."""
        return self.stream == stream and self.first_sequence <= sequence <= self.last_sequence


class Pins:
    """All pins, and the stamp under which they were read: it changes with every new pin."""

    def __init__(self, stamp: bytes, pins: dict[bytes, Pin]) -> None:
        self.stamp = stamp
        self.pins = pins

    @classmethod
    def read(cls, keys: Keys, server: RedisServer) -> Self:
        """As they are now."""
        found, stamp = server.call_all([("HGETALL", keys.pins), ("GET", keys.pinned)], at_once=True)
        pins = {name: _decode(data) for name, data in zip(found[::2], found[1::2], strict=True)}
        return cls(stamp or b"", pins)

    def hold(self, stream: int, sequence: int, now_us: int) -> bool:
        """Whether one of them keeps this element's payload."""
        return any(pin.until_us > now_us and pin.holds(stream, sequence) for pin in self.pins.values())


def put_pin(name: str, pin: Pin, stamp: bytes, keys: Keys, server: RedisServer) -> None:
    """Set a pin. Doing it twice is doing it once."""
    commands: Sequence[Command] = [
        ("HSET", keys.pins, name, msgspec.json.encode(pin)),
        ("SET", keys.pinned, stamp),
    ]
    server.call_all(commands, at_once=True)


def forget_past_pins(now_us: int, keys: Keys, server: RedisServer) -> None:
    """Let the pins go whose time is over."""
    past = [name for name, pin in Pins.read(keys, server).pins.items() if pin.until_us <= now_us]
    if past:
        server.call("HDEL", keys.pins, *past)


def forget_pins(stream: int, keys: Keys, server: RedisServer, request: Request) -> None:
    """Let the pins of a stream go, with the commit that drops it."""
    pins = Pins.read(keys, server).pins
    request.add_many("HDEL", keys.pins, [name for name, pin in pins.items() if pin.stream == stream])


def _decode(data: bytes) -> Pin:
    return msgspec.json.decode(data, type=Pin)
