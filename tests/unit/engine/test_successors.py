"""A lost worker gets a successor, whatever becomes of the first attempt to launch one."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from jobengine.engine.admission import AdmissionTerms
from jobengine.messaging.spool import ledger_of
from jobengine.messaging.worker_messages import Assign, Release
from jobengine.model.record import TransitionRecord
from jobengine.testing import InMemoryEngine, ManualClock, Puppet, PuppetWorkers
from tests.unit.engine.assigning import assigned
from tests.unit.engine.documents import after, at, immediate, pipe_job

LONG_AFTER_THE_DEADLINE = timedelta(seconds=25)


@pytest.fixture
def job_id(stage: InMemoryEngine) -> str:
    return stage.submit(pipe_job(immediate("Start"), after(1000, "Finish"), restartPolicy="resume"))


@pytest.fixture
def orphaned(stage: InMemoryEngine, puppets: PuppetWorkers, job_id: str) -> Puppet:
    """The dead worker of a job that had been running and waits for a successor."""
    first = assigned(stage, puppets, job_id)
    first.passed(first.assignment.transitions[0].transition_id, "Running")
    first.beat("Running", 24_000)
    stage.settle()
    first.die()
    stage.settle()
    assert stage.state(job_id) == "Updating"
    return first


def unheard(puppets: PuppetWorkers) -> Puppet:
    """The worker that was asked for last: it was forked, but the engine has not been told."""
    late = Puppet(puppets, puppets.launched[-1], 4711)
    puppets.alive.add(late.process_id)
    return late


def left_behind(puppet: Puppet) -> list[Path]:
    """What a worker has written beside its files, as if it had."""
    spool = puppet.process.spool
    spool.parent.mkdir(parents=True, exist_ok=True)
    for path in (spool, ledger_of(spool)):
        path.touch()
    return [spool, ledger_of(spool)]


def restream_job(resulting: str) -> dict[str, Any]:
    spec = {
        "source": {"content": "camera"},
        "resultingStream": resulting,
        "sink": {"url": "dealer+connect:tcp://127.0.0.1:5555"},
        "anchor": "first",
    }
    first = {**immediate("Start"), "jobDescription": {"restreamSpec": spec}}
    return {"restartPolicy": "resume", "transitions": [first]}


def goes_on(stage: InMemoryEngine, puppet: Puppet) -> list[TransitionRecord]:
    """The successor knows where its predecessor was and brings the job to its end; the history."""
    told = puppet.assignment
    assert told.resume is not None
    assert (told.state, told.resume.position, told.report_sequence) == ("Running", 24_000, 1)
    puppet.sequence = told.report_sequence
    puppet.changed("Start", "Running", 24_000, reason="resumed")
    puppet.passed(told.transitions[0].transition_id, "Finished", 48_000)
    stage.settle()
    return stage.history(told.job_id)


def test_a_successor_that_is_never_forked_is_asked_for_again(
    stage: InMemoryEngine, puppets: PuppetWorkers, orphaned: Puppet, job_id: str
) -> None:
    launched = len(puppets.launched)
    stage.advance(LONG_AFTER_THE_DEADLINE)
    assert len(puppets.launched) == launched + 2
    assert len(goes_on(stage, assigned(stage, puppets, job_id))) == 4
    assert stage.state(job_id) == "Finished"


def test_a_successor_that_greets_after_its_deadline_gets_its_job(
    stage: InMemoryEngine, puppets: PuppetWorkers, orphaned: Puppet, job_id: str
) -> None:
    late = unheard(puppets)
    stage.advance(LONG_AFTER_THE_DEADLINE)
    late.hello()
    stage.settle()
    goes_on(stage, late)
    assert stage.state(job_id) == "Finished"


def test_a_first_worker_that_greets_after_its_deadline_gets_its_job(
    stage: InMemoryEngine, puppets: PuppetWorkers, job_id: str
) -> None:
    late = unheard(puppets)
    stage.advance(LONG_AFTER_THE_DEADLINE)
    late.hello()
    stage.settle()
    assert late.assignment.state == "Pending"


def test_a_successor_that_outlives_the_service_is_told_where_to_go_on(
    stage: InMemoryEngine, puppets: PuppetWorkers, orphaned: Puppet, job_id: str
) -> None:
    survivor = puppets.start(job_id)
    stage.stop()
    puppets.take_news()
    stage.start()
    survivor.hello()
    stage.settle()
    assert survivor.commands == []
    survivor.hello()
    stage.settle()
    goes_on(stage, survivor)
    assert stage.state(job_id) == "Finished"


def test_a_successor_whose_service_died_before_it_gave_it_the_job_is_told_where_to_go_on(
    stage: InMemoryEngine, puppets: PuppetWorkers, orphaned: Puppet, job_id: str
) -> None:
    survivor = assigned(stage, puppets, job_id)
    puppets.commands.clear()
    stage.restart()
    survivor.hello()
    stage.settle()
    goes_on(stage, survivor)
    assert stage.state(job_id) == "Finished"


def test_a_first_worker_whose_service_died_before_it_gave_it_the_job_gets_all_of_it(
    stage: InMemoryEngine, puppets: PuppetWorkers, job_id: str
) -> None:
    survivor = assigned(stage, puppets, job_id)
    told = survivor.assignment
    puppets.commands.clear()
    stage.restart()
    survivor.hello()
    stage.settle()
    again = survivor.assignment
    assert (again.state, again.description, again.resume) == ("Pending", told.description, None)


def test_a_worker_noted_as_gone_is_not_given_up_before_its_end_is_dealt_with(
    stage: InMemoryEngine, puppets: PuppetWorkers, orphaned: Puppet, job_id: str
) -> None:
    launched = len(puppets.launched)
    stage.stop()
    stage.start()
    stage.clock.advance(LONG_AFTER_THE_DEADLINE)
    stage.engine.tick()
    stage.settle()
    assert len(puppets.launched) == launched + 1
    goes_on(stage, assigned(stage, puppets, job_id))


@pytest.mark.parametrize("first", [immediate("Start"), at("00:01", "Start")])
def test_a_job_that_had_not_begun_gets_its_successor_over_a_restart(
    stage: InMemoryEngine, puppets: PuppetWorkers, first: dict[str, Any]
) -> None:
    job_id = stage.submit(pipe_job(first, restartPolicy="resume"))
    assigned(stage, puppets, job_id).die()
    stage.settle()
    assert stage.state(job_id) == "Pending"
    launched = len(puppets.launched)
    stage.restart()
    assert len(puppets.launched) == launched + 1
    assert assigned(stage, puppets, job_id).assignment.state == "Pending"


def test_a_job_that_is_over_leaves_nothing_of_its_workers(
    stage: InMemoryEngine, puppets: PuppetWorkers, orphaned: Puppet, job_id: str
) -> None:
    files = left_behind(orphaned)
    stage.advance(LONG_AFTER_THE_DEADLINE)
    assert all(path.exists() for path in files)
    goes_on(stage, assigned(stage, puppets, job_id))
    assert not any(path.exists() for path in files)


def test_a_job_that_is_over_without_a_worker_leaves_nothing_of_those_it_had() -> None:
    clock = ManualClock()
    with InMemoryEngine(clock, PuppetWorkers(clock), admission=AdmissionTerms(jobs=1)) as stage:
        puppets = stage.workers
        assert isinstance(puppets, PuppetWorkers)
        job_id, other_id = [stage.submit(restream_job(name)) for name in ("one", "two")]
        first = assigned(stage, puppets, job_id)
        files = left_behind(first)
        stage.advance(timedelta(seconds=1))
        first.die()
        stage.settle()
        stage.restart()
        assert [process.job_id for process in puppets.launched] == [job_id, job_id, other_id]
        stage.request(job_id, "Cancel")
        assert stage.state(job_id) == "Cancelled"
        assert not any(path.exists() for path in files)


@pytest.fixture
def plain_id(stage: InMemoryEngine) -> str:
    """A job that is not to be taken up again once a worker has had it."""
    return stage.submit(pipe_job(immediate("Start"), after(1000, "Finish")))


class TestWorkerWithoutItsJob:
    """One that was asked for and forked, but was not given the job: with it nothing is lost."""

    def test_its_death_makes_another_one_begin(
        self, stage: InMemoryEngine, puppets: PuppetWorkers, plain_id: str
    ) -> None:
        puppets.start(plain_id).die()
        stage.settle()
        second = assigned(stage, puppets, plain_id)
        assert (second.assignment.state, second.assignment.resume) == ("Pending", None)
        second.passed(second.assignment.transitions[0].transition_id, "Running")
        stage.settle()
        assert [row.current_proc_state for row in stage.history(plain_id)] == ["Running"]

    def test_its_silence_does_too_and_it_is_sent_away(
        self, stage: InMemoryEngine, puppets: PuppetWorkers, plain_id: str
    ) -> None:
        stopped = puppets.start(plain_id)
        stage.advance(timedelta(seconds=12))
        second = assigned(stage, puppets, plain_id)
        stopped.hello()
        stage.settle()
        assert isinstance(stopped.commands[-1], Release)
        assert second.assignment.job_id == plain_id
        assert stage.state(plain_id) == "Pending"

    def test_replacements_in_a_row_are_limited(self) -> None:
        clock = ManualClock()
        with InMemoryEngine(clock, PuppetWorkers(clock), restart_limit=2) as stage:
            puppets = stage.workers
            assert isinstance(puppets, PuppetWorkers)
            job_id = stage.submit(pipe_job(immediate("Start")))
            for _ in range(3):
                puppets.start(job_id).die(1)
                stage.settle()
            assert (len(puppets.launched), stage.state(job_id)) == (3, "Error")

    def test_its_greeting_that_is_read_behind_its_end_means_nothing(
        self, stage: InMemoryEngine, puppets: PuppetWorkers, plain_id: str
    ) -> None:
        dead = puppets.start(plain_id)
        dead.die()
        stage.settle()
        dead.hello()
        stage.settle()
        assert not [command for command in dead.commands if isinstance(command, Assign)]
        assert assigned(stage, puppets, plain_id).assignment.job_id == plain_id

    def test_in_a_process_that_others_share_it_is_waited_for(
        self, stage: InMemoryEngine, puppets: PuppetWorkers
    ) -> None:
        job_id = stage.submit(restream_job("one"))
        busy = puppets.start(job_id)
        stage.advance(timedelta(minutes=5))
        busy.hello()
        stage.settle()
        assert busy.assignment.job_id == job_id
        assert len(puppets.launched) == 1


def test_in_a_process_that_others_share_an_adopted_worker_that_stays_silent_is_replaced(
    stage: InMemoryEngine, puppets: PuppetWorkers
) -> None:
    """The job may have left that process while there was nobody to be told."""
    job_id = stage.submit(restream_job("one"))
    assigned(stage, puppets, job_id)
    stage.restart()
    stage.advance(timedelta(seconds=12))
    assert assigned(stage, puppets, job_id).assignment.job_id == job_id
