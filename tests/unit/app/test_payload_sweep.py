"""Payloads go by themselves, and the store may be away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from structlog.testing import capture_logs

from jobengine.app.payload_sweep import PayloadSweep
from jobengine.clock import SystemClock, to_us
from jobengine.contents.repeats import Repeats
from jobengine.errors import UnavailableError
from jobengine.model.element import Element, ElementKind, PayloadState
from jobengine.ports.contents import Capacity, ContentStore, PutElement
from jobengine.testing.contents.store import MemoryContents
from tests.begun import begun
from tests.waiting import wait_until

CLOCK = SystemClock()


class StoreThatIsAwayAtFirst:
    """Opens at the third try."""

    def __init__(self) -> None:
        self.store = begun(MemoryContents(CLOCK), [1])
        self.tries = 0

    def open(self) -> ContentStore:
        self.tries += 1
        if self.tries < 3:
            raise UnavailableError("not yet")
        return self.store


@contextmanager
def swept(source: StoreThatIsAwayAtFirst, remembered: timedelta) -> Iterator[None]:
    sweep = PayloadSweep(source.open, CLOCK, 0.01, remembered, Capacity(payload_bytes=10, elements=5))
    sweep.start()
    try:
        yield
    finally:
        sweep.end()


def test_a_payload_past_its_time_goes_once_the_store_is_there() -> None:
    source = StoreThatIsAwayAtFirst()
    past = to_us(CLOCK.now()) - 1
    source.store.commit([PutElement(1, Element(ElementKind.PACKET, 0), [b"x"], expires_us=past)])

    with swept(source, timedelta(hours=1)):
        wait_until(
            lambda: source.store.nth(1, 0, 1)[0].payload is PayloadState.GONE,
            "the payload is gone",
        )


def test_what_is_beyond_the_capacity_goes() -> None:
    source = StoreThatIsAwayAtFirst()
    source.store.commit([PutElement(1, Element(ElementKind.PACKET, pts), [b"12345"]) for pts in range(9)])

    with swept(source, timedelta(hours=1)):
        wait_until(lambda: source.store.facts(1).count == 5, "elements have gone")
        left = [each.payload for each in source.store.nth(1, 0, 9)]

    assert left == [*[PayloadState.GONE] * 3, *[PayloadState.HERE] * 2]


def test_a_store_full_of_what_is_read_is_told_once_and_so_is_its_end() -> None:
    source = StoreThatIsAwayAtFirst()
    source.store.commit([PutElement(1, Element(ElementKind.PACKET, 0), [b"12345678901"])])
    pin = source.store.pin(1, 0, 0, 2**60)

    with capture_logs() as logs, swept(source, timedelta(hours=1)):
        wait_until(lambda: "contents.full" in told(logs), "the store is full")
        source.store.unpin(pin)
        wait_until(lambda: "contents.has_room" in told(logs), "there is room again")

    assert told(logs) == ["contents.not_swept", "contents.full", "contents.swept", "contents.has_room"]


def told(logs: list[Any]) -> list[str]:
    """The names of what was logged."""
    return [entry["event"] for entry in logs]


def test_old_requests_are_forgotten() -> None:
    source = StoreThatIsAwayAtFirst()
    repeats = Repeats(source.store, CLOCK)
    source.store.commit([repeats.note("scope", "key", "hash", "name")])

    with swept(source, timedelta(hours=-1)):
        wait_until(lambda: repeats.find("scope", "key", "hash") is None, "the request is forgotten")


def test_the_end_closes_the_store() -> None:
    source = StoreThatIsAwayAtFirst()

    with swept(source, timedelta(hours=1)):
        wait_until(lambda: source.tries == 3, "the store is open")

    try:
        source.store.version()
    except UnavailableError:
        return
    raise AssertionError("the store is still open")
