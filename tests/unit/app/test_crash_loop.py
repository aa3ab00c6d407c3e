"""Only ends that come soon, one behind the other, are too many."""

from __future__ import annotations

from jobengine.app.crash_loop import LIMIT, QUICK_S, CrashLoop


def test_quick_ends_in_a_row_are_too_many() -> None:
    crashes = CrashLoop()
    for _ in range(LIMIT - 1):
        assert not crashes.is_at_last_start
        crashes.note_end(QUICK_S - 0.1)
    assert (crashes.is_at_last_start, crashes.is_over) == (True, False)
    crashes.note_end(0.0)
    assert crashes.is_over


def test_one_that_lived_longer_begins_anew() -> None:
    crashes = CrashLoop()
    for _ in range(3):
        for _ in range(LIMIT - 1):
            crashes.note_end(0.0)
        crashes.note_end(QUICK_S)
    assert (crashes.is_at_last_start, crashes.is_over) == (False, False)
