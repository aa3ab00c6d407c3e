"""The rehearsal of a list: when each transition would pass, were it posted now."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest

from jobengine.clock import from_text, to_text
from jobengine.model.lifecycle import JobState
from jobengine.model.plan import Planned
from jobengine.model.timeline import rehearse
from jobengine.testing.clock import START


def plan(*steps: tuple[str, str, dict[str, Any]]) -> list[Planned]:
    return [
        Planned(str(n), n, {"type": kind, "requestedProcState": state, **members}, {"n": n})
        for n, (kind, state, members) in enumerate(steps)
    ]


def at(seconds: float) -> dict[str, str]:
    return {"startTime": to_text(START + timedelta(seconds=seconds))}


def timeline(entries: list[dict[str, Any]]) -> list[tuple[int, float | None, str | None]]:
    return [
        (
            e["index"],
            (from_text(e["when"]) - START).total_seconds() if e["when"] else None,
            e["currentProcState"],
        )
        for e in entries
    ]


def test_times_states_and_effective_descriptions() -> None:
    steps = plan(
        ("Time", "Start", at(10)),
        ("Duration", "Pause", {"duration": 5000}),
        ("Time", "Start", at(60)),
        ("Duration", "None", {"duration": 2500}),
        ("Stream", "Finish", {"condition": {"frameCount": 48_000 * 10}}),
    )
    entries = rehearse(steps, START, Fraction(48_000))
    assert timeline(entries) == [
        (0, 10, "Running"),
        (1, 15, "Paused"),
        (2, 60, "Running"),
        (3, 62.5, "Running"),
        (4, 65, "Finished"),
    ]
    assert [entry["effectiveDescription"] for entry in entries] == [{"n": n} for n in range(5)]
    assert entries[3]["streamTimeMs"] == 7500


def test_what_cannot_be_foreseen_comes_last_with_the_reason() -> None:
    steps = plan(
        ("Immediate", "Start", {}), ("Event", "Finish", {"name": "go"}), ("Duration", "None", {"duration": 1})
    )
    entries = rehearse(steps, START, Fraction(48_000))
    assert timeline(entries)[1:] == [(1, None, None), (2, None, None)]
    assert entries[1]["reason"] == "waits for the event go"
    assert "stream clock" in entries[2]["reason"]


def test_nothing_passes_after_the_end() -> None:
    steps = plan(("Immediate", "Start", {}), ("Immediate", "Cancel", {}), ("Time", "None", at(99)))
    entries = rehearse(steps, START, Fraction(48_000))
    assert entries[2]["reason"] == "the job is Cancelled before this transition falls due"


def test_misfire_is_foreseen() -> None:
    steps = plan(("Time", "Start", {**at(-60), "misfire": "skip"}), ("Immediate", "Finish", {}))
    entries = rehearse(steps, START, Fraction(48_000))
    assert (entries[0]["reason"], entries[0]["currentProcState"]) == ("misfire", "Pending")


def test_clock_that_stands_still_ends_the_rehearsal() -> None:
    steps = plan(("Immediate", "Wait", {}), ("Duration", "Start", {"duration": 1}))
    entries = rehearse(steps, START, Fraction(48_000))
    assert "does not get there while the job is Waiting" in entries[1]["reason"]


def test_job_that_runs_already_goes_on_from_its_state() -> None:
    steps = plan(("Duration", "Finish", {"duration": 1000}))
    entries = rehearse(steps, START, Fraction(48_000), JobState.RUNNING, {"a": 1})
    assert timeline(entries) == [(0, 1, "Finished")]
    assert entries[0]["effectiveDescription"] == {"a": 1, "n": 0}


def test_real_time_condition_is_rehearsed_on_the_hosts_clock() -> None:
    steps = plan(("Immediate", "Start", {}), ("Stream", "Finish", {"condition": {"realTimeDeltaMs": 1500}}))
    [_, (_, when, state)] = timeline(rehearse(steps, START, Fraction(48_000)))
    assert when is not None
    assert (1.5 < when < 1.501, state) == (True, "Finished")


@pytest.mark.parametrize("delta_ms", [0, 60_000])
def test_real_time_stands_still_until_the_job_runs(delta_ms: int) -> None:
    steps = plan(
        ("Immediate", "Wait", {}), ("Stream", "Finish", {"condition": {"realTimeDeltaMs": delta_ms}})
    )
    entries = rehearse(steps, START, Fraction(48_000))
    assert "does not get there while the job is Waiting" in entries[1]["reason"]


def test_real_time_of_a_job_that_runs_counts_from_its_first_start() -> None:
    steps = plan(("Stream", "Finish", {"condition": {"realTimeDeltaMs": 60_000}}))
    started = START - timedelta(seconds=20)
    [(_, when, _)] = timeline(rehearse(steps, START, Fraction(48_000), JobState.RUNNING, started=started))
    assert when == pytest.approx(40, abs=0.001)


def test_what_lies_beyond_all_time_is_not_foreseen() -> None:
    far = ("Stream", "Finish", {"condition": {"frameCount": 2**63 - 1}})
    entries = rehearse(plan(("Immediate", "Start", {}), far), START, Fraction(48_000))
    assert "stream clock" in entries[1]["reason"]
