"""A whole store is bounded: the oldest goes first, whatever stream it is of, and what is pinned stays."""

from __future__ import annotations

from datetime import timedelta

import pytest

from jobengine.clock import to_us
from jobengine.errors import DiskFull
from jobengine.model.element import PTS_MAX, PTS_MIN, Gap, PayloadState
from jobengine.ports.contents import (
    Capacity,
    ContentStore,
    DeleteElements,
    DropStream,
    Expiry,
    LimitStream,
    PutDocument,
    PutMode,
    PutPlanes,
)
from jobengine.testing.clock import START, ManualClock
from tests.begun import begun
from tests.contract.contents.backends import StoreFactory
from tests.contract.contents.samples import OTHER, PACKET, STREAM, payload_at, put, sequences

START_US = to_us(START)
SECOND_US = 1_000_000
LATER_US = START_US + 3600 * SECOND_US


def keep_within(store: ContentStore, capacity: Capacity, now_us: int = START_US) -> Expiry:
    """Call until there is nothing left to do; what went in all, and whether the store is full at last."""
    payloads = payload_bytes = elements = 0
    for _ in range(10_000):
        done = store.expire(now_us, capacity)
        payloads += done.payloads
        payload_bytes += done.payload_bytes
        elements += done.elements
        if done.did_nothing:
            return Expiry(payloads, payload_bytes, 0, elements, done.is_full)
    raise AssertionError("the store never comes to an end")


def here(store: ContentStore, stream: int = STREAM) -> list[int | None]:
    """The pts of the elements with payload, each of which can be read."""
    found = [each for each in store.range(stream, PTS_MIN, PTS_MAX) if each.payload is PayloadState.HERE]
    assert all(planes is not None for planes in store.payloads(found))
    return [each.element.pts for each in found]


def fill_by_turns(store: ContentStore, count: int, size: int = 10) -> None:
    """Elements of two streams, one after the other; odd pts are in the other one."""
    for pts in range(count):
        store.commit([put(pts, b"x" * size, stream=OTHER if pts % 2 else STREAM)])


def test_the_oldest_payloads_of_all_streams_go_first(store_factory: StoreFactory) -> None:
    store = store_factory.open()
    fill_by_turns(store, 10)

    done = keep_within(store, Capacity(payload_bytes=45))

    assert (done.payloads, done.payload_bytes, done.elements, done.is_full) == (6, 60, 0, False)
    store = store_factory.reopen()
    assert (here(store), here(store, OTHER)) == ([6, 8], [7, 9])
    assert (store.facts(STREAM).count, store.facts(STREAM).payload_bytes) == (5, 20)
    assert store.range(STREAM, 0, 0)[0].payload is PayloadState.GONE
    store.commit([put(10, b"x" * 10)])
    assert keep_within(store, Capacity(payload_bytes=45)).payloads == 1
    assert (here(store), here(store, OTHER)) == ([8, 10], [7, 9])


def test_what_fits_stays(store: ContentStore) -> None:
    fill_by_turns(store, 10)

    assert keep_within(store, Capacity(payload_bytes=100, elements=10)) == Expiry(0, 0, 0)
    assert keep_within(store, Capacity()) == Expiry(0, 0, 0)


def test_age_is_when_elements_came_not_their_time_or_place(store: ContentStore) -> None:
    store.commit([put(100, b"first")])
    store.commit([put(1, b"second", stream=OTHER), put(50, b"third", stream=OTHER)])
    store.commit([put(3, b"fourth")])

    keep_within(store, Capacity(payload_bytes=11))

    assert (here(store), here(store, OTHER)) == ([3], [50])


def test_many_payloads_go_in_bounded_steps(store: ContentStore) -> None:
    for first in range(0, 5000, 500):
        store.commit([put(pts, b"x") for pts in range(first, first + 500)])

    done = keep_within(store, Capacity(payload_bytes=10))

    assert (done.payloads, done.is_full) == (4990, False)
    assert here(store) == list(range(4990, 5000))


def test_pinned_payloads_stay_and_younger_ones_go(store_factory: StoreFactory, clock: ManualClock) -> None:
    store = store_factory.open()
    fill_by_turns(store, 10)
    store.pin(STREAM, 0, 1, START_US + SECOND_US)
    store = store_factory.reopen()

    done = keep_within(store, Capacity(payload_bytes=40))

    assert (done.payloads, done.is_full) == (6, False)
    assert (here(store), here(store, OTHER)) == ([0, 2, 8], [9])
    clock.advance(timedelta(seconds=1))
    store.commit([put(10, b"x" * 10)])
    keep_within(store, Capacity(payload_bytes=40), START_US + SECOND_US)
    assert (here(store), here(store, OTHER)) == ([2, 8, 10], [9])


def test_a_store_full_of_pinned_payloads_refuses_further_ones_until_there_is_room(
    store: ContentStore,
) -> None:
    fill_by_turns(store, 6)
    pin = store.pin(STREAM, 0, 2, LATER_US)
    capacity = Capacity(payload_bytes=29)

    assert keep_within(store, capacity).is_full

    assert (here(store), here(store, OTHER)) == ([0, 2, 4], [])
    for write in (put(9, b"x"), put(0, b"x", mode=PutMode.REPLACE), PutPlanes(STREAM, PACKET, 0, {0: b"x"})):
        with pytest.raises(DiskFull, match="full"):
            store.commit([write])
    store.commit([put(8), PutDocument("things", "a", {}, None), LimitStream(OTHER, None, None)])
    assert store.expire(START_US, capacity).is_full

    store.unpin(pin)
    assert not keep_within(store, capacity).is_full
    store.commit([put(9, b"again")])
    assert payload_at(store, 9) == [b"again"]


@pytest.mark.parametrize(
    "relief", [DropStream(STREAM), DeleteElements(STREAM, 0, 0)], ids=lambda w: type(w).__name__
)
def test_what_is_deleted_makes_room_in_a_full_store(
    store: ContentStore, relief: DropStream | DeleteElements
) -> None:
    fill_by_turns(store, 6)
    store.pin(STREAM, 0, 2, LATER_US)
    assert keep_within(store, Capacity(payload_bytes=29)).is_full

    store.commit([relief])

    assert not keep_within(store, Capacity(payload_bytes=29)).is_full
    store.commit([put(9, b"x", stream=OTHER)])


def test_a_lifted_bound_ends_the_refusal(store: ContentStore) -> None:
    store.commit([put(1, b"x" * 30)])
    store.pin(STREAM, 0, 0, LATER_US)
    assert keep_within(store, Capacity(payload_bytes=29)).is_full

    assert not keep_within(store, Capacity()).is_full

    store.commit([put(2, b"x")])


def test_a_payload_larger_than_the_capacity_goes(store: ContentStore) -> None:
    store.commit([put(1, b"x" * 1000)])

    assert keep_within(store, Capacity(payload_bytes=999)) == Expiry(1, 1000, 0)
    assert here(store) == []


def test_a_payload_that_came_back_is_as_old_as_its_element(store: ContentStore) -> None:
    fill_by_turns(store, 4)
    keep_within(store, Capacity(payload_bytes=10))
    store.commit([PutPlanes(STREAM, PACKET, 0, {0: b"again"}), put(9, b"young")])

    keep_within(store, Capacity(payload_bytes=16))

    assert (here(store), here(store, OTHER)) == ([9], [3])


def test_the_oldest_elements_beyond_the_bound_leave_gaps(store_factory: StoreFactory) -> None:
    store = store_factory.open()
    fill_by_turns(store, 10)
    store.commit([put(10)])

    done = keep_within(store, Capacity(elements=4))

    assert (done.elements, done.payloads, done.payload_bytes) == (7, 7, 70)
    store = store_factory.reopen()
    assert store.scan(STREAM, 0, 1) == [Gap(STREAM, 0, 3)]
    assert sequences(store.scan(STREAM, 0, 9)) == [(0, 3), 4, 5]
    assert sequences(store.scan(OTHER, 0, 9)) == [(0, 2), 3, 4]
    assert (store.facts(STREAM).count, store.facts(OTHER).payload_bytes) == (2, 20)
    assert store.commit([put(11)])[0].sequence == 6


def test_pinned_elements_stay(store: ContentStore) -> None:
    fill_by_turns(store, 10)
    store.pin(STREAM, 1, 1, LATER_US)

    assert keep_within(store, Capacity(elements=2)).elements == 8

    assert sequences(store.scan(STREAM, 0, 9)) == [(0, 0), 1, (2, 4)]
    assert sequences(store.scan(OTHER, 0, 9)) == [(0, 3), 4]


def test_both_bounds_hold_together(store: ContentStore) -> None:
    fill_by_turns(store, 10)

    done = keep_within(store, Capacity(payload_bytes=20, elements=6))

    assert (done.payloads, done.elements, done.is_full) == (8, 4, False)
    assert (here(store), here(store, OTHER)) == ([8], [9])
    assert store.facts(STREAM).count + store.facts(OTHER).count == 6


def test_a_stream_begun_anew_counts_from_then_on(store: ContentStore) -> None:
    fill_by_turns(store, 10)
    store.commit([DropStream(STREAM)])
    begun(store, [STREAM])
    store.commit([put(1, b"x" * 10)])

    done = keep_within(store, Capacity(payload_bytes=20))

    assert (done.payloads, here(store), here(store, OTHER)) == (4, [1], [9])
