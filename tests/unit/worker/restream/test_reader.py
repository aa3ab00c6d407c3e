"""Reading ahead loses nothing, tells what is gone, and keeps what it is about to read."""

from __future__ import annotations

from datetime import timedelta

import pytest

from jobengine.clock import Clock, to_us
from jobengine.model.element import ElementKind, Gap, StoredElement
from jobengine.ports.contents import DeleteElements, DropPayloads, LimitStream
from jobengine.testing import ManualClock
from jobengine.testing.contents.store import MemoryContents
from jobengine.worker.restream.reader import FAST_BATCH, Entry, Reader
from jobengine.worker.restream.shared_store import share
from tests.unit.worker.restream.at_once import AtOnce
from tests.unit.worker.restream.streams import StoredCamera


@pytest.fixture
def camera() -> StoredCamera:
    return StoredCamera(ManualClock())


def reader(camera: StoredCamera, sequence: int = 0, with_payload: bool = True) -> Reader:
    shared = share(camera.store, camera.clock, AtOnce())
    return Reader(shared, camera.number, sequence, camera.clock, with_payload)


def pts_of(entry: Entry | Gap | None) -> int | None:
    assert isinstance(entry, Entry)
    return entry.stored.element.pts


def test_every_element_comes_once_in_order_also_those_stored_meanwhile(camera: StoredCamera) -> None:
    camera.add_every(1, 100)
    reading = reader(camera)
    seen = [pts_of(reading.take()) for _ in range(100)]
    assert reading.take() is None
    camera.add_every(1, 300, first=100)
    seen += [pts_of(reading.take()) for _ in range(300)]
    assert seen == list(range(400))
    assert reading.take() is None


def test_u19_nothing_new_is_told_without_looking_again(camera: StoredCamera) -> None:
    reading = reader(camera, sequence=10)
    assert reading.take() is None
    camera.add_every(1, 12)
    assert pts_of(reading.take()) == 10


def test_u40_elements_that_are_gone_are_one_gap(camera: StoredCamera) -> None:
    camera.add_every(1, 6)
    camera.store.commit([DeleteElements(camera.number, 1, 4)])
    reading = reader(camera)
    assert [pts_of(reading.take()), reading.take()] == [0, Gap(camera.number, 1, 4)]
    assert pts_of(reading.take()) == 5


def test_a_payload_that_is_gone_leaves_the_element(camera: StoredCamera) -> None:
    camera.add_every(1, 2)
    camera.store.commit([DropPayloads(camera.number, 0, 0)])
    reading = reader(camera)
    gone, here = reading.take(), reading.take()
    assert isinstance(gone, Entry)
    assert isinstance(here, Entry)
    assert (gone.planes, here.planes) == (None, (b"x",))


def test_limits_do_not_take_away_what_is_about_to_be_read(camera: StoredCamera) -> None:
    camera.add_every(1, 100)
    camera.store.commit([LimitStream(camera.number, None, 1)])
    reading = reader(camera)
    reading.take()
    camera.store.expire(to_us(camera.clock.now()))
    rest = [reading.take() for _ in range(99)]
    assert all(isinstance(entry, Entry) and entry.planes for entry in rest)
    reading.close()
    camera.store.expire(to_us(camera.clock.now()))
    assert camera.store.facts(camera.number).payload_bytes <= 1


def test_a_pin_does_not_outlive_a_reader_that_was_killed(camera: StoredCamera) -> None:
    camera.add_every(1, 100)
    camera.store.commit([LimitStream(camera.number, None, 1)])
    reader(camera).take()
    camera.clock.advance(timedelta(minutes=1))
    camera.store.expire(to_us(camera.clock.now()))
    assert camera.store.facts(camera.number).payload_bytes <= 1


class CountedStore(MemoryContents):
    """Remembers how many entries were asked for."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.limits: list[int] = []

    def scan(self, stream: int, sequence: int, limit: int) -> list[StoredElement | Gap]:
        self.limits.append(limit)
        return super().scan(stream, sequence, limit)


@pytest.fixture
def big() -> tuple[CountedStore, Reader]:
    """A reader of 64 elements of a MiB, and its store."""
    clock = ManualClock()
    store = CountedStore(clock)
    camera = StoredCamera(clock, store=store)
    for n in range(64):
        camera.add(n, key=True, payload=bytes(1 << 20))
    return store, reader(camera)


def test_big_elements_are_read_few_at_a_time(big: tuple[CountedStore, Reader]) -> None:
    store, reading = big
    while reading.take() is not None:
        pass
    assert max(store.limits[1:]) <= 4


def test_more_of_them_are_read_at_once_where_they_are_sent_together(big: tuple[CountedStore, Reader]) -> None:
    store, reading = big
    seen = []
    while run := reading.plain(ElementKind.PACKET, FAST_BATCH):
        seen += [element.pts for element in run.elements]
        reading.pass_over(len(run))
    assert seen == list(range(64))
    assert max(store.limits) == 31
