"""A condition that counts from a moment on becomes one that counts from the start, wherever it stands."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from jobengine.model.condition import MAX_COUNT, StreamReading
from jobengine.model.condition_counts import counted_from_start, what_is_left

READING = StreamReading(2_500_000, Fraction(1_000_000), elements=100, key_elements=4, elapsed_ms=3000.4)
WORDS = ["now", "never", {"lastFrame": {"uuid": "018f76e3-a0b9-7f67-8f76-ab0402fda78e"}}]


@pytest.mark.parametrize(
    ("from_now", "from_start"),
    [
        ({"frameCount": 10}, {"frameCount": 110}),
        ({"keyFrameCount": 1}, {"keyFrameCount": 5}),
        ({"tsDeltaSec": {"maxDeltaSec": 1.5}}, {"tsDeltaSec": {"maxDeltaSec": 4.0}}),
        ({"realTimeDeltaMs": {"configuredDeltaMs": 500}}, {"realTimeDeltaMs": {"configuredDeltaMs": 3500}}),
        (
            {"any": [{"frameCount": 1}, {"not": {"all": [{"keyFrameCount": 2}, "never"]}}]},
            {"any": [{"frameCount": 101}, {"not": {"all": [{"keyFrameCount": 6}, "never"]}}]},
        ),
        *((word, word) for word in WORDS),
    ],
)
def test_counts_are_moved_and_back_again(from_now: Any, from_start: Any) -> None:
    assert counted_from_start(from_now, READING) == from_start
    assert what_is_left(from_start, READING) == from_now


def test_nothing_is_moved_beyond_its_bounds() -> None:
    assert counted_from_start({"frameCount": MAX_COUNT}, READING) == {"frameCount": MAX_COUNT}
    assert what_is_left({"frameCount": 7}, READING) == {"frameCount": 1}
    assert what_is_left({"tsDeltaSec": {"maxDeltaSec": 1.0}}, READING) == {"tsDeltaSec": {"maxDeltaSec": 0.0}}
