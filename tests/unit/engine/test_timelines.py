"""Jobs without work: the engine itself passes their transitions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from jobengine.errors import ConflictError, NotFoundError, TransitionNotAllowed
from jobengine.ids import new_id
from jobengine.messaging.engine_messages import ChangeJob
from jobengine.model.record import TransitionRecord
from jobengine.testing import InMemoryEngine, ManualClock, PuppetWorkers
from tests.unit.engine.documents import after, at, immediate, job, on, pipe_job, when


def passed(engine: InMemoryEngine, job_id: str) -> list[tuple[str, float]]:
    """(resulting state, seconds since the start of the clock) of each row of the history."""
    return [(str(row.current_proc_state), _seconds(row.time_stamp)) for row in engine.history(job_id)]


def positions_s(rows: list[TransitionRecord]) -> list[float]:
    return [(row.stream_position or {})["pts"] / 1e6 for row in rows]


def _seconds(text: str | None) -> float:
    assert text is not None
    return (int(text[11:13]) - 11) * 3600 + int(text[14:16]) * 60 + float(text[17:-1])


def test_immediate_transitions_pass_in_list_order_at_once(engine: InMemoryEngine) -> None:
    job_id = engine.submit(
        job(immediate("Wait"), immediate("Start"), immediate("Pause"), immediate("Finish"))
    )
    assert passed(engine, job_id) == [("Waiting", 0), ("Running", 0), ("Paused", 0), ("Finished", 0)]


def test_immediate_passes_in_the_group_that_brought_it_though_the_clock_goes_on() -> None:
    clock = ManualClock(step=timedelta(microseconds=7))
    with InMemoryEngine(clock, PuppetWorkers(clock)) as engine:
        request = engine.submission(job(immediate("Start"), immediate("Finish")))
        engine.send(request)
        assert engine.state(engine.answer_to(request).job_id) == "Finished"


def test_durations_count_running_time_only(engine: InMemoryEngine) -> None:
    job_id = engine.submit(job(immediate("Start"), after(10_000, "Finish")))
    engine.advance(timedelta(seconds=4))
    engine.request(job_id, "Pause")
    engine.advance(timedelta(seconds=60))
    engine.request(job_id, "Start")
    engine.advance(timedelta(seconds=60))
    assert passed(engine, job_id)[-1] == ("Finished", 70)


def test_late_durations_do_not_move_those_behind_them(engine: InMemoryEngine) -> None:
    job_id = engine.submit(
        job(immediate("Start"), *[after(1000, "None") for _ in range(5)], after(1000, "Finish"))
    )
    engine.clock.advance(timedelta(milliseconds=3500))
    engine.settle()
    rows = engine.history(job_id)
    assert positions_s(rows) == [0, 1, 2, 3]
    assert [row.lateness_ms for row in rows] == [0, 2500, 1500, 500]
    engine.advance(timedelta(seconds=10))
    assert positions_s(engine.history(job_id)) == [0, 1, 2, 3, 4, 5, 6]
    assert passed(engine, job_id)[-1] == ("Finished", 6)


def test_durations_go_on_after_a_restart_as_if_nothing_had_been(engine: InMemoryEngine) -> None:
    job_id = engine.submit(
        job(immediate("Start"), after(1000, "None"), after(1000, "None"), after(1000, "Finish"))
    )
    engine.stop()
    engine.clock.advance(timedelta(milliseconds=1400))
    engine.start()
    engine.settle()
    engine.restart()
    engine.advance(timedelta(seconds=3))
    assert positions_s(engine.history(job_id)) == [0, 1, 2, 3]
    assert [row.lateness_ms for row in engine.history(job_id)] == [0, 400, 0, 0]


def test_time_triggers_pass_at_their_time(engine: InMemoryEngine) -> None:
    job_id = engine.submit(job(at("00:05", "Start"), at("00:07.250", "Finish")))
    engine.advance(timedelta(seconds=10))
    assert passed(engine, job_id) == [("Running", 5), ("Finished", 7.25)]
    assert [row.lateness_ms for row in engine.history(job_id)] == [0, 0]


@pytest.mark.parametrize("jump_s", [3600, -3600])
def test_jump_of_the_clock_fires_nothing_twice_and_no_duration_early_or_late(
    engine: InMemoryEngine, jump_s: int
) -> None:
    job_id = engine.submit(job(immediate("Start"), after(5000, "None"), after(5000, "Finish")))
    engine.advance(timedelta(seconds=2))
    engine.clock.jump(timedelta(seconds=jump_s))
    engine.advance(timedelta(seconds=2.999))
    assert len(engine.history(job_id)) == 1
    engine.advance(timedelta(seconds=4.5))
    assert [str(row.current_proc_state) for row in engine.history(job_id)] == ["Running", "Running"]
    engine.advance(timedelta(seconds=0.501))
    assert positions_s(engine.history(job_id)) == [0, 5, 10]


def test_jump_backwards_makes_time_triggers_wait_for_their_time(engine: InMemoryEngine) -> None:
    job_id = engine.submit(job(at("00:10", "Start"), at("00:20", "Finish")))
    engine.advance(timedelta(seconds=12))
    engine.clock.jump(timedelta(seconds=-60))
    engine.advance(timedelta(seconds=60))
    assert len(engine.history(job_id)) == 1
    engine.advance(timedelta(seconds=10))
    assert engine.state(job_id) == "Finished"


def test_stream_condition_on_running_time(engine: InMemoryEngine) -> None:
    job_id = engine.submit(job(immediate("Start"), when({"tsDeltaSec": {"maxDeltaSec": 3}}, "Finish")))
    engine.advance(timedelta(seconds=5))
    assert passed(engine, job_id)[-1] == ("Finished", 3.000001)


def test_event_passes_what_waits_for_it_and_matches_its_data(engine: InMemoryEngine) -> None:
    match = {"studio": {"number": 2}}
    job_id = engine.submit(job(immediate("Start"), on("on air", "Finish", match=match)))
    engine.raise_event("on air", {"studio": {"number": 1}})
    engine.raise_event("off air", {"studio": {"number": 2}})
    assert engine.state(job_id) == "Running"
    engine.raise_event("on air", {"studio": {"number": 2, "name": "B"}, "by": "desk"})
    last = engine.history(job_id)[-1]
    assert (last.current_proc_state, last.lateness_ms) == ("Finished", 0)
    assert last.info == {
        "event": {"name": "on air", "data": {"studio": {"number": 2, "name": "B"}, "by": "desk"}}
    }


def test_event_that_was_raised_before_is_not_waited_for_again(engine: InMemoryEngine) -> None:
    engine.raise_event("go")
    job_id = engine.submit(job(immediate("Start"), on("go", "Finish")))
    assert engine.state(job_id) == "Running"


def test_states_of_jobs_are_events_that_cascade_in_one_moment(engine: InMemoryEngine) -> None:
    first = engine.submit(job(immediate("Start")))
    chain = [first]
    for _ in range(5):
        chain.append(engine.submit(job(immediate("Start"), on(f"job:{chain[-1]}:Finished", "Finish"))))
    engine.request(first, "Finish")
    assert [engine.state(job_id) for job_id in chain] == ["Finished"] * 6


def test_events_survive_a_restart_of_the_engine(engine: InMemoryEngine) -> None:
    job_id = engine.submit(job(immediate("Start"), on("go", "Finish")))
    engine.restart()
    engine.raise_event("go")
    assert engine.state(job_id) == "Finished"


def test_nothing_can_be_appended_to_a_final_job(engine: InMemoryEngine) -> None:
    job_id = engine.submit(job(immediate("Cancel")))
    with pytest.raises(TransitionNotAllowed) as caught:
        engine.request(job_id, "Start")
    assert caught.value.facts == {"state": "Cancelled", "allowed": []}


def test_unknown_job_is_not_found(engine: InMemoryEngine) -> None:
    with pytest.raises(NotFoundError):
        engine.request(new_id(), "Start")


def test_work_cannot_be_given_to_a_job_that_runs_without(engine: InMemoryEngine) -> None:
    job_id = engine.submit(job(immediate("Start")))
    drafts = engine.submission(job(immediate("None"))).drafts
    changed: list[dict[str, Any]] = [{"pipeSpec": {"mixer": {}}}]
    with_work = tuple(type(d)(d.trigger, c) for d, c in zip(drafts, changed, strict=True))
    with pytest.raises(ConflictError, match="exactly one kind"):
        engine.ask(ChangeJob(request_id=new_id(), job_id=job_id, drafts=with_work))


class TestMisfire:
    def test_fire_is_the_default_however_late(self, engine: InMemoryEngine) -> None:
        job_id = self._after_downtime(engine, at("00:10", "Start"))
        [row] = engine.history(job_id)
        assert (row.status, row.current_proc_state, row.lateness_ms) == ("Passed", "Running", 50_000)

    def test_skip_leaves_a_row_that_says_so(self, engine: InMemoryEngine) -> None:
        job_id = self._after_downtime(engine, at("00:10", "Start", misfire="skip"))
        [row] = engine.history(job_id)
        assert (row.status, row.current_proc_state, row.info) == (
            "Skipped",
            "Pending",
            {"skipped": "misfire"},
        )
        assert engine.state(job_id) == "Pending"

    def test_grace_decides_what_is_too_late(self, engine: InMemoryEngine) -> None:
        job_id = self._after_downtime(
            engine,
            at("00:10", "Start", misfire="skip", misfireGraceMs=50_000),
            at("00:10", "Finish", misfire="skip", misfireGraceMs=49_999),
        )
        assert [str(row.status) for row in engine.history(job_id)] == ["Passed", "Skipped"]

    def test_coalesced_triggers_fire_once(self, engine: InMemoryEngine) -> None:
        job_id = self._after_downtime(
            engine, *[at(f"00:{10 + n}", "Start", coalesce=True) for n in range(5)], at("02:00", "Finish")
        )
        assert [str(row.status) for row in engine.history(job_id)] == ["Skipped"] * 4 + ["Passed"]

    def _after_downtime(self, engine: InMemoryEngine, *transitions: dict[str, object]) -> str:
        """The engine is away from the job's submission until 11:01."""
        job_id = engine.submit(job(*transitions))
        engine.stop()
        engine.clock.advance(timedelta(seconds=60))
        engine.start()
        engine.settle()
        return job_id


def test_a_condition_that_no_clock_gets_to_keeps_nobody_else_waiting(engine: InMemoryEngine) -> None:
    far = engine.submit(job(immediate("Start"), when({"frameCount": 2**63 - 1}, "Finish")))
    near = engine.submit(job(immediate("Start"), after(1000, "Finish")))
    engine.advance(timedelta(seconds=1))
    assert (engine.state(far), engine.state(near)) == ("Running", "Finished")


def test_a_start_in_the_first_second_of_all_time_is_overdue(engine: InMemoryEngine) -> None:
    trigger = {"type": "Time", "startTime": "0001-01-01T00:00:00Z", "requestedProcState": "Start"}
    job_id = engine.submit(pipe_job({"trigger": trigger}))
    assert engine.transitions(job_id)[0].due_time == "0001-01-01T00:00:00.000000Z"
