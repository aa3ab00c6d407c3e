"""What is found out before it is due comes to the very rows that would have come without."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from jobengine.model.record import TransitionRecord
from jobengine.testing import InMemoryEngine
from tests.unit.engine.documents import after, at, immediate, job, on

REQUESTS = st.sampled_from(["None", "Wait", "Pause", "Start", "Finish"])
TIMES = st.sampled_from(["00:03", "00:03.001", "00:03.500", "00:04", "00:09"])
MISSED = st.sampled_from([{}, {}, {"misfire": "skip"}, {"coalesce": True}, {"misfireGraceMs": 5}])
PLANNED = st.lists(st.tuples(TIMES, REQUESTS, MISSED), min_size=1, max_size=4)
STEPS = st.lists(st.sampled_from([0.001, 0.4, 1.0, 3.0]), min_size=1, max_size=8)
NEVER = on("what nobody raises", "None")
"""A job that waits for an event as well has to make a plan of everything that it waits for."""


def rows(engine: InMemoryEngine, job_id: str) -> list[TransitionRecord]:
    """The history without what differs from job to job, whose hashes the audit checks."""
    assert engine.audit().is_intact
    history = engine.history(job_id)
    return [replace(row, transition_id="", job_id="", previous_hash="", hash="") for row in history]


@settings(max_examples=40, deadline=None)
@given(PLANNED, STEPS, st.booleans())
def test_a_list_of_times_passes_as_with_a_plan(
    planned: list[tuple[str, str, dict[str, Any]]], steps: list[float], late: bool
) -> None:
    times = [at(when, requested, **missed) for when, requested, missed in planned]
    with InMemoryEngine() as engine:
        ahead, by_plan = engine.submit(job(*times)), engine.submit(job(*times, NEVER))
        for step in steps:
            if late:
                engine.clock.advance(timedelta(seconds=step))
                engine.settle()
            else:
                engine.advance(timedelta(seconds=step))
        assert rows(engine, ahead) == rows(engine, by_plan)
        assert engine.state(ahead) == engine.state(by_plan)


def test_what_is_appended_before_the_time_is_not_overlooked(engine: InMemoryEngine) -> None:
    job_id = engine.submit(job(at("00:03", "Start")))
    engine.advance(timedelta(seconds=2))
    engine.request(job_id, "Wait")
    engine.advance(timedelta(seconds=2))
    assert [row.current_proc_state for row in engine.history(job_id)] == ["Waiting", "Running"]


def test_a_duration_appended_after_it_counts_from_there(engine: InMemoryEngine) -> None:
    job_id = engine.submit(job(at("00:03", "Start")))
    engine.advance(timedelta(seconds=4))
    engine.append(job_id, after(500, "None"))
    engine.append(job_id, after(3000, "Finish"))
    engine.advance(timedelta(seconds=10))
    positions = [(row.stream_position or {})["pts"] for row in engine.history(job_id)]
    assert positions == [0, 1_000_000, 4_000_000]


def test_an_immediate_one_passes_at_once_whatever_was_found_ahead(engine: InMemoryEngine) -> None:
    job_id = engine.submit(job(at("00:03", "Start"), immediate("Wait")))
    engine.advance(timedelta(seconds=5))
    assert [row.current_proc_state for row in engine.history(job_id)] == ["Waiting", "Running"]
