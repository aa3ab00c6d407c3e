"""Elements are found by time, rank, id and place, in one order and at the ends of 64 bits."""

from __future__ import annotations

import pytest

from jobengine.errors import MalformedError
from jobengine.model.element import PTS_MAX, PTS_MIN, StreamFacts
from jobengine.ports.contents import (
    ContentStore,
    DeleteElements,
    DropPayloads,
    DropStream,
    PutMode,
    PutPlanes,
)
from tests.begun import begun
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

EDGES = [PTS_MIN, PTS_MIN + 1, -(2**53) - 1, -256, -1, 0, 1, 255, 256, 2**53 + 1, 2**53 + 2, PTS_MAX]


def test_an_unknown_stream_is_empty(store: ContentStore) -> None:
    assert store.facts(STREAM) == StreamFacts(STREAM, 0, 0, 0, None, None, 0)
    assert store.range(STREAM, PTS_MIN, PTS_MAX) == []
    assert store.nth(STREAM, 0, 10) == []
    assert store.scan(STREAM, 0, 10) == []
    assert store.by_id(STREAM, element_id(1)) is None
    assert store.by_sequence(STREAM, 0) is None
    assert store.key_by_id(STREAM, element_id(1)) is None
    assert store.key_by_pts(STREAM, PTS_MAX) is None


def test_elements_are_found_by_their_exact_time(store: ContentStore) -> None:
    fill(store, [30, 10, 20])

    assert sequences(store.range(STREAM, 20, 20)) == [2]
    assert store.range(STREAM, 15, 15) == []


def test_a_range_has_both_its_ends_in_order_of_time(store: ContentStore) -> None:
    fill(store, [50, 10, 40, 20, 30])

    assert times(store.range(STREAM, 20, 40)) == [20, 30, 40]
    assert times(store.range(STREAM, 40, 20)) == []


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("limit", [None, 0, 1, 3, 100])
@pytest.mark.parametrize("offset", [0, 1, 4, 5, 100])
def test_offset_and_limit_cut_a_page_out_of_a_range(
    store: ContentStore, offset: int, limit: int | None, descending: bool
) -> None:
    fill(store, [5, 0, 4, 1, 3, 2, 6])
    expected = [5, 4, 3, 2, 1] if descending else [1, 2, 3, 4, 5]

    found = store.range(STREAM, 1, 5, offset, limit, descending)

    assert times(found) == expected[offset:][:limit]


def test_elements_of_one_time_are_ordered_by_kind_and_then_by_arrival(store: ContentStore) -> None:
    store.commit([put(1, kind=FRAME), put(1, kind=PACKET), put(1, kind=FRAME), put(1, kind=PACKET)])

    assert sequences(store.range(STREAM, 1, 1)) == [1, 3, 0, 2]
    assert sequences(store.range(STREAM, 1, 1, descending=True)) == [2, 0, 3, 1]


def test_times_are_exact_over_all_of_64_bits(store: ContentStore) -> None:
    fill(store, reversed(EDGES))

    assert times(store.range(STREAM, PTS_MIN, PTS_MAX)) == EDGES
    assert times(store.nth(STREAM, 0, 100)) == EDGES
    for rank, pts in enumerate(EDGES):
        assert times(store.range(STREAM, pts, pts)) == [pts]
        assert times(store.nth(STREAM, rank, 1)) == [pts]
        assert payload_at(store, pts) == [str(pts).encode()]
        assert times(store.range(STREAM, pts, PTS_MAX, offset=1)) == EDGES[rank + 1 :]
    facts = store.facts(STREAM)
    assert (facts.first_pts, facts.last_pts) == (PTS_MIN, PTS_MAX)


@pytest.mark.parametrize("stream", [0, 1, 2**32, 2**63, 2**64 - 1])
def test_streams_have_any_number_of_64_bits(store: ContentStore, stream: int) -> None:
    other = stream - 1 if stream else 1
    begun(store, (stream, other))
    fill(store, [1], stream)
    fill(store, [2], other)

    assert times(store.range(stream, PTS_MIN, PTS_MAX)) == [1]


def test_the_nth_counts_over_what_was_deleted(store: ContentStore) -> None:
    fill(store, range(3000))
    store.commit([DeleteElements(STREAM, 100, 1099), DeleteElements(STREAM, 2000, 2000)])

    assert times(store.nth(STREAM, 99, 3)) == [99, 1100, 1101]
    assert times(store.nth(STREAM, 999, 3)) == [1999, 2001, 2002]
    assert times(store.nth(STREAM, 1998, 3)) == [2999 + 1 - 1]
    assert store.nth(STREAM, 1999, 3) == []


def test_the_nth_of_an_empty_stream_is_none_of_its_neighbours(store: ContentStore) -> None:
    begun(store, (1, 2))
    fill(store, range(600), stream=1)
    fill(store, range(600), stream=2)
    store.commit([DeleteElements(2, 0, 600)])

    assert store.nth(2, 300, 1) == []
    assert store.range(2, 0, 600, offset=300) == []


def test_the_nth_is_found_where_times_are_far_apart(store: ContentStore) -> None:
    apart = 3003
    fill(store, (number * apart for number in range(2000)))

    assert times(store.nth(STREAM, 1234, 2)) == [1234 * apart, 1235 * apart]
    assert times(store.range(STREAM, 500 * apart, PTS_MAX, offset=777, limit=1)) == [1277 * apart]
    assert times(store.range(STREAM, 0, 1500 * apart, 777, 1, descending=True)) == [723 * apart]


def test_an_element_is_found_by_its_id_in_its_stream_only(store: ContentStore) -> None:
    store.commit([put(1, id_=element_id(5)), put(2, id_=element_id(4))])
    store.commit([put(3, id_=element_id(5), stream=8)])

    found = store.by_id(STREAM, element_id(5))

    assert found is not None
    assert found.element.pts == 1
    assert found.element.element_id == element_id(5)
    assert store.by_id(STREAM, element_id(6)) is None


def test_an_element_is_found_by_its_place(store: ContentStore) -> None:
    fill(store, [20, 10])

    assert times([found for found in [store.by_sequence(STREAM, 1)] if found]) == [10]
    assert store.by_sequence(STREAM, 2) is None


def test_the_key_element_at_or_before_an_id_is_found(store: ContentStore) -> None:
    store.commit([put(n, key=n % 3 == 0, id_=element_id(n * 10)) for n in range(1, 8)])

    def key_at(number: int) -> int | None:
        found = store.key_by_id(STREAM, element_id(number))
        return found.element.pts if found else None

    assert [key_at(n) for n in (29, 30, 31, 59, 60, 1000)] == [None, 3, 3, 3, 6, 6]


def test_the_key_element_at_or_before_a_time_is_found(store: ContentStore) -> None:
    store.commit([put(pts, key=pts % 3 == 0) for pts in (-1, 3, 2, 5, 4, 6)])

    def key_at(pts: int) -> int | None:
        found = store.key_by_pts(STREAM, pts)
        return found.element.pts if found else None

    assert [key_at(pts) for pts in (PTS_MIN, 2, 3, 5, 6, PTS_MAX)] == [None, None, 3, 3, 6, 6]


def test_a_deleted_key_element_is_no_anchor(store: ContentStore) -> None:
    store.commit([put(1, key=True, id_=element_id(1)), put(2, key=True, id_=element_id(2))])
    store.commit([DeleteElements(STREAM, 2, 2)])

    by_pts, by_id = store.key_by_pts(STREAM, 9), store.key_by_id(STREAM, element_id(9))

    assert by_pts is not None
    assert by_pts.sequence == 0
    assert by_id == by_pts


def test_facts_are_those_of_the_elements_that_stand(store: ContentStore) -> None:
    store.commit([put(5, b"12345", key=True), put(1, b"1"), put(9, key=True), put(7, b"1234567")])
    store.commit([DeleteElements(STREAM, 1, 1), DeleteElements(STREAM, 9, 9)])

    assert store.facts(STREAM) == StreamFacts(STREAM, 2, 1, 12, 5, 7, 4)


def test_a_scan_goes_in_order_of_arrival_and_tells_of_gaps(store: ContentStore) -> None:
    fill(store, [9, 8, 7, 6, 5, 4])
    store.commit([DeleteElements(STREAM, 7, 8), DeleteElements(STREAM, 4, 4)])

    assert sequences(store.scan(STREAM, 0, 10)) == [0, (1, 2), 3, 4, (5, 5)]
    assert sequences(store.scan(STREAM, 0, 2)) == [0, (1, 2)]
    assert sequences(store.scan(STREAM, 2, 10)) == [(2, 2), 3, 4, (5, 5)]
    assert sequences(store.scan(STREAM, 5, 10)) == [(5, 5)]
    assert store.scan(STREAM, 6, 10) == []
    assert store.scan(STREAM, 0, 0) == []


def test_a_payload_is_the_one_of_now_however_long_ago_its_element_was_found(store: ContentStore) -> None:
    fill(store, range(5))
    found = store.range(STREAM, 0, 4)

    store.commit([PutPlanes(STREAM, PACKET, 1, {0: b"another"})])
    store.commit([put(2, b"replaced", mode=PutMode.REPLACE)])
    store.commit([DropPayloads(STREAM, 3, 3), DeleteElements(STREAM, 4, 4)])

    expected = [[b"0"], [b"another"], [b"replaced"], None, None]
    assert [payload(each) for each in store.payloads(found)] == expected


def test_an_element_of_a_stream_that_ended_has_no_payload(store: ContentStore) -> None:
    fill(store, range(2))
    found = store.range(STREAM, 0, 1)

    store.commit([DropStream(STREAM)])

    assert store.payloads(found) == [None, None]


def test_a_page_below_zero_is_refused(store: ContentStore) -> None:
    for look_up in (
        lambda: store.range(STREAM, 0, 1, offset=-1),
        lambda: store.range(STREAM, 0, 1, limit=-1),
        lambda: store.nth(STREAM, -1, 1),
        lambda: store.nth(STREAM, 0, -1),
        lambda: store.scan(STREAM, -1, 1),
        lambda: store.scan(STREAM, 0, -1),
    ):
        with pytest.raises(MalformedError):
            look_up()


@pytest.mark.parametrize("stream", [-1, 2**64])
def test_a_stream_beyond_64_bits_is_an_unknown_one(store: ContentStore, stream: int) -> None:
    assert store.facts(stream).count == 0
    assert store.range(stream, 0, 1) == []
    assert store.by_sequence(stream, 0) is None
