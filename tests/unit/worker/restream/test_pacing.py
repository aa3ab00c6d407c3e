"""The reference numbers of the pacing rules, in virtual time."""

from __future__ import annotations

from typing import Any

import pytest

from jobengine.model.pacing import PacingSpec
from jobengine.worker.restream.failures import IncorrectTimestamp
from jobengine.worker.restream.pacing import Pacing

FIX_MS = 33.333
MODES = ["absolute", "upstream"]


def send_times_ms(
    timestamps_ms: list[float], cost_ms: float = 0.0, stall: tuple[int, float] | None = None, **members: Any
) -> list[float]:
    """When each element is sent; sending takes ``cost_ms``, and ``stall`` (index, ms) more for one."""
    pacing = Pacing(PacingSpec(**members))
    pacing.begin(0)
    now_ns, sent = 0, []
    for index, timestamp_ms in enumerate(timestamps_ms):
        now_ns = max(now_ns, pacing.due_ns(round(timestamp_ms * 1e6), now_ns, has_waited=False))
        pacing.sent(now_ns)
        sent.append(now_ns / 1e6)
        now_ns += round((cost_ms + (stall[1] if stall and stall[0] == index else 0)) * 1e6)
    return sent


def every(step_ms: float, count: int) -> list[float]:
    return [index * step_ms for index in range(count)]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("timestamps", "bounds", "ends"),
    [
        pytest.param(every(30, 20), (FIX_MS, FIX_MS), [33.333, 666.66], id="P1"),
        pytest.param(every(10, 20), (20, 33.333), [20, 400], id="P2"),
        pytest.param(every(30, 20), (1, 20), [1, 381], id="P3"),
        pytest.param(every(40, 100), (10, 103.333), [10, 3970], id="P4"),
        pytest.param(every(40, 20), (1200, 2000), [1200, 24_000], id="P5"),
    ],
)
def test_reference_numbers_of_even_streams(
    mode: str, timestamps: list[float], bounds: tuple[float, float], ends: list[float]
) -> None:
    low, high = bounds
    times = send_times_ms(timestamps, mode=mode, min_duration_ms=low, max_duration_ms=high)
    assert [times[0], times[-1]] == pytest.approx(ends, abs=0.01)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("timestamps", "fix", "expected"),
    [
        pytest.param([0, 40, 80, 20, 60], FIX_MS, [10, 50, 90, 123.333, 163.333], id="P6"),
        pytest.param([0, 40, 80, 20, 60], 5, [10, 50, 90, 100, 140], id="P7"),
        pytest.param([0, 40, 10_040, 10_080], FIX_MS, [10, 50, 153.333, 193.333], id="P8"),
    ],
)
def test_reference_numbers_of_uneven_streams(
    mode: str, timestamps: list[float], fix: float, expected: list[float]
) -> None:
    times = send_times_ms(
        timestamps, mode=mode, min_duration_ms=10, max_duration_ms=103.333, discrepancy_fix_ms=fix
    )
    assert times == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("mode", MODES)
def test_p9_a_slow_sink_sets_the_pace(mode: str) -> None:
    times = send_times_ms(every(40, 5), cost_ms=60, mode=mode, min_duration_ms=10)
    assert times == pytest.approx([10, 70, 130, 190, 250], abs=0.01)


def test_what_sending_takes_is_part_of_the_pause() -> None:
    times = send_times_ms(every(40, 5), cost_ms=15, mode="upstream", min_duration_ms=10)
    assert times == pytest.approx([10, 50, 90, 130, 170], abs=0.01)


def test_g15_a_stall_is_made_good_by_the_schedule_and_stays_for_ever_upstream() -> None:
    stall = (4, 200.0)
    absolute = send_times_ms(every(40, 20), stall=stall, mode="absolute")
    upstream = send_times_ms(every(40, 20), stall=stall, mode="upstream")
    assert absolute[5:9] == pytest.approx([360, 360, 360, 360], abs=0.01)
    assert absolute[-1] == pytest.approx(760, abs=0.01)
    assert upstream[-1] == pytest.approx(760 + 160, abs=0.01)


def test_a_long_absolute_schedule_does_not_drift() -> None:
    ticks = 1_000_000_000 / 30_000 * 1001
    times = send_times_ms([index * ticks / 1e6 for index in range(100_000)], cost_ms=1)
    assert times[-1] == pytest.approx(99_999 * ticks / 1e6, abs=0.001)


@pytest.mark.parametrize(("speed", "last"), [(0.5, 1520), (2, 380), (100, 7.6)])
def test_speed_divides_the_steps(speed: float, last: float) -> None:
    assert send_times_ms(every(40, 20), speed=speed)[-1] == pytest.approx(last)


def test_fast_waits_for_nothing() -> None:
    assert send_times_ms(every(40, 20), mode="fast", min_duration_ms=10) == [0.0] * 20


@pytest.mark.parametrize("mode", [*MODES, "fast"])
def test_u29_a_decrease_fails_the_job_where_it_is_asked_to(mode: str) -> None:
    with pytest.raises(IncorrectTimestamp, match="20 ms"):
        send_times_ms([0, 40, 20], mode=mode, stop_on_incorrect_ts=True)


def test_pictures_out_of_order_are_no_discrepancy_within_the_window() -> None:
    coded_order = [0, 120, 40, 80, 240, 160, 200, 360, 280, 320]
    times = send_times_ms([float(t) for t in coded_order], reorder=2, stop_on_incorrect_ts=True)
    assert times == [0, 120, 120, 120, 240, 240, 240, 360, 360, 360]


def test_a_store_without_news_moves_the_schedule_and_no_later_element_is_hurried() -> None:
    pacing = Pacing(PacingSpec())
    pacing.begin(0)
    pacing.due_ns(0, 0, has_waited=False)
    assert pacing.due_ns(40, 1000, has_waited=True) == 1000
    assert pacing.due_ns(80, 1000, has_waited=False) == 1040
    assert pacing.shifted_ns == 960


def test_pauses_of_the_job_are_no_lost_time() -> None:
    pacing = Pacing(PacingSpec())
    pacing.begin(0)
    pacing.due_ns(0, 0, has_waited=False)
    pacing.begin(5000)
    assert pacing.due_ns(40, 5000, has_waited=False) == 5040
