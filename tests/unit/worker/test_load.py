"""How busy a loop is."""

from __future__ import annotations

from datetime import timedelta

import pytest

from jobengine.testing.clock import ManualClock
from jobengine.worker.load import WINDOW_NS, Load

TURN_NS = 1_000_000


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def work(load: Load, clock: ManualClock, turns: int, busy_ns: int) -> None:
    """So many turns, each busy at its end for so long."""
    for _ in range(turns):
        clock.advance(timedelta(microseconds=TURN_NS // 1000))
        now_ns = clock.monotonic_ns()
        load.worked(now_ns - busy_ns, now_ns)


@pytest.mark.parametrize("share", [0, 0.25, 0.5, 1])
def test_it_is_what_the_loop_was_busy_for(clock: ManualClock, share: float) -> None:
    load = Load(clock)
    work(load, clock, 10 * WINDOW_NS // TURN_NS, int(share * TURN_NS))
    assert load.share == pytest.approx(share, abs=0.01)


def test_one_long_turn_counts_for_little(clock: ManualClock) -> None:
    load = Load(clock)
    work(load, clock, 1, TURN_NS)
    assert 0 < load.share < 0.05


def test_what_was_long_ago_is_forgotten(clock: ManualClock) -> None:
    load = Load(clock)
    work(load, clock, 10 * WINDOW_NS // TURN_NS, TURN_NS)
    clock.advance(timedelta(hours=1))
    now_ns = clock.monotonic_ns()
    load.worked(now_ns, now_ns)
    assert load.share == pytest.approx(0, abs=0.001)


def test_no_time_at_all_changes_nothing(clock: ManualClock) -> None:
    load = Load(clock)
    now_ns = clock.monotonic_ns()
    load.worked(now_ns, now_ns)
    assert load.share == 0
