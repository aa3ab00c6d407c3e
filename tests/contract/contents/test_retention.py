"""Payloads go by time, age and size unless they are pinned; metadata stays."""

from __future__ import annotations

from datetime import timedelta

import pytest

from jobengine.clock import to_us
from jobengine.errors import MalformedError
from jobengine.model.element import PayloadState
from jobengine.ports.contents import (
    ContentStore,
    DeleteElements,
    DropPayloads,
    Expiry,
    KeepPayload,
    LimitStream,
    PutMode,
    PutPlanes,
)
from jobengine.testing.clock import START, ManualClock
from tests.contract.contents.backends import StoreFactory
from tests.contract.contents.samples import (
    FRAME,
    OTHER,
    PACKET,
    STREAM,
    fill,
    payload,
    payload_at,
    put,
    times,
)

START_US = to_us(START)
SECOND_US = 1_000_000


def expire(store: ContentStore, now_us: int) -> Expiry:
    """Call until there is nothing left to do; what it let go in all."""
    payloads = payload_bytes = freed_bytes = 0
    while (done := store.expire(now_us)) != Expiry(0, 0, 0):
        payloads += done.payloads
        payload_bytes += done.payload_bytes
        freed_bytes += done.freed_bytes
    return Expiry(payloads, payload_bytes, freed_bytes)


def here(store: ContentStore, stream: int = STREAM) -> list[int | None]:
    """The pts of the elements with payload."""
    found = [each for each in store.range(stream, -100, 1000) if each.payload is PayloadState.HERE]
    assert all(planes is not None for planes in store.payloads(found))
    return times(found)


def test_payloads_go_when_their_time_has_come(store_factory: StoreFactory) -> None:
    store = store_factory.open()
    store.commit([put(n, b"12345", expires_us=START_US + n * SECOND_US) for n in range(5)])
    store.commit([put(9, b"kept")])

    done = expire(store, START_US + 2 * SECOND_US)

    assert (done.payloads, done.payload_bytes) == (3, 15)
    store = store_factory.reopen()
    assert here(store) == [3, 4, 9]
    [gone] = store.range(STREAM, 1, 1)
    assert (gone.payload, gone.planes) == (PayloadState.GONE, ())
    assert store.payloads([gone]) == [None]
    assert (store.facts(STREAM).count, store.facts(STREAM).payload_bytes) == (6, 14)


def test_the_end_of_a_payload_is_put_off_and_never_brought_forward(store_factory: StoreFactory) -> None:
    store = store_factory.open()
    store.commit([put(n, b"12345", expires_us=START_US + SECOND_US) for n in range(3)])
    store.commit([put(9, b"endless"), put(10)])

    put_off = [KeepPayload(STREAM, PACKET, n, START_US + 2 * SECOND_US) for n in (1, 2)]
    assert [outcome.changed for outcome in store.commit(put_off)] == [1, 1]
    sooner = [KeepPayload(STREAM, PACKET, n, START_US + SECOND_US + 1) for n in (1, 9, 10, 77)]
    assert [outcome.changed for outcome in store.commit(sooner)] == [0, 0, 0, 0]
    assert store.commit([KeepPayload(4711, PACKET, 1, START_US)])[0].changed == 0

    expire(store, START_US + SECOND_US)
    store = store_factory.reopen()
    assert here(store) == [1, 2, 9]
    assert payload_at(store, 1) == [b"12345"]
    assert store.commit([KeepPayload(STREAM, PACKET, 0, START_US + 9 * SECOND_US)])[0].changed == 0
    expire(store, START_US + 2 * SECOND_US)
    store = store_factory.reopen()
    assert here(store) == [9]
    assert store.facts(STREAM).payload_bytes == 7


def test_nothing_goes_before_it_must(store: ContentStore) -> None:
    store.commit([put(1, b"x", expires_us=START_US + 1), LimitStream(STREAM, SECOND_US * 10, 100)])

    assert expire(store, START_US) == Expiry(0, 0, 0)
    assert here(store) == [1]


def test_payloads_go_by_age(store_factory: StoreFactory, clock: ManualClock) -> None:
    store = store_factory.open()
    store.commit([LimitStream(STREAM, payload_age_us=10 * SECOND_US, payload_bytes=None)])
    for pts in range(5):
        fill(store, [pts])
        clock.advance(timedelta(seconds=4))
    fill(store, [0], stream=8)

    expire(store, START_US + 19 * SECOND_US)

    store = store_factory.reopen()
    assert here(store) == [3, 4]
    assert here(store, 8) == [0]


def test_the_oldest_payloads_go_when_they_are_too_much(store_factory: StoreFactory) -> None:
    store = store_factory.open()
    store.commit([LimitStream(STREAM, None, payload_bytes=25)])
    store.commit([put(pts, b"x" * 10) for pts in (5, 4, 3, 2, 1)])

    done = expire(store, START_US)

    assert (done.payloads, done.payload_bytes) == (3, 30)
    store = store_factory.reopen()
    assert here(store) == [1, 2]
    assert store.facts(STREAM).payload_bytes == 20
    store.commit([put(6, b"x" * 10)])
    expire(store, START_US)
    assert here(store) == [1, 6]


def test_a_lifted_limit_lets_nothing_go(store: ContentStore) -> None:
    store.commit([LimitStream(STREAM, 0, 0), put(1, b"x")])
    store.commit([LimitStream(STREAM, None, None)])

    assert expire(store, START_US + SECOND_US) == Expiry(0, 0, 0)


def test_pinned_payloads_stay_until_the_pin_ends(store_factory: StoreFactory) -> None:
    store = store_factory.open()
    store.commit([put(n, b"12345", expires_us=START_US + 1) for n in range(5)])
    store.commit([LimitStream(STREAM, 0, 0)])
    store.pin(STREAM, 1, 2, until_us=START_US + 10 * SECOND_US)
    store = store_factory.reopen()

    expire(store, START_US + 9 * SECOND_US)
    assert here(store) == [1, 2]

    expire(store, START_US + 10 * SECOND_US)
    assert here(store) == []


def test_an_undone_pin_holds_nothing(store_factory: StoreFactory) -> None:
    store = store_factory.open()
    store.commit([put(n, b"12345", expires_us=START_US + 1) for n in range(3)])
    first = store.pin(STREAM, 0, 1, until_us=START_US + 10 * SECOND_US)
    second = store.pin(STREAM, 1, 2, until_us=START_US + 10 * SECOND_US)
    assert first != second
    expire(store, START_US + SECOND_US)

    store.unpin(first)
    store.unpin("never made")
    store = store_factory.reopen()
    expire(store, START_US + SECOND_US)

    assert here(store) == [1, 2]


def test_a_pin_holds_what_is_stored_later(store: ContentStore) -> None:
    store.pin(STREAM, 0, 10, until_us=START_US + 10 * SECOND_US)
    store.commit([put(1, b"x", expires_us=START_US)])

    expire(store, START_US + SECOND_US)

    assert here(store) == [1]


def test_a_pin_does_not_hold_what_is_deleted(store: ContentStore) -> None:
    fill(store, [1, 2, 3])
    store.pin(STREAM, 0, 2, until_us=START_US + SECOND_US)

    store.commit([DeleteElements(STREAM, 2, 2)])

    assert here(store) == [1, 3]


def test_a_pinned_payload_is_not_dropped_until_the_pin_ends(store: ContentStore, clock: ManualClock) -> None:
    fill(store, [1, 2, 3])
    store.pin(STREAM, 1, 1, until_us=START_US + SECOND_US)
    fill(store, [2], stream=OTHER)

    dropped = store.commit([DropPayloads(STREAM, 1, 3), DropPayloads(OTHER, 2, 2)])

    assert [outcome.changed for outcome in dropped] == [2, 1]
    assert (here(store), here(store, OTHER)) == ([2], [])
    clock.advance(timedelta(seconds=1))
    assert store.commit([DropPayloads(STREAM, 1, 3)])[0].changed == 1
    assert here(store) == []


@pytest.mark.parametrize(
    "pin", [(-1, 0, 1, 0), (0, -1, 1, 0), (0, 2, 1, 0), (0, 0, 2**64, 0), (0, 0, 1, 2**63)]
)
def test_a_pin_that_can_hold_nothing_is_refused(store: ContentStore, pin: tuple[int, int, int, int]) -> None:
    with pytest.raises(MalformedError):
        store.pin(*pin)


def test_dropped_payloads_leave_their_elements(store_factory: StoreFactory) -> None:
    store = store_factory.open()
    store.commit([put(n, b"x", kind=kind) for n in range(4) for kind in (PACKET, FRAME)])
    store.commit([put(1, kind=PACKET)])

    outcomes = store.commit([DropPayloads(STREAM, 1, 1), DropPayloads(STREAM, 2, 9, PACKET)])

    assert [outcome.changed for outcome in outcomes] == [2, 2]
    store = store_factory.reopen()
    assert here(store) == [0, 0, 2, 3]
    assert store.facts(STREAM).count == 9
    never = store.range(STREAM, 1, 1)[1]
    assert never.payload is PayloadState.NEVER
    assert store.commit([DropPayloads(STREAM, 0, 1)])[0].changed == 2


def test_a_payload_may_come_back(store: ContentStore) -> None:
    store.commit([put(1, b"first"), put(2, b"first"), put(3, b"first", expires_us=START_US)])
    store.commit([DropPayloads(STREAM, 1, 2)])
    expire(store, START_US)
    store.commit([put(1, b"again", mode=PutMode.REPLACE), PutPlanes(STREAM, PACKET, 2, {1: b"again"})])
    store.commit([put(3, mode=PutMode.REPLACE)])

    found = store.range(STREAM, 1, 3)
    assert [payload(each) for each in store.payloads(found)] == [[b"again"], [b"", b"again"], None]
    assert [each.payload.name for each in found] == ["HERE", "HERE", "GONE"]


def test_planes_are_new_where_there_were_none(store: ContentStore) -> None:
    store.commit([put(1)])

    def is_new(*places: int) -> bool:
        planes = dict.fromkeys(places, b"x")
        return store.commit([PutPlanes(STREAM, PACKET, 1, planes)])[0].created

    assert [is_new(0), is_new(0), is_new(2), is_new(1), is_new(0, 3)] == [True, False, True, True, False]
    store.commit([DropPayloads(STREAM, 1, 1)])
    assert [is_new(0, 1), is_new(1)] == [True, False]


def test_a_payload_of_no_bytes_is_one(store: ContentStore) -> None:
    store.commit([put(1)])

    def is_new(**planes: bytes) -> bool:
        given = {int(name.removeprefix("plane_")): plane for name, plane in planes.items()}
        return store.commit([PutPlanes(STREAM, PACKET, 1, given)])[0].created

    assert [is_new(plane_0=b""), is_new(plane_0=b""), is_new(plane_0=b"x"), is_new(plane_0=b"")] == [
        True,
        False,
        False,
        False,
    ]
    assert is_new(plane_1=b"x")
    store.commit([DropPayloads(STREAM, 1, 1)])
    assert is_new(plane_0=b"")


def test_the_time_of_a_payload_is_that_of_its_last_write(store: ContentStore) -> None:
    store.commit([put(n, b"x", expires_us=START_US + 1) for n in range(4)])
    store.commit([put(0, b"y", mode=PutMode.REPLACE)])
    store.commit([put(1, b"y", mode=PutMode.REPLACE, expires_us=START_US + 99)])
    store.commit([PutPlanes(STREAM, PACKET, 2, {0: b"y"})])
    store.commit([put(3, mode=PutMode.REPLACE)])

    expire(store, START_US + 50)
    assert here(store) == [0, 1, 2]
    expire(store, START_US + 99)
    assert here(store) == [0, 2]


def test_buffers_stay_valid_when_the_payload_is_let_go(store: ContentStore) -> None:
    contents = [bytes([n]) * 5000 for n in range(40)]
    store.commit([put(n, data, expires_us=START_US + 1) for n, data in enumerate(contents)])
    found = store.range(STREAM, 0, 100)
    buffers = store.payloads(found)

    expire(store, START_US + 1)
    store.commit([put(100 + n, b"other" * 1000) for n in range(40)])

    assert [payload(each) for each in buffers] == [[data] for data in contents]
    assert store.payloads(found) == [None] * 40
