"""Elements are appended, replaced and created; a commit is done whole or not at all."""

from __future__ import annotations

import msgspec
import pytest

from jobengine.clock import to_us
from jobengine.errors import ConflictError, JobEngineError, MalformedError, NotFoundError
from jobengine.model.element import PTS_MAX, Element, PayloadState, StoredElement
from jobengine.ports.contents import (
    ContentStore,
    DeleteElements,
    DropPayloads,
    DropStream,
    LimitStream,
    PutDocument,
    PutElement,
    PutMode,
    PutPlanes,
    Write,
)
from jobengine.testing.clock import ManualClock
from tests.begun import begun
from tests.contract.contents.backends import StoreFactory
from tests.contract.contents.samples import (
    FRAME,
    PACKET,
    STREAM,
    element_id,
    fill,
    payload,
    payload_at,
    put,
    sequences,
    times,
)

WHOLE = Element(
    kind=FRAME,
    pts=-5,
    dts=-7,
    duration=3,
    is_key=True,
    plane_sizes=(4, 2, 2),
    attributes=b"\x81\xa1a\x01",
    element_id=element_id(99),
)


def test_an_element_comes_back_as_it_was_given(store_factory: StoreFactory, clock: ManualClock) -> None:
    store = store_factory.open()
    before_us = to_us(clock.now())
    outcome = store.commit([PutElement(STREAM, WHOLE, [b"YYYY", b"UU", b"VV--"])])
    after_us = to_us(clock.now())

    [found] = store.range(STREAM, -5, -5)

    assert outcome[0].created
    assert outcome[0].changed == 1
    assert (outcome[0].sequence, outcome[0].pts, outcome[0].element_id) == (0, -5, element_id(99))
    assert before_us <= found.stored_time_us <= after_us
    assert found == StoredElement(
        STREAM, 0, WHOLE, found.stored_time_us, PayloadState.HERE, (4, 2, 4), found.payload_place
    )
    store = store_factory.reopen()
    assert store.range(STREAM, -5, -5) == [found]
    assert payload(store.payloads([found])[0]) == [b"YYYY", b"UU", b"VV--"]


def test_what_is_unknown_of_an_element_stays_unknown(store: ContentStore) -> None:
    store.commit([put(0)])

    [found] = store.range(STREAM, 0, 0)

    assert (found.element.dts, found.element.duration, found.element.plane_sizes) == (None, None, ())
    assert (found.payload, found.planes) == (PayloadState.NEVER, ())
    assert store.payloads([found]) == [None]


def test_an_empty_payload_is_a_payload(store: ContentStore) -> None:
    store.commit([put(0, b"")])

    [found] = store.range(STREAM, 0, 0)

    assert (found.payload, found.planes) == (PayloadState.HERE, (0,))
    assert payload(store.payloads([found])[0]) == [b""]


def test_buffers_may_be_used_again_after_the_commit(store: ContentStore) -> None:
    buffer = bytearray(b"abc")
    store.commit([PutElement(STREAM, msgspec.structs.replace(WHOLE, pts=1), [buffer, memoryview(buffer)])])
    buffer[:] = b"xyz"

    assert payload_at(store, 1) == [b"abc", b"abc"]


def test_an_element_without_an_id_gets_one_that_sorts_by_time(store: ContentStore) -> None:
    outcomes = store.commit([put(n) for n in range(10)])

    ids = [outcome.element_id for outcome in outcomes]
    assert ids == sorted(set(ids))
    assert all(len(each) == 16 for each in ids)
    assert [found.sequence for each in ids if (found := store.by_id(STREAM, each))] == list(range(10))


def test_elements_without_a_time_are_counted(store: ContentStore) -> None:
    fill(store, [None, None, None])
    store.commit([DeleteElements(STREAM, 2, 2)])
    outcomes = store.commit([put(None), put(None, kind=FRAME)])

    assert [outcome.pts for outcome in outcomes] == [3, 4]
    assert times(store.range(STREAM, 0, PTS_MAX)) == [0, 1, 3, 4]


@pytest.mark.parametrize("mode", PutMode)
def test_an_element_without_a_time_takes_the_place_of_none(store: ContentStore, mode: PutMode) -> None:
    store.commit([put(2, b"first")])

    outcomes = [store.commit([put(None, mode=mode)])[0] for _ in range(3)]

    assert [(outcome.created, outcome.sequence) for outcome in outcomes] == [(True, 1), (True, 2), (True, 3)]
    assert store.facts(STREAM).count == 4
    assert payload_at(store, 2) == [b"first"]


def test_an_element_appended_again_changes_nothing(store: ContentStore) -> None:
    store.commit([put(1, b"first", id_=element_id(1))])

    again, other = store.commit([put(2, b"again", id_=element_id(1)), put(2, b"other", id_=element_id(2))])

    assert (again.created, again.changed, again.sequence, again.pts) == (False, 0, 0, 1)
    assert (other.created, other.sequence) == (True, 1)
    assert payload_at(store, 1) == [b"first"]
    assert store.facts(STREAM).count == 2


def test_an_element_twice_in_one_commit_is_stored_once(store: ContentStore) -> None:
    first, again = store.commit([put(1, b"a", id_=element_id(1)), put(1, b"b", id_=element_id(1))])

    assert (first.changed, again.changed) == (1, 0)
    assert sequences(store.scan(STREAM, 0, 9)) == [0]
    assert payload_at(store, 1) == [b"a"]


def test_elements_of_one_time_may_stand_beside_each_other(store: ContentStore) -> None:
    store.commit([put(1, b"a"), put(1, b"b")])

    assert store.facts(STREAM).count == 2


def test_replacing_keeps_place_id_and_payload(store_factory: StoreFactory) -> None:
    store = store_factory.open()
    store.commit([put(1, b"kept", id_=element_id(1)), put(2)])
    new = Element(PACKET, 1, dts=9, is_key=True, attributes=b"new", element_id=element_id(5))

    [outcome] = store.commit([PutElement(STREAM, new, mode=PutMode.REPLACE)])

    assert (outcome.created, outcome.changed, outcome.sequence) == (False, 1, 0)
    assert outcome.element_id == element_id(1)
    store = store_factory.reopen()
    [found] = store.range(STREAM, 1, 1)
    assert found.element == msgspec.structs.replace(new, element_id=element_id(1))
    assert (found.sequence, found.payload) == (0, PayloadState.HERE)
    assert payload_at(store, 1) == [b"kept"]
    assert store.by_id(STREAM, element_id(5)) is None
    assert store.key_by_pts(STREAM, 1) == found
    assert store.facts(STREAM).key_count == 1


def test_replacing_with_a_payload_replaces_the_payload(store: ContentStore) -> None:
    store.commit([put(1, b"old payload")])
    store.commit([put(1, b"new", mode=PutMode.REPLACE)])

    assert payload_at(store, 1) == [b"new"]
    assert (store.facts(STREAM).payload_bytes, store.facts(STREAM).count) == (3, 1)


def test_replacing_what_is_not_there_creates_it(store: ContentStore) -> None:
    store.commit([put(1, kind=FRAME)])

    [outcome] = store.commit([put(1, b"x", kind=PACKET, mode=PutMode.REPLACE)])

    assert (outcome.created, outcome.sequence) == (True, 1)


def test_replacing_takes_the_latest_of_one_time(store: ContentStore) -> None:
    store.commit([put(1, b"a"), put(1, b"b")])
    store.commit([put(1, b"c", mode=PutMode.REPLACE)])

    found = store.range(STREAM, 1, 1)
    assert [payload(each) for each in store.payloads(found)] == [[b"a"], [b"c"]]


def test_creating_what_is_there_refuses_the_whole_commit(store: ContentStore) -> None:
    store.commit([put(1, b"first")])
    version = store.version()

    with pytest.raises(ConflictError, match=r"the stream has a packet with pts 1 already$"):
        store.commit([put(2), put(1, kind=FRAME), put(1, b"second", mode=PutMode.CREATE)])

    assert sequences(store.scan(STREAM, 0, 9)) == [0]
    assert payload_at(store, 1) == [b"first"]
    assert store.version() == version


@pytest.mark.parametrize("mode", [PutMode.CREATE, PutMode.REPLACE])
def test_an_id_that_stands_elsewhere_refuses_the_commit(store: ContentStore, mode: PutMode) -> None:
    store.commit([put(1, id_=element_id(1))])

    with pytest.raises(ConflictError, match=f"has element {element_id(1).hex()} already, with pts 1$"):
        store.commit([put(2, id_=element_id(1), mode=mode)])

    assert store.facts(STREAM).count == 1


@pytest.mark.parametrize(
    "last",
    [
        put(1, mode=PutMode.CREATE),
        PutPlanes(STREAM, PACKET, 4711, {0: b"x"}),
        PutDocument("things", "a", {}, expected_revision=7),
    ],
    ids=lambda write: type(write).__name__,
)
def test_a_refused_commit_undoes_every_kind_of_write(store: ContentStore, last: Write) -> None:
    store.commit([put(1, b"one", key=True), put(2, b"two"), PutDocument("things", "a", {"n": 1}, None)])
    store.commit([put(3, b"three", stream=8)])
    before = (store.scan(STREAM, 0, 99), store.scan(8, 0, 99), store.facts(STREAM), store.facts(8))

    with pytest.raises(JobEngineError):
        store.commit(
            [
                put(9, b"nine"),
                LimitStream(9, None, None),
                put(9, b"new stream", stream=9),
                put(2, b"other", mode=PutMode.REPLACE, key=True),
                PutPlanes(STREAM, PACKET, 1, {1: b"second plane"}),
                DropPayloads(STREAM, 2, 2),
                DeleteElements(STREAM, 2, 2),
                DropStream(8),
                LimitStream(STREAM, 1, 1),
                PutDocument("things", "a", {"n": 2}, None),
                PutDocument("things", "b", {}, None),
                last,
            ]
        )

    assert (store.scan(STREAM, 0, 99), store.scan(8, 0, 99), store.facts(STREAM), store.facts(8)) == before
    assert payload_at(store, 1) == [b"one"]
    assert payload_at(store, 2) == [b"two"]
    assert payload_at(store, 3, stream=8) == [b"three"]
    assert store.facts(9).next_sequence == 0
    assert [(each.key, each.value) for each in store.documents("things")] == [("a", {"n": 1})]
    assert store.commit([put(10)])[0].sequence == 2
    store.expire(2**60)
    assert payload_at(store, 1) == [b"one"]


def test_later_writes_of_a_commit_see_the_earlier_ones(store: ContentStore) -> None:
    store.commit(
        [
            put(1, b"a", id_=element_id(1)),
            put(1, b"b", mode=PutMode.REPLACE),
            PutPlanes(STREAM, PACKET, 1, {1: b"c"}),
            put(2, b"x"),
            DeleteElements(STREAM, 2, 2),
            put(2, b"y", mode=PutMode.CREATE),
        ]
    )

    assert payload_at(store, 1) == [b"b", b"c"]
    assert payload_at(store, 2) == [b"y"]
    assert sequences(store.scan(STREAM, 0, 9)) == [0, (1, 1), 2]


def test_planes_are_stored_one_by_one(store_factory: StoreFactory) -> None:
    store = store_factory.open()
    store.commit(
        [PutElement(STREAM, msgspec.structs.replace(WHOLE, pts=1, kind=PACKET)), put(1, b"frame", kind=FRAME)]
    )
    store.commit([PutPlanes(STREAM, PACKET, 1, {2: b"VV"})])
    store.commit([PutPlanes(STREAM, PACKET, 1, {0: b"YYYYY"})])

    store = store_factory.reopen()
    packet, frame = store.range(STREAM, 1, 1)
    assert (packet.payload, packet.planes) == (PayloadState.HERE, (5, 0, 2))
    assert [payload(each) for each in store.payloads([packet, frame])] == [
        [b"YYYYY", b"", b"VV"],
        [b"frame"],
    ]
    assert store.facts(STREAM).payload_bytes == 12


def test_planes_of_a_missing_element_are_refused(store: ContentStore) -> None:
    store.commit([put(1)])

    with pytest.raises(NotFoundError, match=r"the stream has no frame with pts 1$"):
        store.commit([put(5), PutPlanes(STREAM, FRAME, 1, {0: b"x"})])

    assert store.facts(STREAM).count == 1


def test_deleted_elements_are_gone_and_counted(store_factory: StoreFactory) -> None:
    store = store_factory.open()
    store.commit([put(n, b"x", kind=kind) for n in range(5) for kind in (PACKET, FRAME)])

    outcomes = store.commit([DeleteElements(STREAM, 1, 2), DeleteElements(STREAM, 3, 9, FRAME)])

    assert [(outcome.created, outcome.changed) for outcome in outcomes] == [(False, 4), (False, 2)]
    store = store_factory.reopen()
    assert times(store.range(STREAM, 0, 9)) == [0, 0, 3, 4]
    assert store.facts(STREAM).payload_bytes == 4
    assert store.commit([DeleteElements(STREAM, 1, 2)])[0].changed == 0


def test_a_dropped_stream_begins_anew(store_factory: StoreFactory) -> None:
    store = store_factory.open()
    fill(store, [5, 6])
    fill(store, [7], stream=8)
    store.commit([LimitStream(STREAM, None, 0)])

    [dropped, never] = store.commit([DropStream(STREAM), DropStream(55)])

    assert (dropped.changed, never.changed) == (2, 0)
    assert store.facts(STREAM).next_sequence == 0
    begun(store, [STREAM])
    fill(store, [1])
    store = store_factory.reopen()
    store.expire(2**60)
    assert times(store.range(STREAM, 0, 9)) == [1]
    assert payload_at(store, 1) == [b"1"]
    assert times(store.range(8, 0, 9)) == [7]


@pytest.mark.parametrize(
    "write",
    [
        put(PTS_MAX + 1),
        put(1, stream=-1),
        put(1, stream=2**64),
        put(1, id_=b"short"),
        PutElement(STREAM, msgspec.structs.replace(WHOLE, dts=2**63)),
        PutElement(STREAM, msgspec.structs.replace(WHOLE, plane_sizes=(-1,))),
        PutPlanes(STREAM, PACKET, 1, {}),
        PutPlanes(STREAM, PACKET, 1, {64: b""}),
        LimitStream(STREAM, -1, None),
        LimitStream(STREAM, None, -1),
        PutDocument("", "a", {}, None),
        PutDocument("a\0b", "a", {}, None),
        PutDocument("a", "b" * 480, {}, None),
        PutDocument("a", "b", {"value": object()}, None),
        PutDocument("a", "b", {}, -1),
    ],
)
def test_what_can_not_be_stored_is_refused_and_changes_nothing(store: ContentStore, write: Write) -> None:
    with pytest.raises(MalformedError):
        store.commit([put(1), write])

    assert store.facts(STREAM).next_sequence == 0


def test_an_empty_commit_does_nothing(store: ContentStore) -> None:
    assert store.commit([]) == []
