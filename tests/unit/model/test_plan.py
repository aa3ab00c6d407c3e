"""The plan, as the design defines it: who passes when, in which order, from which point on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest

from jobengine.clock import to_text
from jobengine.model import plan as plan_module
from jobengine.model.condition import StreamReading, holds
from jobengine.model.plan import Due, Plan, Planned, round_half_up
from jobengine.testing.clock import START

RATE = Fraction(48_000)


class Run:
    """A plan and the clocks under which it is run; everything taken is kept."""

    def __init__(self, rate: Fraction = RATE, settled: dict[int, Fraction] | None = None) -> None:
        self.plan = Plan(rate, settled)
        self.rate = rate
        self.now = START
        self.position = 0
        self.taken: list[tuple[str, int]] = []
        self.dues: list[Due] = []

    @property
    def reading(self) -> StreamReading:
        elapsed_ms = (self.now - START) / timedelta(milliseconds=1)
        return StreamReading(self.position, self.rate, self.position, self.position, elapsed_ms)

    def arm(self, *transitions: Planned) -> None:
        self.plan.arm(transitions, self.now)

    def take_all(self) -> list[str]:
        """Take what is due here; the ids."""
        ids = []
        while (due := self.plan.take(self.now, self.reading)) is not None:
            ids.append(due.planned.transition_id)
            self.taken.append((due.planned.transition_id, self.position))
            self.dues.append(due)
        return ids

    def run_to(self, position: int) -> None:
        """Move the stream clock, cutting wherever the plan says."""
        self.take_all()
        while self.position < position:
            cut = self.plan.next_position(self.reading)
            self.position = position if cut is None or cut > position else cut
            self.take_all()


def item(position: int, trigger_type: str, **members: Any) -> Planned:
    """A transition with its position as its id."""
    fired = members.pop("fired", None)
    trigger = {"type": trigger_type, "requestedProcState": "None", **members}
    return Planned(str(position), position, trigger, fired=fired)


def duration(position: int, ms: int) -> Planned:
    return item(position, "Duration", duration=ms)


def time(position: int, seconds: float, **members: Any) -> Planned:
    return item(position, "Time", startTime=to_text(START + timedelta(seconds=seconds)), **members)


def immediate(position: int) -> Planned:
    return item(position, "Immediate")


class TestDuration:
    def test_counts_from_where_its_predecessor_passed(self) -> None:
        run = Run()
        run.arm(time(0, 5), duration(1, 1000))
        run.run_to(10_000)
        run.now += timedelta(seconds=5)
        run.run_to(100_000)
        assert run.taken == [("0", 10_000), ("1", 58_000)]

    def test_first_of_a_list_counts_from_the_start(self) -> None:
        run = Run()
        run.arm(duration(0, 10))
        run.run_to(1000)
        assert run.taken == [("0", 480)]

    def test_waits_for_a_pending_predecessor(self) -> None:
        run = Run()
        run.arm(item(0, "Event", name="go"), duration(1, 0), duration(2, 0))
        run.run_to(90_000)
        assert (run.taken, run.plan.next_position(run.reading)) == ([], None)
        run.plan.fire("0", run.now)
        assert run.take_all() == ["0", "1", "2"]

    def test_immediate_behind_a_pending_one_moves_nothing_and_list_order_decides_at_one_point(self) -> None:
        run = Run()
        run.arm(immediate(0), duration(1, 1000))
        run.run_to(24_000)
        run.arm(immediate(2), duration(3, 500))
        run.run_to(48_000)
        assert run.taken == [("0", 0), ("2", 24_000), ("1", 48_000), ("3", 48_000)]

    def test_chains_are_exact(self) -> None:
        """Case M9: 1000 of 37 ms at 44.1 kHz, each within half a sample, none drifting."""
        run = Run(Fraction(44_100))
        run.arm(immediate(0), *[duration(n, 37) for n in range(1, 1001)])
        run.run_to(44_100 * 37 + 10)
        assert len(run.taken) == 1001
        for n, (name, position) in enumerate(run.taken):
            assert name == str(n)
            assert abs(position - Fraction(37 * n * 44_100, 1000)) <= Fraction(1, 2)

    def test_hour_of_chained_durations_does_not_drift(self) -> None:
        run = Run(Fraction(44_100))
        run.arm(immediate(0), *[duration(n, 3637) for n in range(1, 991)])
        run.run_to(44_100 * 3637)
        assert run.taken[-1] == ("990", round_half_up(Fraction(990 * 3637 * 44_100, 1000)))

    def test_late_one_keeps_its_point_if_the_plan_was_told_where_it_was_armed(self) -> None:
        run = Run()
        run.plan.arm([immediate(0), duration(1, 1000), duration(2, 1000)], run.now, floor=0)
        run.take_all()
        run.position = 120_000
        run.take_all()
        assert [due.exact for due in run.dues] == [0, 48_000, 96_000]

    def test_one_armed_too_late_counts_from_where_it_took_effect(self) -> None:
        run = Run()
        run.arm(immediate(0))
        run.run_to(100_000)
        run.plan.arm([duration(1, 1000), duration(2, 1000)], run.now, floor=100_000)
        run.run_to(200_000)
        assert run.taken[1:] == [("1", 100_000), ("2", 148_000)]

    def test_plan_taken_up_again_counts_from_what_was_settled(self) -> None:
        run = Run(settled={0: Fraction(1000), 2: Fraction(5000)})
        run.arm(duration(1, 1000), duration(3, 1000))
        run.run_to(60_000)
        assert run.taken == [("1", 49_000), ("3", 53_000)]


class TestOrder:
    def test_earlier_due_goes_first_whatever_the_list_says(self) -> None:
        run = Run()
        run.arm(time(0, 20), time(1, 10), time(2, 10))
        run.now += timedelta(seconds=30)
        assert run.take_all() == ["1", "2", "0"]

    def test_immediates_pass_in_list_order(self) -> None:
        run = Run()
        run.arm(*[immediate(n) for n in range(10)])
        assert run.take_all() == [str(n) for n in range(10)]

    def test_nothing_is_due_before_it_was_armed(self) -> None:
        run = Run()
        run.arm(immediate(5))
        run.now += timedelta(seconds=1)
        run.arm(time(0, -100), immediate(1))
        assert run.take_all() == ["5", "0", "1"]


class TestEdges:
    def test_armed_twice_passes_once(self) -> None:
        run = Run()
        run.arm(immediate(0), duration(1, 10))
        run.take_all()
        run.arm(immediate(0), duration(1, 10))
        run.run_to(10_000)
        assert [name for name, _ in run.taken] == ["0", "1"]

    def test_withdrawn_does_not_pass_and_its_follower_counts_anew(self) -> None:
        run = Run()
        run.arm(immediate(0), duration(1, 1000), duration(2, 2000))
        run.run_to(480)
        assert run.plan.withdraw("1")
        assert not run.plan.withdraw("1")
        assert not run.plan.withdraw("0")
        run.run_to(200_000)
        assert run.taken == [("0", 0), ("2", 96_000)]

    def test_withdrawn_and_armed_with_another_trigger(self) -> None:
        run = Run()
        run.arm(immediate(0), duration(1, 1000), duration(2, 1000))
        run.run_to(480)
        run.plan.withdraw("1")
        run.arm(duration(1, 3000))
        run.run_to(300_000)
        assert run.taken == [("0", 0), ("1", 144_000), ("2", 192_000)]

    def test_event_raised_twice_counts_once_and_from_the_first(self) -> None:
        run = Run()
        run.arm(item(0, "Event", name="go"))
        run.plan.fire("0", START + timedelta(seconds=1))
        run.plan.fire("0", START + timedelta(seconds=9))
        run.now += timedelta(seconds=2)
        assert run.take_all() == ["0"]
        assert run.dues[0].due_moment == START + timedelta(seconds=1)

    @pytest.mark.parametrize("jump_s", [-86_400, 86_400])
    def test_set_clock_fires_nothing_twice_and_nothing_early(self, jump_s: int) -> None:
        run = Run()
        run.arm(time(0, 10), duration(1, 1000))
        run.now += timedelta(seconds=9.999999)
        assert run.take_all() == []
        run.now += timedelta(seconds=jump_s)
        assert run.take_all() == (["0"] if jump_s > 0 else [])
        run.now = START + timedelta(seconds=10)
        run.take_all()
        run.run_to(48_000)
        assert [name for name, _ in run.taken] == ["0", "1"]


class TestMisfire:
    @pytest.mark.parametrize(
        ("late_ms", "members", "skip"),
        [
            (999_999, {}, ""),
            (1000, {"misfire": "skip"}, ""),
            (1001, {"misfire": "skip"}, "misfire"),
            (51, {"misfire": "skip", "misfireGraceMs": 50}, "misfire"),
            (5000, {"coalesce": True}, ""),
        ],
    )
    def test_policy(self, late_ms: int, members: dict[str, Any], skip: str) -> None:
        run = Run()
        run.arm(time(0, 0, **members))
        run.now += timedelta(milliseconds=late_ms)
        run.take_all()
        assert run.dues[0].skip == skip
        assert run.dues[0].due_moment == START

    def test_coalesced_are_exhausted_but_for_the_last(self) -> None:
        run = Run()
        run.arm(*[time(n, n, coalesce=True) for n in range(5)], time(5, 100, coalesce=True))
        run.now += timedelta(seconds=10)
        run.take_all()
        assert [due.skip for due in run.dues] == ["coalesced"] * 4 + [""]

    def test_armed_late_is_a_misfire_all_the_same(self) -> None:
        run = Run()
        run.arm(time(0, -60, misfire="skip"))
        run.take_all()
        assert run.dues[0].skip == "misfire"


class TestManyPending:
    """Operations are counted, not time: doubling the plan may not quadruple the work."""

    def operations(self, monkeypatch: pytest.MonkeyPatch, transitions: Sequence[Planned]) -> int:
        count = 0
        is_live = Plan._is_live

        def counted(plan: Plan, entry: Any) -> bool:
            nonlocal count
            count += 1
            return is_live(plan, entry)

        monkeypatch.setattr(Plan, "_is_live", counted)
        run = Run()
        run.arm(immediate(0), *transitions)
        run.now += timedelta(days=1)
        run.run_to(48_000 * 100)
        assert len(run.taken) == len(transitions) + 1
        monkeypatch.undo()
        return count

    @pytest.mark.parametrize("kind", ["Duration", "Time", "Immediate", "coalesced"])
    def test_work_grows_with_the_number_only(self, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
        def make(n: int) -> Planned:
            return {
                "Duration": lambda: duration(n, 10),
                "Time": lambda: time(n, n / 1000),
                "Immediate": lambda: immediate(n),
                "coalesced": lambda: time(n, n / 1000, coalesce=True),
            }[kind]()

        few = self.operations(monkeypatch, [make(n) for n in range(1, 1001)])
        many = self.operations(monkeypatch, [make(n) for n in range(1, 10_001)])
        assert many < few * 15

    def test_stream_conditions_on_the_same_point_are_evaluated_once_each(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        count = 0

        def counted(condition: Any, reading: StreamReading) -> bool:
            nonlocal count
            count += 1
            return holds(condition, reading)

        monkeypatch.setattr(plan_module, "holds", counted)
        run = Run()
        run.arm(*[item(n, "Stream", condition={"frameCount": 48_000 + n}) for n in range(1, 101)])
        run.run_to(50_000)
        assert [position for _, position in run.taken] == [48_000 + n for n in range(1, 101)]
        assert count <= 100 * 101 * 2


@pytest.mark.parametrize(("value", "whole"), [("1/2", 1), ("-1/2", 0), ("3/2", 2), ("5/4", 1), ("7", 7)])
def test_halves_are_rounded_up(value: str, whole: int) -> None:
    assert round_half_up(Fraction(value)) == whole
