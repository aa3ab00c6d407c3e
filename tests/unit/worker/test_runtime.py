"""The runtime cuts work exactly, stands still when paused, and tells how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest

from jobengine.clock import to_text
from jobengine.messaging.worker_messages import (
    Changed,
    Fire,
    OutputClosed,
    OutputOpened,
    Passed,
    Progress,
    Release,
    Resume,
    Sync,
    Withdraw,
)
from jobengine.model.plan import Planned
from jobengine.ports.work import WorkContext
from jobengine.testing import ManualClock, SyntheticWork
from jobengine.testing.clock import START
from jobengine.testing.synthetic_work import Stage as FailingCall
from tests.unit.worker.stage import ENGINE, ScriptedLink, Stage, planned, start

RATE = 48_000


def moment(ms: float) -> str:
    return to_text(START + timedelta(milliseconds=ms))


@pytest.mark.parametrize("is_paced", [True, False])
@pytest.mark.parametrize("block", [480, 960, 65_536])
@pytest.mark.parametrize("rate", [44_100, 48_000, Fraction(30_000, 1001)])
def test_durations_take_effect_at_exactly_their_tick(
    stage: Stage, is_paced: bool, block: int, rate: int | Fraction
) -> None:
    work = SyntheticWork(rate, is_paced=is_paced, block_ticks=block, length_ticks=10_000_000)
    change: dict[str, Any] = {"pipeSpec": {"mixer": {}}}
    spans = [37, 1, 4999, 20_001]
    plan = [planned(n + 1, "Duration", "None", duration=ms, description=change) for n, ms in enumerate(spans)]
    stage.run(work, [start(), *plan, planned(9, "Duration", "Finish", duration=10)])
    ends = [sum(spans[: n + 1]) for n in range(len(spans))]
    exact = [round(Fraction(ms, 1000) * Fraction(rate) + Fraction(1, 10**9)) for ms in ends]
    assert [position for position, _ in work.changes] == exact
    assert stage.passed[-1] == ("t9", "Finished", round(Fraction(ends[-1] + 10, 1000) * Fraction(rate)))


def test_paced_work_takes_as_long_as_it_lasts(stage: Stage) -> None:
    stage.run(SyntheticWork(), [start(), planned(1, "Duration", "Finish", duration=2500)])
    last = stage.link.reports[-1]
    assert isinstance(last, Passed)
    assert (last.time, last.lateness_ms) == (moment(2500), 0)


def test_time_trigger_takes_effect_within_a_block(stage: Stage) -> None:
    work = SyntheticWork(RATE, block_ticks=960)
    stage.run(work, [start(), planned(1, "Time", "Finish", startTime=moment(1003.7))])
    [_, (_, _, position)] = stage.passed
    assert abs(position - 1003.7 * 48) <= 960
    last = stage.link.reports[-1]
    assert isinstance(last, Passed)
    assert (last.due, 0 <= last.lateness_ms < 1) == (moment(1003.7), True)


def test_what_falls_due_while_the_machine_stands_still_takes_effect_in_its_place(stage: Stage) -> None:
    stage.link.at(500, lambda: stage.clock.advance(timedelta(seconds=4)))
    work = SyntheticWork(RATE, block_ticks=960)
    plan = [
        start(),
        planned(1, "Time", "None", startTime=moment(3003.7)),
        planned(2, "Duration", "None", duration=1000),
        planned(3, "Time", "None", startTime=moment(700)),
        planned(4, "Time", "Finish", startTime=moment(4700)),
    ]
    stage.run(work, plan)
    at = {name: position for name, _, position in stage.passed}
    assert list(at) == ["t0", "t3", "t1", "t2", "t4"]
    assert 0 <= at["t3"] - 700 * 48 <= 960
    assert 0 <= at["t1"] - 3003.7 * 48 <= 960
    assert at["t2"] == at["t1"] + RATE
    late = [report.lateness_ms for report in stage.link.reports if isinstance(report, Passed)]
    assert late[1:3] == [pytest.approx(3800, abs=1), pytest.approx(1496.3, abs=1)]


def test_clock_set_back_makes_a_time_trigger_wait_and_no_duration_late(stage: Stage) -> None:
    stage.link.at(500, lambda: stage.clock.jump(timedelta(seconds=-10)))
    plan = [
        start(),
        planned(1, "Duration", "None", duration=1000),
        planned(2, "Time", "Finish", startTime=moment(2000)),
    ]
    stage.run(SyntheticWork(), plan)
    assert [position for _, _, position in stage.passed[:2]] == [0, 48_000]
    assert abs(stage.passed[2][2] - 12 * RATE) <= 960


def test_clock_set_forward_fires_time_triggers_once(stage: Stage) -> None:
    stage.link.at(500, lambda: stage.clock.jump(timedelta(hours=1)))
    plan = [
        start(),
        planned(1, "Time", "None", startTime=moment(2000)),
        planned(2, "Duration", "Finish", duration=1000),
    ]
    stage.run(SyntheticWork(), plan)
    assert [name for name, _, _ in stage.passed] == ["t0", "t1", "t2"]
    at, end = stage.passed[1][2], stage.passed[2][2]
    assert 500 * 48 <= at <= 500 * 48 + 9600
    assert end == at + RATE


def test_pause_stands_still(stage: Stage) -> None:
    stage.arm(1000, planned(2, "Immediate", "Pause"))
    stage.arm(61_000, planned(3, "Immediate", "Start"))
    work = SyntheticWork()
    stage.run(work, [start(), planned(1, "Duration", "Finish", duration=2000)])
    assert stage.passed == [
        ("t0", "Running", 0),
        ("t2", "Paused", 48_000),
        ("t3", "Running", 48_000),
        ("t1", "Finished", 96_000),
    ]
    assert stage.link.reports[-1].time == moment(62_000)
    assert abs(work.discarded_ticks - 60 * RATE) <= RATE // 4


def test_duration_pauses_and_resumes_at_its_tick(stage: Stage) -> None:
    stage.arm(5000, planned(2, "Immediate", "Start"))
    plan = [
        start(),
        planned(1, "Duration", "Pause", duration=333),
        planned(3, "Duration", "Finish", duration=333),
    ]
    stage.run(SyntheticWork(44_100), plan)
    assert [position for _, _, position in stage.passed] == [0, 14_685, 14_685, 29_370]


def test_immediate_takes_effect_where_the_clock_is(stage: Stage) -> None:
    """A paced work goes up to now first; a block may be long."""
    work = SyntheticWork(RATE, block_ticks=RATE * 10)
    stage.arm(1234, planned(1, "Immediate", "None", description={"pipeSpec": {"mixer": {}}}))
    stage.arm(2000, planned(2, "Immediate", "Finish"))
    stage.run(work, [start()])
    assert [position for _, _, position in stage.passed] == [0, 1234 * 48, 2000 * 48]


def test_immediate_behind_a_pending_duration_does_not_move_it(stage: Stage) -> None:
    stage.arm(400, planned(2, "Immediate", "None"))
    stage.run(SyntheticWork(), [start(), planned(1, "Duration", "Finish", duration=1000)])
    assert [(name, position) for name, _, position in stage.passed] == [
        ("t0", 0),
        ("t2", 19_200),
        ("t1", 48_000),
    ]


def test_wait_prepares_and_start_begins_at_once(stage: Stage) -> None:
    stage.arm(10_000, planned(1, "Immediate", "Start"))
    stage.arm(11_000, planned(2, "Immediate", "Finish"))
    work = SyntheticWork()
    stage.run(work, [planned(0, "Immediate", "Wait")])
    assert [state for _, state, _ in stage.passed] == ["Waiting", "Running", "Finished"]
    assert work.started_at == START + timedelta(seconds=10)
    assert work.position == RATE


def test_a_real_time_condition_rests_until_the_job_runs(stage: Stage) -> None:
    stage.arm(1000, planned(2, "Immediate", "Start"))
    stage.run(
        SyntheticWork(),
        [planned(0, "Immediate", "Wait"), planned(1, "Stream", "Finish", condition={"realTimeDeltaMs": 0})],
    )
    assert [state for _, state, _ in stage.passed] == ["Waiting", "Running", "Finished"]
    assert stage.link.waits < 100


def test_planned_start_is_waited_for_in_waiting(stage: Stage) -> None:
    work = SyntheticWork()
    stage.run(
        work,
        [planned(0, "Time", "Start", startTime=moment(1500)), planned(1, "Duration", "Finish", duration=10)],
    )
    assert [(c.requested, c.state, c.info) for c in stage.changed] == [
        ("Wait", "Waiting", {"reason": "prepared"})
    ]
    assert work.started_at == START + timedelta(milliseconds=1500)


def test_end_of_input_is_an_implicit_finish(stage: Stage) -> None:
    work = SyntheticWork(is_paced=False, length_ticks=100_001, block_ticks=65_536)
    stage.run(work, [start(), planned(1, "Duration", "Cancel", duration=60_000)])
    [end] = stage.changed
    assert (end.requested, end.state, end.position.pts, end.info) == (
        "Finish",
        "Finished",
        100_001,
        {"reason": "end of input"},
    )
    [opened, closed] = [r for r in stage.link.reports if isinstance(r, OutputOpened | OutputClosed)]
    assert isinstance(closed, OutputClosed)
    assert (opened.sequence < closed.sequence < end.sequence, closed.samples) == (True, 100_001)


def test_who_hears_that_the_job_runs_has_heard_of_its_outputs(stage: Stage) -> None:
    stage.run(SyntheticWork(is_paced=False, length_ticks=48_000), [start()])
    kinds = [type(report) for report in stage.link.reports]
    assert kinds.index(OutputOpened) < kinds.index(Passed)


def test_transition_at_the_very_end_of_the_input_passes(stage: Stage) -> None:
    work = SyntheticWork(is_paced=False, length_ticks=48_000)
    stage.run(work, [start(), planned(1, "Duration", "Cancel", duration=1000)])
    assert stage.passed[-1] == ("t1", "Cancelled", 48_000)


@pytest.mark.parametrize(
    ("call", "stage_name"),
    [("prepare", "prepare"), ("start", "prepare"), ("advance", "running"), ("close", "running")],
)
def test_failure_ends_in_error_with_cause_and_stage(stage: Stage, call: FailingCall, stage_name: str) -> None:
    work = SyntheticWork(fail_in=call, fail_at=4800)
    stage.run(work, [start(), planned(1, "Duration", "Finish", duration=1000)])
    [error] = stage.changed
    assert (error.requested, error.state) == ("Fail", "Error")
    assert error.info["stage"] == stage_name
    assert error.info["code"] == "media"
    assert call in error.info["cause"]
    assert error.message == error.info["cause"]


def test_failing_change_ends_in_error_where_it_was_applied(stage: Stage) -> None:
    work = SyntheticWork(fail_in="apply")
    plan = [start(), planned(1, "Duration", "None", duration=1000, description={"pipeSpec": {}})]
    stage.run(work, plan)
    assert (stage.changed[0].state, stage.changed[0].position.pts) == ("Error", 48_000)


def test_fault_of_the_program_is_an_error_too(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    work = SyntheticWork()
    monkeypatch.setattr(work, "advance", lambda ticks: 1 // 0)
    stage.run(work, [start()])
    assert stage.changed[0].info["code"] == "internal"
    assert stage.changed[0].info["cause"].startswith("ZeroDivisionError")


def test_reason_to_end_terminates_and_closes(stage: Stage) -> None:
    def stop() -> None:
        stage.signals.stop = True

    stage.link.at(1000, stop)
    stage.run(SyntheticWork(), [start()])
    [end] = stage.changed
    assert (end.requested, end.state, end.info) == (
        "Terminate",
        "Terminated",
        {"reason": "the worker was told to stop by a signal"},
    )
    assert any(isinstance(report, OutputClosed) for report in stage.link.reports)


def test_reports_are_numbered_on_from_the_last_taken(stage: Stage) -> None:
    stage.run(SyntheticWork(), [start(), planned(1, "Duration", "Finish", duration=1)], report_sequence=41)
    assert [report.sequence for report in stage.link.reports] == [42, 43, 44, 45]


class FurtherOnDisk(SyntheticWork):
    """A work that finds half a second more than had been reported."""

    def prepare(self, description: Mapping[str, Any], context: WorkContext) -> None:
        further = replace(context, resume_position=context.resume_position + 24_000)
        super().prepare(description, further)


class TestResume:
    def test_running_goes_on_from_the_last_position_with_the_gap_told(self, stage: Stage) -> None:
        stage.clock.advance(timedelta(seconds=3))
        work = SyntheticWork()
        resume = Resume(position=24_000, time=moment(0), outputs=())
        finish = planned(1, "Duration", "Finish", duration=1000)
        stage.run(work, [finish], resume, state="Running", settled={0: 0}, output_count=2)
        [taken_up] = stage.changed
        assert (taken_up.requested, taken_up.state, taken_up.position.pts) == ("Start", "Running", 24_000)
        assert taken_up.info == {
            "reason": "resumed",
            "gapMs": 3000.0,
            "fromPosition": 24_000,
            "gapSamples": 144_000,
        }
        assert stage.passed == [("t1", "Finished", 48_000)]
        assert [r.number for r in stage.link.reports if isinstance(r, OutputOpened)] == [3]
        kinds = [type(report) for report in stage.link.reports]
        assert kinds.index(OutputOpened) < kinds.index(Changed)

    def test_what_the_former_worker_still_wrote_is_not_in_the_gap(self, stage: Stage) -> None:
        stage.clock.advance(timedelta(seconds=3))
        resume = Resume(position=24_000, time=moment(0), outputs=())
        work = FurtherOnDisk()
        stage.run(work, [planned(1, "Immediate", "Finish")], resume, state="Running", settled={0: 0})
        [taken_up] = stage.changed
        assert (taken_up.info["fromPosition"], taken_up.info["gapMs"]) == (48_000, 2500.0)

    def test_paused_stays_paused(self, stage: Stage) -> None:
        stage.arm(500, planned(1, "Immediate", "Finish"))
        work = SyntheticWork()
        stage.run(work, [], Resume(100, moment(0), ()), state="Paused", settled={0: 0})
        assert [(c.requested, c.state) for c in stage.changed] == [("Pause", "Paused")]
        assert work.advances == []


class TestCommands:
    def test_withdrawn_transition_does_not_pass(self, stage: Stage) -> None:
        stage.link.at(100, Withdraw(ENGINE, "r1", ("t1", "t0", "unknown")))
        stage.run(SyntheticWork(), [start(), planned(1, "Duration", "Cancel", duration=500), finish_at(2000)])
        assert stage.withdrawn[0].transition_ids == ("t1",)
        assert stage.passed[-1][1] == "Finished"

    def test_counts_of_a_withdrawn_transition_are_in_the_progress_told_before(self, stage: Stage) -> None:
        stage.link.at(730, Withdraw(ENGINE, "r1", ("t1",)))
        stage.run(SyntheticWork(), [start(), planned(1, "Duration", "Cancel", duration=900), finish_at(2000)])
        place = stage.link.said.index(stage.withdrawn[0])
        before, counts = stage.link.said[place - 1], stage.withdrawn[0].counts
        assert isinstance(before, Progress)
        assert counts is not None
        assert (before.position.pts, before.elapsed_s) == (counts.position, counts.elapsed_ms / 1000)

    def test_worker_from_which_the_job_was_taken_stops_and_closes_its_files(self, stage: Stage) -> None:
        stage.link.at(500, Release(ENGINE, fenced=True))
        work = SyntheticWork()
        stage.run(work, [start(), finish_at(2000)])
        assert [(c.state, c.info["reason"]) for c in stage.changed] == [
            ("Terminated", "the service has taken the job from this worker")
        ]
        assert any(isinstance(report, OutputClosed) for report in stage.link.reports)

    def test_event_takes_effect_when_it_is_told(self, stage: Stage) -> None:
        stage.link.at(750, Fire(ENGINE, ("t1",), moment(745)))
        stage.run(SyntheticWork(), [start(), planned(1, "Event", "Finish", name="go")])
        last = stage.link.reports[-1]
        assert isinstance(last, Passed)
        assert (last.position.pts, last.lateness_ms) == (36_000, 5)

    def test_event_raised_before_passes_at_once(self, stage: Stage) -> None:
        trigger = {"type": "Event", "name": "go", "requestedProcState": "Finish"}
        stage.run(SyntheticWork(), [start(), Planned("t1", 1, trigger, fired=moment(-1000))])
        assert stage.passed[-1] == ("t1", "Finished", 0)

    def test_sync_brings_what_was_missed_and_nothing_twice(self, stage: Stage) -> None:
        stage.link.at(100, Sync(ENGINE, 0, 7, (start(), finish_at(2000))))
        stage.run(SyntheticWork(), [start()])
        assert [name for name, _, _ in stage.passed] == ["t0", "t9"]
        assert stage.beats[-1].revision == 7

    def test_volatile_transition_leaves_no_report(self, stage: Stage) -> None:
        trigger = {"type": "Immediate", "requestedProcState": "None"}
        work = SyntheticWork()
        stage.arm(100, Planned("v", 5, trigger, {"pipeSpec": {}}, volatile=True))
        stage.run(work, [start(), finish_at(1000)])
        assert work.changes == [(4800, {"pipeSpec": {}})]
        assert [name for name, _, _ in stage.passed] == ["t0", "t9"]

    def test_heartbeats_come_twice_a_second(self, stage: Stage) -> None:
        stage.run(SyntheticWork(), [start(), finish_at(10_000)])
        assert 19 <= len(stage.beats) <= 21
        assert stage.beats[-1].speed == pytest.approx(1.0, abs=0.05)
        assert not any(isinstance(message, Changed) for message in stage.link.said)


def finish_at(ms: float) -> Planned:
    return planned(9, "Time", "Finish", startTime=moment(ms))


def test_a_clock_that_goes_on_meanwhile_does_not_keep_a_command_waiting_for_ever(stage: Stage) -> None:
    """Between any two readings time passes; catching up aims at the moment when the command came."""
    stage.clock = ManualClock(step=timedelta(microseconds=40))
    stage.link = ScriptedLink(stage.clock)
    stage.arm(100, planned(1, "Immediate", "Finish"))
    stage.run(SyntheticWork(RATE), [start()])
    assert stage.passed[-1][:2] == ("t1", "Finished")
