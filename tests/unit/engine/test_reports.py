"""What workers report is taken once, in order, whatever the wire and the processes do to it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from jobengine.clock import from_text
from jobengine.messaging.spool import Spool, ledger_of
from jobengine.messaging.worker_messages import Acknowledge, Arm, Assign, Fire, Release, Sync
from jobengine.model.record import TransitionRecord
from jobengine.testing import InMemoryEngine, Puppet, PuppetWorkers
from tests.unit.engine.assigning import assigned, interrupted
from tests.unit.engine.documents import after, at, immediate, on, pipe_job


@pytest.fixture
def job_id(stage: InMemoryEngine) -> str:
    return stage.submit(pipe_job(immediate("Start"), after(1000, "None"), after(1000, "Finish")))


@pytest.fixture
def puppet(stage: InMemoryEngine, puppets: PuppetWorkers, job_id: str) -> Puppet:
    """A worker that has its job and has started."""
    puppet = assigned(stage, puppets, job_id)
    puppet.passed(puppet.assignment.transitions[0].transition_id, "Running")
    stage.settle()
    return puppet


def states(rows: list[TransitionRecord]) -> list[tuple[int | None, str]]:
    return [(row.sequence, str(row.current_proc_state)) for row in rows]


def ids(puppet: Puppet) -> list[str]:
    return [planned.transition_id for planned in puppet.assignment.transitions]


def acknowledged(puppet: Puppet) -> int:
    return max(c.acknowledged for c in puppet.commands if isinstance(c, Acknowledge | Sync))


def test_work_waits_for_its_worker(stage: InMemoryEngine, puppets: PuppetWorkers, job_id: str) -> None:
    assert [process.job_id for process in puppets.launched] == [job_id]
    assert (stage.state(job_id), stage.history(job_id)) == ("Pending", [])


def test_worker_gets_the_whole_plan(stage: InMemoryEngine, puppets: PuppetWorkers, job_id: str) -> None:
    told = assigned(stage, puppets, job_id).assignment
    assert (told.job_id, told.kind, told.state, told.report_sequence) == (job_id, "pipe", "Pending", 0)
    assert [planned.position for planned in told.transitions] == [0, 1, 2]
    assert told.description["pipeSpec"]["inputGraph"][0]["name"] == "In"
    assert stage.job(job_id).worker_process_id == 1001


def test_doubled_hello_changes_nothing(stage: InMemoryEngine, puppets: PuppetWorkers, job_id: str) -> None:
    puppet = assigned(stage, puppets, job_id)
    puppet.hello()
    puppet.passed(ids(puppet)[0], "Running")
    stage.settle()
    assert states(stage.history(job_id)) == [(1, "Running")]


def test_reports_become_history(stage: InMemoryEngine, puppet: Puppet, job_id: str) -> None:
    puppet.passed(ids(puppet)[1], "Running", 48_000)
    puppet.passed(ids(puppet)[2], "Finished", 96_000)
    stage.settle()
    assert states(stage.history(job_id)) == [(1, "Running"), (2, "Running"), (3, "Finished")]
    assert [row.stream_position["samples"] for row in stage.history(job_id) if row.stream_position] == [
        0,
        48_000,
        96_000,
    ]
    assert isinstance(puppet.commands[-1], Release)
    assert stage.job(job_id).worker_process_id == 0


def test_doubled_reports_are_dropped(stage: InMemoryEngine, puppet: Puppet, job_id: str) -> None:
    report = puppet.passed(ids(puppet)[1], "Running", 48_000)
    puppet.say(report)
    stage.settle()
    puppet.say(report)
    stage.settle()
    assert states(stage.history(job_id)) == [(1, "Running"), (2, "Running")]
    assert acknowledged(puppet) == 2


def test_reports_behind_a_gap_wait_for_what_is_missing(
    stage: InMemoryEngine, puppets: PuppetWorkers, puppet: Puppet, job_id: str
) -> None:
    missing = puppet.passed(ids(puppet)[1], "Running", 48_000)
    last = puppet.passed(ids(puppet)[2], "Finished", 96_000)
    puppets.take_reports()
    puppet.say(last)
    stage.settle()
    assert (states(stage.history(job_id)), acknowledged(puppet)) == ([(1, "Running")], 1)
    puppet.say(missing)
    puppet.say(last)
    stage.settle()
    assert states(stage.history(job_id))[1:] == [(2, "Running"), (3, "Finished")]


def test_restarted_engine_syncs_and_takes_each_report_once(
    stage: InMemoryEngine, puppet: Puppet, job_id: str
) -> None:
    taken = puppet.passed(ids(puppet)[1], "Running", 48_000)
    stage.settle()
    stage.stop()
    lost = puppet.passed(ids(puppet)[2], "Finished", 96_000)
    stage.start()
    puppet.beat("Running", 90_000)
    stage.settle()
    sync = puppet.commands[-1]
    assert isinstance(sync, Sync)
    assert (sync.acknowledged, [p.transition_id for p in sync.transitions]) == (2, ids(puppet)[2:])
    for report in (taken, lost):
        puppet.say(report)
    stage.settle()
    assert [sequence for sequence, _ in states(stage.history(job_id))] == [1, 2, 3]
    assert stage.state(job_id) == "Finished"


def test_worker_of_a_dead_service_that_is_gone_is_lost(
    stage: InMemoryEngine, puppets: PuppetWorkers, puppet: Puppet, job_id: str
) -> None:
    stage.stop()
    puppets.alive.clear()
    stage.start()
    stage.settle()
    assert (stage.state(job_id), stage.job(job_id).status_message) == ("Error", "the worker process is gone")


def test_spool_of_a_dead_worker_is_read_before_it_is_mourned(
    stage: InMemoryEngine, puppets: PuppetWorkers, puppet: Puppet, job_id: str
) -> None:
    reports = [
        puppet.passed(ids(puppet)[1], "Running", 48_000),
        puppet.passed(ids(puppet)[2], "Finished", 96_000),
    ]
    puppets.take_reports()
    spool = Spool(puppet.process.spool)
    for report in reports:
        spool.append(report)
    spool.close()
    puppet.die()
    stage.settle()
    assert states(stage.history(job_id))[1:] == [(2, "Running"), (3, "Finished")]
    assert not puppet.process.spool.exists()


def test_what_a_dead_worker_left_waits_for_its_successor_over_a_restart(
    stage: InMemoryEngine, puppets: PuppetWorkers
) -> None:
    stage.advance(timedelta(minutes=1))
    job_id, first = interrupted(stage, puppets)
    ledger = ledger_of(first.process.spool)
    ledger.parent.mkdir(exist_ok=True)
    ledger.write_bytes(b"how far it came")

    stage.stop()
    stage.start()
    stage.engine.tick()
    assert ledger.exists()
    stage.settle()
    assert ledger.exists()

    second = assigned(stage, puppets, job_id)
    second.changed("Start", "Running", 24_000, reason="resumed")
    second.changed("Finish", "Finished", 48_000)
    stage.settle()
    assert stage.state(job_id) == "Finished"
    assert not ledger.exists()


def test_torn_spool_is_read_up_to_the_tear(
    stage: InMemoryEngine, puppets: PuppetWorkers, puppet: Puppet, job_id: str
) -> None:
    report = puppet.passed(ids(puppet)[1], "Running", 48_000)
    puppets.take_reports()
    spool = Spool(puppet.process.spool)
    spool.append(report)
    spool.close()
    with puppet.process.spool.open("ab") as file:
        file.write(b"\x20\x00\x00\x00torn")
    puppet.die()
    stage.settle()
    assert states(stage.history(job_id))[1:] == [(2, "Running"), (3, "Error")]


def test_unreadable_spool_does_not_stop_the_engine(
    stage: InMemoryEngine, puppet: Puppet, job_id: str
) -> None:
    puppet.process.spool.parent.mkdir(parents=True, exist_ok=True)
    puppet.process.spool.write_bytes(bytes(64))
    puppet.die()
    stage.settle()
    assert stage.state(job_id) == "Error"


def test_stranger_that_speaks_for_a_job_is_fenced(
    stage: InMemoryEngine, puppets: PuppetWorkers, puppet: Puppet, job_id: str
) -> None:
    stranger = Puppet(puppets, puppet.process, 4711)
    stranger.hello()
    stranger.say(puppet.passed(ids(puppet)[1], "Running"))
    puppets.take_reports()
    stranger.hello()
    stage.settle()
    assert stranger.commands == [Release(puppet.assignment.engine, fenced=True)]
    assert states(stage.history(job_id)) == [(1, "Running")]


def test_appended_transitions_are_armed_in_the_worker(
    stage: InMemoryEngine, puppet: Puppet, job_id: str
) -> None:
    [transition_id] = stage.append(job_id, immediate("Pause"))
    arm = puppet.commands[-1]
    assert isinstance(arm, Arm)
    assert [(p.transition_id, p.position) for p in arm.transitions] == [(transition_id, 3)]
    assert arm.revision == stage.job(job_id).revision


def test_plan_that_got_lost_on_the_way_is_sent_again(
    stage: InMemoryEngine, puppet: Puppet, job_id: str
) -> None:
    stage.append(job_id, immediate("Pause"))
    puppet.beat("Running", revision=1)
    stage.settle()
    assert not isinstance(puppet.commands[-1], Sync)
    stage.advance(timedelta(seconds=1.5))
    puppet.beat("Running", revision=1)
    stage.settle()
    sync = puppet.commands[-1]
    assert isinstance(sync, Sync)
    assert [planned.position for planned in sync.transitions] == [1, 2, 3]


def test_events_are_fired_in_the_worker(stage: InMemoryEngine, puppets: PuppetWorkers) -> None:
    job_id = stage.submit(pipe_job(immediate("Start"), on("go", "Finish")))
    puppet = assigned(stage, puppets, job_id)
    stage.raise_event("go")
    fire = puppet.commands[-1]
    assert isinstance(fire, Fire)
    assert fire.transition_ids == (ids(puppet)[1],)
    puppet.passed(ids(puppet)[0], "Running")
    stage.clock.advance(timedelta(milliseconds=12))
    puppet.passed(ids(puppet)[1], "Finished")
    stage.settle()
    last = stage.history(job_id)[-1]
    assert (last.lateness_ms, (last.info or {})["event"]["name"]) == (12, "go")


def test_event_raised_before_the_worker_came_goes_along_with_the_plan(
    stage: InMemoryEngine, puppets: PuppetWorkers
) -> None:
    job_id = stage.submit(pipe_job(immediate("Start"), on("go", "Finish")))
    stage.raise_event("go")
    told = assigned(stage, puppets, job_id).assignment
    assert [planned.fired is not None for planned in told.transitions] == [False, True]


class TestLead:
    def test_worker_is_launched_before_a_planned_start(
        self, stage: InMemoryEngine, puppets: PuppetWorkers
    ) -> None:
        stage.submit(pipe_job(at("00:10", "Start")))
        stage.advance(timedelta(seconds=8.499))
        assert puppets.launched == []
        stage.advance(timedelta(seconds=0.001))
        assert len(puppets.launched) == 1

    def test_start_appended_too_late_for_the_lead_is_prepared_at_once(
        self, stage: InMemoryEngine, puppets: PuppetWorkers
    ) -> None:
        stage.submit(pipe_job(at("00:00.5", "Start")))
        assert len(puppets.launched) == 1

    def test_skipped_start_needs_no_worker(self, stage: InMemoryEngine, puppets: PuppetWorkers) -> None:
        stage.clock.advance(timedelta(seconds=60))
        job_id = stage.submit(pipe_job(at("00:10", "Start", misfire="skip")))
        assert (puppets.launched, stage.state(job_id)) == ([], "Pending")
        assert [str(row.status) for row in stage.history(job_id)] == ["Skipped"]

    @pytest.mark.parametrize("ahead_s", [0, 8])
    def test_cancel_before_the_start_needs_no_worker(
        self, stage: InMemoryEngine, puppets: PuppetWorkers, ahead_s: int
    ) -> None:
        job_id = stage.submit(pipe_job(at("00:10", "Start")))
        stage.advance(timedelta(seconds=ahead_s))
        stage.request(job_id, "Cancel")
        stage.advance(timedelta(seconds=20))
        assert (puppets.launched, stage.state(job_id)) == ([], "Cancelled")

    def test_launch_without_a_fork_is_tried_again(
        self, stage: InMemoryEngine, puppets: PuppetWorkers
    ) -> None:
        stage.submit(pipe_job(immediate("Start")))
        stage.advance(timedelta(seconds=30))
        assert 2 <= len(puppets.launched) <= 4


class TestLosses:
    def test_job_fails_with_cause_and_position(
        self, stage: InMemoryEngine, puppet: Puppet, job_id: str
    ) -> None:
        puppet.beat("Running", 24_000)
        stage.settle()
        puppet.die(-9)
        stage.settle()
        last = stage.history(job_id)[-1]
        assert (last.trigger_type, last.current_proc_state) == ("Implicit", "Error")
        assert last.info == {
            "cause": "the worker was killed by signal 9 (SIGKILL)",
            "lastConfirmedPosition": {"pts": 24_000, "timeBase": "1/48000", "samples": 24_000},
            "stage": "Running",
        }

    def test_resume_puts_another_worker_in_its_place(
        self, stage: InMemoryEngine, puppets: PuppetWorkers
    ) -> None:
        job_id = stage.submit(pipe_job(immediate("Start"), after(1000, "Finish"), restartPolicy="resume"))
        first = assigned(stage, puppets, job_id)
        first.passed(ids(first)[0], "Running")
        first.beat("Running", 24_000)
        stage.settle()
        first.die()
        stage.settle()
        assert stage.state(job_id) == "Updating"
        second = assigned(stage, puppets, job_id)
        told = second.assignment
        assert (told.state, told.report_sequence, [p.position for p in told.transitions]) == (
            "Running",
            1,
            [1],
        )
        assert told.resume is not None
        assert told.resume.position == 24_000
        second.sequence = 1
        second.changed("Start", "Running", 24_000, reason="resumed")
        second.passed(told.transitions[0].transition_id, "Finished", 48_000)
        stage.settle()
        assert [state for _, state in states(stage.history(job_id))] == [
            "Running",
            "Updating",
            "Running",
            "Finished",
        ]
        assert stage.audit().is_intact

    def test_a_service_that_dies_while_a_worker_is_replaced_leaves_that_to_the_next(
        self, stage: InMemoryEngine, puppets: PuppetWorkers
    ) -> None:
        job_id, _ = interrupted(stage, puppets)
        launched = len(puppets.launched)
        stage.restart()
        assert len(puppets.launched) == launched + 1
        assert assigned(stage, puppets, job_id).assignment.state == "Running"

    def test_gap_begins_where_the_stream_was_not_when_the_loss_was_noticed(
        self, stage: InMemoryEngine, puppets: PuppetWorkers
    ) -> None:
        job_id = stage.submit(pipe_job(immediate("Start"), restartPolicy="resume"))
        first = assigned(stage, puppets, job_id)
        first.passed(ids(first)[0], "Running")
        first.beat("Running", 24_000)
        stage.settle()
        started = from_text(stage.history(job_id)[0].time_stamp or "")
        stage.advance(timedelta(minutes=10))
        first.die()
        stage.settle()
        resume = assigned(stage, puppets, job_id).assignment.resume
        assert resume is not None
        assert from_text(resume.time) == started + timedelta(milliseconds=500)

    def test_former_worker_that_still_speaks_is_fenced(
        self, stage: InMemoryEngine, puppets: PuppetWorkers
    ) -> None:
        job_id = stage.submit(pipe_job(immediate("Start"), restartPolicy="resume"))
        first = assigned(stage, puppets, job_id)
        first.die()
        stage.settle()
        assigned(stage, puppets, job_id)
        first.passed(ids(first)[0], "Running")
        stage.settle()
        assert first.commands[-1] == Release(first.assignment.engine, fenced=True)
        assert stage.history(job_id) == []

    def test_replacements_in_a_row_are_limited(self) -> None:
        with InMemoryEngine(restart_limit=2) as stage:
            stage.workers = puppets = PuppetWorkers(stage.clock)
            stage.restart()
            job_id = stage.submit(pipe_job(immediate("Start"), restartPolicy="resume"))
            for _ in range(3):
                assigned(stage, puppets, job_id).die(1)
                stage.settle()
            assert (len(puppets.launched), stage.state(job_id)) == (3, "Error")
            assert stage.job(job_id).status_message == "the worker ended by itself with exit code 1"

    def test_worker_that_takes_long_to_prepare_is_not_given_up(
        self, stage: InMemoryEngine, puppets: PuppetWorkers, job_id: str
    ) -> None:
        puppet = assigned(stage, puppets, job_id)
        stage.advance(timedelta(seconds=60))
        puppet.passed(ids(puppet)[0], "Running")
        stage.settle()
        assert stage.state(job_id) == "Running"

    def test_adopted_worker_that_stays_silent_may_still_be_at_work(
        self, stage: InMemoryEngine, puppet: Puppet, job_id: str
    ) -> None:
        stage.restart()
        stage.advance(timedelta(seconds=12))
        assert "has not been heard of" in stage.job(job_id).status_message
        stage.advance(timedelta(minutes=5))
        puppet.passed(ids(puppet)[1], "Running", 48_000)
        puppet.beat("Running", 90_000)
        stage.advance(timedelta(seconds=2))
        assert stage.job(job_id).status_message == ""
        assert [row.stream_position["samples"] for row in stage.history(job_id) if row.stream_position] == [
            0,
            48_000,
        ]

    def test_worker_that_could_not_be_heard_by_an_engine_that_stood_still_is_not_given_up(
        self, stage: InMemoryEngine, puppet: Puppet, job_id: str
    ) -> None:
        stage.restart()
        stage.advance(timedelta(seconds=2))
        stage.clock.advance(timedelta(seconds=60))
        stage.advance(timedelta(seconds=9))
        puppet.beat("Running", 48_000)
        stage.advance(timedelta(seconds=60))
        assert stage.state(job_id) == "Running"


def test_service_that_stops_finishes_its_jobs(stage: InMemoryEngine, puppet: Puppet, job_id: str) -> None:
    assert stage.engine.finish_all("the service stops") == 1
    stage.settle()
    arm = puppet.commands[-1]
    assert isinstance(arm, Arm)
    puppet.passed(arm.transitions[0].transition_id, "Finished", 10)
    stage.settle()
    last = stage.history(job_id)[-1]
    assert (last.current_proc_state, last.info) == ("Finished", {"reason": "the service stops"})
    assert stage.engine.worker_count == 0


def test_what_does_not_finish_in_time_is_terminated(
    stage: InMemoryEngine, puppets: PuppetWorkers, puppet: Puppet, job_id: str
) -> None:
    puppet.beat("Running", 24_000)
    stage.settle()
    stage.engine.terminate_all("too late")
    stage.settle()
    assert (puppets.killed, stage.state(job_id)) == ([puppet.process_id], "Terminated")
    assert (stage.history(job_id)[-1].info or {})["reason"] == "too late"
    assert isinstance(puppet.commands[0], Assign)
