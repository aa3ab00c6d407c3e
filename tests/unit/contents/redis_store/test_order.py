"""The order of the bytes is the order of the numbers."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from jobengine.contents.redis_store.order import (
    gap_bounds,
    gap_member,
    pts_bounds,
    pts_number,
    sequence_bytes,
    sequence_number,
    time_member,
)
from jobengine.model.element import PTS_MAX, PTS_MIN

PTS = st.integers(PTS_MIN, PTS_MAX)
SEQUENCES = st.integers(0, 2**64 - 1)
TIMES = st.tuples(PTS, st.sampled_from([0, 1]), SEQUENCES)


def member(time: tuple[int, int, int]) -> bytes:
    return time_member(time[0], time[1], sequence_bytes(time[2]))


@given(TIMES, TIMES)
@example((2**53, 0, 0), (2**53 + 1, 0, 0))
@example((-1, 1, 0), (0, 0, 0))
def test_times_are_ordered_by_pts_then_kind_then_sequence(
    one: tuple[int, int, int], other: tuple[int, int, int]
) -> None:
    assert (member(one) < member(other)) == (one < other)
    assert pts_number(member(one)) == one[0]


@given(TIMES, st.integers(PTS_MIN * 2, PTS_MAX * 2), st.integers(PTS_MIN * 2, PTS_MAX * 2))
@example((PTS_MAX, 1, 2**64 - 1), PTS_MAX, PTS_MAX)
@example((PTS_MAX, 0, 0), PTS_MAX + 1, PTS_MAX + 2)
@example((PTS_MIN, 0, 0), PTS_MIN - 2, PTS_MIN - 1)
def test_a_range_holds_both_of_its_ends_and_nothing_else(
    time: tuple[int, int, int], first: int, last: int
) -> None:
    low, high = pts_bounds(first, last)

    is_inside = low[:1] == b"[" and low[1:] <= member(time) <= high[1:]
    assert is_inside == (first <= time[0] <= last)


@given(SEQUENCES, SEQUENCES)
def test_sequences_and_gaps_come_back_as_they_were(first: int, last: int) -> None:
    assert sequence_number(sequence_bytes(first)) == first
    assert gap_bounds(gap_member(first, last)) == (first, last)
