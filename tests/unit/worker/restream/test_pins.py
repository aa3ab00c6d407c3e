"""Jobs share pins of what they read together, and a store that refuses one stops nobody."""

from __future__ import annotations

from datetime import timedelta

import pytest

from jobengine.clock import Clock
from jobengine.contents.catalogue import Catalogue
from jobengine.errors import UnavailableError
from jobengine.testing import ManualClock
from jobengine.testing.contents.store import MemoryContents
from jobengine.worker.restream.pins import PIN_ELEMENTS, Pins
from tests.unit.worker.restream.at_once import AtOnce


class PinnedStore(MemoryContents):
    """Remembers its pins."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.pinned: dict[str, int] = {}
        self.is_away = False
        content = Catalogue(self, clock).create("camera", {}, [{}, {}])
        self.streams = content.stream_number(0), content.stream_number(1)

    def pin(self, stream: int, first_sequence: int, last_sequence: int, until_us: int) -> str:
        if self.is_away:
            raise UnavailableError("the store is away")
        name = super().pin(stream, first_sequence, last_sequence, until_us)
        self.pinned[name] = first_sequence
        return name

    def unpin(self, pin: str) -> None:
        super().unpin(pin)
        del self.pinned[pin]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(clock: ManualClock) -> PinnedStore:
    return PinnedStore(clock)


@pytest.fixture
def pins(store: PinnedStore, clock: ManualClock) -> Pins:
    return Pins(store, clock, AtOnce())


def test_readers_side_by_side_share_a_pin_until_the_last_has_gone(store: PinnedStore, pins: Pins) -> None:
    held = [pins.hold(store.streams[0], sequence) for sequence in range(100)]
    assert list(store.pinned.values()) == [0]
    for pin in held[1:]:
        pins.release(pin)
    assert list(store.pinned.values()) == [0]
    pins.release(held[0])
    assert not store.pinned


@pytest.mark.parametrize(("stream", "sequence"), [(1, 0), (0, PIN_ELEMENTS), (0, 700)])
def test_readers_elsewhere_have_pins_of_their_own(
    store: PinnedStore, pins: Pins, stream: int, sequence: int
) -> None:
    pins.hold(store.streams[0], 10)
    pins.hold(store.streams[stream], sequence)
    assert sorted(store.pinned.values()) == sorted([10, sequence])


def test_an_old_pin_is_not_shared(store: PinnedStore, pins: Pins, clock: ManualClock) -> None:
    pins.hold(store.streams[0], 10)
    clock.advance(timedelta(seconds=11))
    pins.hold(store.streams[0], 10)
    assert list(store.pinned.values()) == [10, 10]


def test_a_pin_that_is_refused_stops_nobody(store: PinnedStore, pins: Pins) -> None:
    store.is_away = True
    refused = pins.hold(store.streams[0], 0)
    store.is_away = False
    pins.release(refused)
    pins.hold(store.streams[0], 0)
    assert list(store.pinned.values()) == [0]
