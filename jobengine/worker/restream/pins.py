"""Keeps what jobs are about to read from going: their loop asks, a thread does it, since it takes a commit.

Jobs of one process that read the same stretch share its pin, so that hundreds of them over one stream cost
what one does. What is read before its pin is there could have gone before it was asked for, too.
"""

from __future__ import annotations

from concurrent.futures import Executor
from typing import Final

import structlog

from jobengine.clock import Clock, to_us
from jobengine.errors import JobEngineError
from jobengine.ports.contents import ContentStore

PIN_ELEMENTS: Final = 1024
"""How far ahead a pin reaches at least: each takes two commits."""
PIN_NS: Final = 10_000_000_000
"""How long one is used."""
_KEPT_US: Final = 30_000_000
"""How long it outlives a process that was killed."""


class Pin:
    """One pinned stretch of a stream, used by ``holders`` readers."""

    def __init__(self, stream: int, first: int, elements: int, made_ns: int) -> None:
        self.stream = stream
        self.first = first
        self.last = first + elements
        self.made_ns = made_ns
        self.holders = 1
        self.name = ""
        """What the store calls it; empty before it is made, and where that failed."""

    def reaches(self, sequence: int, elements: int, now_ns: int) -> bool:
        """Whether it is fresh, and so many elements from a place on are pinned."""
        is_fresh = now_ns - self.made_ns < PIN_NS
        return is_fresh and self.first <= sequence and sequence + elements <= self.last


class Pins:
    """The pins of one process in one store. Used by one thread; ``executor`` has one thread as well."""

    def __init__(self, store: ContentStore, clock: Clock, executor: Executor) -> None:
        self._store = store
        self._clock = clock
        self._executor = executor
        self._held: dict[int, list[Pin]] = {}
        self._log = structlog.get_logger("pins")

    def hold(self, stream: int, sequence: int, elements: int = PIN_ELEMENTS) -> Pin:
        """A pin of so many elements from a place on, or of half of them at least; give it back with
        `release`."""
        now_ns = self._clock.monotonic_ns()
        of_stream = self._held.setdefault(stream, [])
        for pin in of_stream:
            if pin.reaches(sequence, elements // 2, now_ns):
                pin.holders += 1
                return pin
        pin = Pin(stream, sequence, elements, now_ns)
        of_stream.append(pin)
        self._executor.submit(self._make, pin)
        return pin

    def release(self, pin: Pin) -> None:
        """A reader needs it no more."""
        pin.holders -= 1
        if pin.holders:
            return
        of_stream = self._held[pin.stream]
        of_stream.remove(pin)
        if not of_stream:
            del self._held[pin.stream]
        self._executor.submit(self._remove, pin)

    def _make(self, pin: Pin) -> None:
        until_us = to_us(self._clock.now()) + _KEPT_US
        try:
            pin.name = self._store.pin(pin.stream, pin.first, pin.last, until_us)
        except JobEngineError as error:
            self._log.warning("pin.refused", stream=pin.stream, detail=error.detail)

    def _remove(self, pin: Pin) -> None:
        if not pin.name:
            return
        try:
            self._store.unpin(pin.name)
        except JobEngineError as error:
            self._log.warning("pin.not_removed", stream=pin.stream, detail=error.detail)
