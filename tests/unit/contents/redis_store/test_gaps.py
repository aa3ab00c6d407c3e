"""Runs of removed sequences are joined."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from jobengine.contents.redis_store.gaps import joined


@given(st.sets(st.integers(0, 40), min_size=1))
def test_joined_runs_cover_the_same_and_do_not_touch(sequences: set[int]) -> None:
    runs = joined((each, each) for each in sequences)

    assert {each for first, last in runs for each in range(first, last + 1)} == sequences
    assert all(right[0] > left[1] + 1 for left, right in itertools.pairwise(runs))
