"""Only starts that failed and ends that come soon, one behind the other, are too many."""

from __future__ import annotations

import pytest

from jobengine.crash_loop import LIMIT, QUICK_S, CrashLoop


@pytest.mark.parametrize("served_s", [None, 0.0, QUICK_S - 0.1])
def test_failed_starts_and_quick_ends_in_a_row_are_too_many(served_s: float | None) -> None:
    crashes = CrashLoop()
    for _ in range(LIMIT - 1):
        crashes.note_end(served_s)
    assert not crashes.is_over
    crashes.note_end(None)
    assert crashes.is_over


def test_one_that_served_longer_begins_anew() -> None:
    crashes = CrashLoop()
    for _ in range(3):
        for _ in range(LIMIT - 1):
            crashes.note_end(None)
        crashes.note_end(QUICK_S)
    assert not crashes.is_over


def test_what_may_be_missing_for_a_while_is_left_alone_twice_as_long_each_time() -> None:
    crashes = CrashLoop()
    pauses_s = []
    for _ in range(LIMIT + 6):
        crashes.note_end(None)
        pauses_s.append(crashes.pause_s)
    assert pauses_s == [0.0] * (LIMIT - 1) + [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    crashes.note_end(QUICK_S)
    assert crashes.pause_s == 0.0
