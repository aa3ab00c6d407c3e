"""What is packed into rows and heads comes back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jobengine.contents.redis_store.head import Head
from jobengine.contents.redis_store.row import (
    Row,
    id_of,
    is_held,
    is_key,
    places_of,
    stored_element,
    unpack_row,
)
from jobengine.model.element import PTS_MAX, PTS_MIN, Element, ElementKind, PayloadState

TICKS = st.integers(PTS_MIN, PTS_MAX)
SIZES = st.integers(0, 2**32 - 1)
ELEMENTS = st.builds(
    Element,
    kind=st.sampled_from(ElementKind),
    pts=TICKS,
    dts=st.none() | TICKS,
    duration=st.none() | TICKS,
    is_key=st.booleans(),
    plane_sizes=st.lists(SIZES, max_size=4).map(tuple),
    attributes=st.binary(max_size=64),
    element_id=st.binary(min_size=16, max_size=16),
)
ROWS = st.builds(
    Row,
    element=ELEMENTS,
    stored_time_us=st.integers(0, 2**62),
    state=st.sampled_from(PayloadState),
    places=st.lists(st.tuples(st.integers(0, 2**64 - 1), SIZES, SIZES), max_size=4).map(tuple),
    expires_us=st.none() | TICKS,
)


@given(ROWS)
def test_a_row_comes_back_as_it_was(row: Row) -> None:
    data = row.pack()

    assert unpack_row(data) == row
    assert (id_of(data), is_key(data)) == (row.element.element_id, row.element.is_key)
    assert is_held(data) == (row.state is PayloadState.HERE)
    assert places_of(data) == (row.places if is_held(data) else None)


@given(ROWS)
def test_readers_see_how_much_is_stored_of_each_plane(row: Row) -> None:
    stored = stored_element(5, 7, row.pack())

    assert (stored.stream, stored.sequence, stored.element) == (5, 7, row.element)
    assert sum(stored.planes) == row.payload_bytes


def test_a_head_comes_back_under_its_new_stamp() -> None:
    for age_us, limit_bytes in ((None, None), (0, 0), (1, None), (None, 2**62)):
        head = Head(b"o" * 16, 3, 4, 5, 6, age_us, limit_bytes)

        again = Head.unpack(head.pack(b"n" * 16))

        assert again == Head(b"n" * 16, 3, 4, 5, 6, age_us, limit_bytes)


def test_no_head_is_that_of_an_empty_stream() -> None:
    assert Head.unpack(None) == Head()
