"""How late elements were: counted in steps, told without an end that hides the worst."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jobengine.worker.restream.counts import Lateness

MS = 1_000_000


@given(st.integers(0, 600_000 * MS))
def test_a_step_is_never_below_what_it_counts_and_at_most_an_eighth_above(late_ns: int) -> None:
    lateness = Lateness()
    lateness.note(late_ns)
    ((end_ms, count),) = lateness.steps
    assert count == 1
    assert late_ns < end_ms * MS <= late_ns * 9 / 8 + 0.11 * MS


def test_percentiles_are_of_all_elements_and_rounded_up() -> None:
    lateness = Lateness()
    lateness.note(-5 * MS, 900)
    lateness.note(2 * MS, 95)
    lateness.note(70_000 * MS, 5)
    assert (lateness.percentile_ms(50), lateness.percentile_ms(99)) == (0.1, 2.2)
    assert 70_000 < lateness.percentile_ms(99.9) < 80_000
    assert (lateness.last_ns, lateness.worst_ns) == (70_000 * MS, 70_000 * MS)


def test_what_is_later_than_the_last_step_is_counted_there() -> None:
    lateness = Lateness()
    lateness.note(10**15)
    ((end_ms, _),) = lateness.steps
    assert end_ms > 800_000


def test_of_no_elements_nothing_is_told() -> None:
    assert (Lateness().steps, Lateness().percentile_ms(99)) == ([], 0.0)
