"""Requests that come twice, and a database that goes away: nothing is lost, nothing is half done."""

from __future__ import annotations

import sqlite3
from datetime import timedelta

import pytest

from jobengine.errors import IdempotencyConflict, UnavailableError
from jobengine.ids import new_id
from jobengine.messaging.engine_messages import RemoveTransition
from jobengine.messaging.worker_messages import Assign, Sync
from jobengine.testing import InMemoryEngine, PuppetWorkers
from tests.unit.engine.databases import locked
from tests.unit.engine.documents import after, immediate, job, on, pipe_job


def all_jobs(stage: InMemoryEngine) -> int:
    return stage.reader.count_jobs()


class TestIdempotency:
    def test_equal_requests_make_one_job(self, stage: InMemoryEngine) -> None:
        document = job(immediate("Start"))
        first = stage.submit(document, idempotency_key="k")
        assert stage.submit(document, idempotency_key="k") == first
        assert all_jobs(stage) == 1

    def test_equal_requests_in_one_group_make_one_job(self, stage: InMemoryEngine) -> None:
        requests = [stage.submission(job(immediate("Start")), idempotency_key="k") for _ in range(3)]
        stage.send(*requests)
        answers = [stage.answer_to(request) for request in requests]
        assert len({answer.job_id for answer in answers}) == 1
        assert [answer.replayed for answer in answers] == [False, True, True]
        assert all_jobs(stage) == 1

    def test_another_request_with_the_key_is_refused(self, stage: InMemoryEngine) -> None:
        stage.submit(job(immediate("Start")), idempotency_key="k")
        with pytest.raises(IdempotencyConflict):
            stage.submit(job(immediate("Wait")), idempotency_key="k")

    def test_key_outlives_the_engine(self, stage: InMemoryEngine) -> None:
        document = job(immediate("Start"))
        first = stage.submit(document, idempotency_key="k")
        stage.restart()
        assert stage.submit(document, idempotency_key="k") == first

    def test_key_of_a_refused_group_is_free(self, stage: InMemoryEngine) -> None:
        document = job(immediate("Start"))
        with locked(stage), pytest.raises(UnavailableError):
            stage.submit(document, idempotency_key="k")
        stage.submit(document, idempotency_key="k")
        assert all_jobs(stage) == 1


class TestDatabaseAway:
    def test_submission_leaves_no_trace(self, stage: InMemoryEngine, puppets: PuppetWorkers) -> None:
        with locked(stage), pytest.raises(UnavailableError):
            stage.submit(pipe_job(immediate("Start")))
        stage.settle()
        assert (all_jobs(stage), puppets.launched, stage.notices) == (0, [], [])

    def test_append_leaves_no_trace(self, stage: InMemoryEngine) -> None:
        job_id = stage.submit(job(immediate("Start")))
        before, events = stage.job(job_id), stage.reader.newest_event()
        with locked(stage), pytest.raises(UnavailableError):
            stage.request(job_id, "Finish")
        assert (stage.job(job_id), stage.reader.newest_event()) == (before, events)
        stage.request(job_id, "Pause")
        assert stage.state(job_id) == "Paused"

    def test_due_transitions_pass_once_when_it_is_back(self, stage: InMemoryEngine) -> None:
        job_id = stage.submit(job(immediate("Start"), after(1000, "None"), after(1000, "Finish")))
        with locked(stage):
            stage.advance(timedelta(seconds=1.5))
        stage.advance(timedelta(seconds=3))
        assert [row.sequence for row in stage.history(job_id)] == [1, 2, 3]
        assert [(row.stream_position or {})["pts"] for row in stage.history(job_id)] == [
            0,
            1_000_000,
            2_000_000,
        ]

    def test_reports_are_asked_for_again(self, stage: InMemoryEngine, puppets: PuppetWorkers) -> None:
        job_id = stage.submit(pipe_job(immediate("Start")))
        puppet = puppets.start(job_id)
        puppet.hello()
        stage.settle()
        report = puppet.passed(puppet.assignment.transitions[0].transition_id, "Running")
        with locked(stage):
            stage.settle()
        stage.advance(timedelta(seconds=1))
        assert isinstance(puppet.commands[-1], Sync)
        assert puppet.commands[-1].acknowledged == 0
        puppet.say(report)
        stage.settle()
        assert stage.state(job_id) == "Running"

    def test_worker_greeted_meanwhile_gets_its_job_later(
        self, stage: InMemoryEngine, puppets: PuppetWorkers
    ) -> None:
        job_id = stage.submit(pipe_job(immediate("Start")))
        puppet = puppets.start(job_id)
        puppet.hello()
        with locked(stage):
            stage.settle()
        assert not any(isinstance(command, Assign) for command in puppet.commands)
        puppet.hello()
        stage.settle()
        assert puppet.assignment.job_id == job_id

    def test_lost_worker_is_noted_when_it_is_back(
        self, stage: InMemoryEngine, puppets: PuppetWorkers
    ) -> None:
        job_id = stage.submit(pipe_job(immediate("Start")))
        puppet = puppets.start(job_id)
        puppet.hello()
        stage.settle()
        puppet.die()
        with locked(stage):
            stage.settle()
        stage.advance(timedelta(seconds=2))
        assert [row.current_proc_state for row in stage.history(job_id)] == ["Error"]

    def test_event_raised_meanwhile_is_refused_and_fires_nothing(self, stage: InMemoryEngine) -> None:
        job_id = stage.submit(job(immediate("Start"), on("go", "Finish")))
        with locked(stage), pytest.raises(UnavailableError):
            stage.raise_event("go")
        assert stage.state(job_id) == "Running"
        stage.raise_event("go")
        assert stage.state(job_id) == "Finished"

    def test_edit_refused_meanwhile_is_not_carried_out_later(
        self, stage: InMemoryEngine, puppets: PuppetWorkers
    ) -> None:
        job_id = stage.submit(pipe_job(immediate("Start"), after(1000, "Finish")))
        puppet = puppets.start(job_id)
        puppet.hello()
        stage.settle()
        planned = puppet.assignment.transitions[1].transition_id
        request = RemoveTransition(request_id=new_id(), job_id=job_id, transition_id=planned)
        other = stage.submission(job(immediate("Start")))
        with locked(stage):
            stage.send(request, other)
        with pytest.raises(UnavailableError):
            stage.answer_to(request)
        if any(type(command).__name__ == "Withdraw" for command in puppet.commands):
            puppet.withdrawn()
        stage.advance(timedelta(seconds=1))
        assert stage.reader.transition(job_id, planned).status == "Pending"
        sync = [command for command in puppet.commands if isinstance(command, Sync)][-1]
        assert planned in [p.transition_id for p in sync.transitions]

    def test_edit_let_go_by_the_worker_is_answered_though_the_commit_fails(
        self, stage: InMemoryEngine, puppets: PuppetWorkers
    ) -> None:
        job_id = stage.submit(pipe_job(immediate("Start"), after(1000, "Finish")))
        puppet = puppets.start(job_id)
        puppet.hello()
        stage.settle()
        planned = puppet.assignment.transitions[1].transition_id
        request = RemoveTransition(request_id=new_id(), job_id=job_id, transition_id=planned)
        stage.send(request)
        puppet.withdrawn()
        with locked(stage):
            stage.settle()
        with pytest.raises(UnavailableError):
            stage.answer_to(request)
        assert request.request_id in stage.answers
        stage.advance(timedelta(seconds=1))
        sync = puppet.commands[-1]
        assert isinstance(sync, Sync)
        assert planned in [p.transition_id for p in sync.transitions]


def test_job_changed_by_another_owner_is_read_anew(stage: InMemoryEngine) -> None:
    job_id = stage.submit(job(immediate("Start")))
    with sqlite3.connect(str(stage.database.url.database)) as connection:
        connection.execute("UPDATE jobs SET revision = revision + 1, name = 'theirs'")
    connection.close()
    stage.request(job_id, "Pause")
    assert len(stage.history(job_id)) == 2
    assert (stage.state(job_id), stage.job(job_id).name) == ("Paused", "theirs")


def test_engine_whose_name_was_claimed_decides_nothing_more(stage: InMemoryEngine) -> None:
    job_id = stage.submit(job(immediate("Start")))
    former = stage.engine
    stage.restart()
    request = stage.submission(job(immediate("Start")))
    former.step([(b"old", request)])
    former.settle()
    with pytest.raises(UnavailableError):
        stage.answer_to(request)
    assert all_jobs(stage) == 1
    stage.request(job_id, "Finish")
    assert stage.state(job_id) == "Finished"


def test_launch_lost_with_its_service_is_made_good_by_the_next_at_once(
    stage: InMemoryEngine, puppets: PuppetWorkers
) -> None:
    job_id = stage.submit(pipe_job(immediate("Start")))
    assert len(puppets.launched) == 1
    stage.restart()
    assert [process.job_id for process in puppets.launched] == [job_id, job_id]
    stage.advance(timedelta(seconds=5))
    assert len(puppets.launched) == 2
