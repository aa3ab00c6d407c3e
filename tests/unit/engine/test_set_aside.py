"""A job or a request that no decision can be made about: it alone is set aside, all others go on."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from jobengine.engine.blame import CROWD
from jobengine.engine.commands import Commands
from jobengine.engine.events import EventFirer
from jobengine.engine.host import HostRunner
from jobengine.engine.losses import Losses
from jobengine.engine.reports import ReportTaker
from jobengine.engine.requests import Requests
from jobengine.errors import (
    JobEngineError,
    MalformedError,
    NotFoundError,
    TransitionNotAllowed,
    UnavailableError,
)
from jobengine.ids import new_id
from jobengine.messaging.engine_messages import ChangeJob, DeleteJob, ReadService
from jobengine.messaging.worker_messages import Release, Sync
from jobengine.testing import InMemoryEngine, PuppetWorkers
from tests.unit.engine.assigning import assigned
from tests.unit.engine.databases import locked
from tests.unit.engine.documents import after, at, immediate, job, on, pipe_job

SECOND = timedelta(seconds=1)
KEEP_CHANGING = (
    """CREATE TRIGGER stale BEFORE UPDATE ON jobs WHEN old.job_id = '{}' BEGIN SELECT RAISE(IGNORE); END"""
)
"""Each change of a job finds that its row is not as expected."""
Failing = Callable[[type, str, Callable[..., bool]], None]


def edit(stage: InMemoryEngine, statement: str, *values: Any) -> None:
    """As somebody does by hand, with the checks of the database off."""
    with sqlite3.connect(str(stage.database.url.database)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute(statement, values)
    connection.close()


def spoil_plan(stage: InMemoryEngine, job_id: str, trigger: str = "{broken") -> None:
    """What is planned can't be read any more."""
    edit(stage, "UPDATE transitions SET trigger = ? WHERE job_id = ? AND status = 'Pending'", trigger, job_id)


def faults(stage: InMemoryEngine) -> dict[str, int]:
    return dict(stage.ask(ReadService(request_id=new_id())).data["faults"])


def assert_set_aside(stage: InMemoryEngine, job_id: str, cause: str) -> None:
    """It ended in Error with a row that says why, and wakes nobody any more."""
    last = stage.history(job_id)[-1]
    assert (stage.state(job_id), last.trigger_type, last.current_proc_state) == ("Error", "Implicit", "Error")
    message = stage.job(job_id).status_message
    assert (last.info or {})["cause"] == message
    assert "set aside" in message
    assert cause in message
    assert not waking(stage, job_id)


def waking(stage: InMemoryEngine, job_id: str) -> list[Any]:
    with stage.database.reading() as connection:
        wanted = "SELECT transition_id FROM transitions WHERE wake_time IS NOT NULL AND job_id = ?"
        return list(connection.exec_driver_sql(wanted, (job_id,)))


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Failing:
    """Make a method of a class raise where its arguments are as told."""

    def fail(owner: type, name: str, applies: Callable[..., bool]) -> None:
        method = getattr(owner, name)

        def failing_method(self: Any, *args: Any) -> Any:
            if applies(*args):
                raise KeyError("poison")
            return method(self, *args)

        monkeypatch.setattr(owner, name, failing_method)

    return fail


class TestStoredJob:
    """What is stored of it can't be read."""

    def test_its_trigger_falls_due_beside_others(self, stage: InMemoryEngine) -> None:
        poison = stage.submit(job(at("00:05", "Start")))
        others = [stage.submit(job(at("00:05", "Start"))) for _ in range(3)]
        spoil_plan(stage, poison)
        stage.restart()
        stage.advance(timedelta(seconds=10))
        assert_set_aside(stage, poison, "DecodeError")
        assert [stage.state(other) for other in others] == ["Running"] * 3
        assert stage.audit().is_intact

    def test_it_is_asked_for_something_beside_others(self, stage: InMemoryEngine) -> None:
        poison = stage.submit(job(immediate("Start"), after(60_000, "Finish")))
        spoil_plan(stage, poison)
        stage.restart()
        drafts = stage.submission(job(immediate("Pause"))).drafts
        change = ChangeJob(request_id=new_id(), job_id=poison, drafts=drafts)
        submission = stage.submission(job(immediate("Start")))
        stage.send(change, submission)
        assert_set_aside(stage, poison, "DecodeError")
        assert stage.state(stage.answer_to(submission).job_id) == "Running"
        with pytest.raises(TransitionNotAllowed):
            stage.answer_to(change)
        stage.ask(DeleteJob(request_id=new_id(), job_id=poison))
        with pytest.raises(NotFoundError):
            stage.job(poison)

    def test_its_worker_is_sent_away_at_a_start(self, stage: InMemoryEngine, puppets: PuppetWorkers) -> None:
        document = pipe_job(immediate("Start"), after(60_000, "Finish"))
        poison, other = stage.submit(document), stage.submit(document)
        lost, kept = assigned(stage, puppets, poison), assigned(stage, puppets, other)
        spoil_plan(stage, poison)
        stage.restart()
        for worker in (lost, kept):
            worker.beat("Waiting")
        stage.settle()
        assert_set_aside(stage, poison, "DecodeError")
        assert isinstance(lost.commands[-1], Release)
        assert lost.commands[-1].fenced
        assert not any(isinstance(command, Release) for command in kept.commands)
        assert stage.engine.worker_count == 1
        kept.passed(kept.assignment.transitions[0].transition_id, "Running")
        stage.settle()
        assert stage.state(other) == "Running"

    def test_trigger_lacks_what_its_type_needs(self, stage: InMemoryEngine) -> None:
        poison = stage.submit(job(immediate("Start"), after(1_000, "Finish")))
        other = stage.submit(job(immediate("Start"), after(1_000, "Finish")))
        spoil_plan(stage, poison, '{"type": "Duration"}')
        stage.restart()
        stage.advance(timedelta(seconds=5))
        assert_set_aside(stage, poison, "Error")
        assert stage.state(other) == "Finished"

    def test_data_of_its_client_stays_as_it_is(self, stage: InMemoryEngine) -> None:
        poison = stage.submit(job(at("00:05", "Start")))
        edit(stage, "UPDATE jobs SET client_data = '{broken' WHERE job_id = ?", poison)
        stage.restart()
        stage.advance(timedelta(seconds=10))
        with stage.database.reading() as connection:
            rows = connection.exec_driver_sql("SELECT current_state, client_data FROM jobs")
            assert list(rows) == [("Error", "{broken")]

    @pytest.mark.parametrize(
        ("column", "value", "former"), [("current_state", "Dreaming", "Pending"), ("revision", "many", 1)]
    )
    def test_not_even_its_end_can_be_decided(
        self, stage: InMemoryEngine, column: str, value: str, former: str | int
    ) -> None:
        poison, other = (stage.submit(job(at("00:05", "Start"))) for _ in range(2))
        edit(stage, f"UPDATE jobs SET {column} = ? WHERE job_id = ?", value, poison)
        stage.restart()
        stage.advance(timedelta(seconds=10))
        assert stage.state(other) == "Running"
        assert faults(stage) == {"job": 1, "left_out": 1, "request": 0}
        with pytest.raises(JobEngineError, match="left this job out"):
            stage.request(poison, "Cancel")
        edit(stage, f"UPDATE jobs SET {column} = ? WHERE job_id = ?", former, poison)
        stage.restart()
        stage.advance(SECOND)
        assert stage.state(poison) == "Running"

    def test_its_rows_are_not_taken_by_the_database(self, stage: InMemoryEngine) -> None:
        poison, other = (stage.submit(job(immediate("Start"), at("00:05", "Finish"))) for _ in range(2))
        edit(stage, "UPDATE jobs SET history_length = 0 WHERE job_id = ?", poison)
        stage.restart()
        stage.advance(timedelta(seconds=10))
        assert stage.state(other) == "Finished"
        assert (stage.state(poison), len(stage.history(poison))) == ("Running", 1)
        assert faults(stage) == {"job": 1, "left_out": 1, "request": 0}

    def test_broken_chain_is_no_business_of_the_engine(self, stage: InMemoryEngine) -> None:
        changed = stage.submit(job(immediate("Start"), at("00:05", "Finish")))
        edit(stage, "UPDATE jobs SET history_hash = 'nonsense' WHERE job_id = ?", changed)
        stage.restart()
        stage.advance(timedelta(seconds=10))
        assert stage.state(changed) == "Finished"
        assert not stage.audit().is_intact

    def test_where_a_whole_crowd_can_not_be_read_nobody_is_to_blame(self, stage: InMemoryEngine) -> None:
        jobs = [stage.submit(job(at("00:05", "Start"))) for _ in range(CROWD + 1)]
        edit(stage, "UPDATE transitions SET trigger = '{broken'")
        with pytest.raises(msgspec.DecodeError):
            stage.restart()
        assert {stage.state(job_id) for job_id in jobs} == {"Pending"}


class TestDecision:
    """A decision about it raises."""

    def test_its_trigger_falls_due_beside_others(self, stage: InMemoryEngine, failing: Failing) -> None:
        poison, *others = (stage.submit(job(at("00:05", "Start"))) for _ in range(4))
        failing(HostRunner, "advance", lambda job, *_: job.record.job_id == poison)
        stage.advance(timedelta(seconds=10))
        assert_set_aside(stage, poison, "KeyError: 'poison'")
        assert [stage.state(other) for other in others] == ["Running"] * 3
        assert faults(stage) == {"job": 1, "left_out": 0, "request": 0}

    def test_event_of_another_job_fires_it(self, stage: InMemoryEngine, failing: Failing) -> None:
        poison, other = (stage.submit(job(immediate("Start"), on("go", "Finish"))) for _ in range(2))
        failing(EventFirer, "_fire_one", lambda job, *_: job.record.job_id == poison)
        stage.raise_event("go")
        assert_set_aside(stage, poison, "KeyError")
        assert stage.state(other) == "Finished"

    def test_report_of_its_worker_raises(
        self, stage: InMemoryEngine, puppets: PuppetWorkers, failing: Failing
    ) -> None:
        poison, other = (stage.submit(pipe_job(immediate("Start"))) for _ in range(2))
        workers = [assigned(stage, puppets, job_id) for job_id in (poison, other)]
        failing(ReportTaker, "take", lambda job, *_: job.record.job_id == poison)
        for worker in workers:
            worker.passed(worker.assignment.transitions[0].transition_id, "Running")
        stage.settle()
        assert_set_aside(stage, poison, "KeyError")
        assert isinstance(workers[0].commands[-1], Release)
        assert any(isinstance(command, Sync) for command in workers[1].commands)
        assert stage.state(other) == "Running"

    def test_its_outputs_are_closed(self, engine: InMemoryEngine, failing: Failing) -> None:
        poison = engine.submit(pipe_job(immediate("Start"), after(5_000, "Finish")))
        engine.advance(SECOND)
        assert [output.closed for output in engine.outputs(poison)] == [False]
        failing(ReportTaker, "take", lambda *_: True)
        engine.advance(timedelta(seconds=10))
        assert_set_aside(engine, poison, "KeyError")
        assert [output.closed for output in engine.outputs(poison)] == [True]

    def test_what_follows_its_commit_raises(
        self, stage: InMemoryEngine, puppets: PuppetWorkers, failing: Failing
    ) -> None:
        poison, other = (stage.submit(pipe_job(immediate("Start"))) for _ in range(2))
        failing(Commands, "_assign", lambda job, *_: job.record.job_id == poison)
        workers = [puppets.start(job_id) for job_id in (poison, other)]
        for worker in workers:
            worker.hello()
        stage.settle()
        assert_set_aside(stage, poison, "KeyError")
        assert isinstance(workers[0].commands[-1], Release)
        assert workers[1].assignment.job_id == other

    def test_end_of_its_worker_raises(
        self, stage: InMemoryEngine, puppets: PuppetWorkers, failing: Failing
    ) -> None:
        poison, other = (stage.submit(pipe_job(immediate("Start"))) for _ in range(2))
        workers = [assigned(stage, puppets, job_id) for job_id in (poison, other)]
        failing(Losses, "lost", lambda job, *_: job.record.job_id == poison)
        for worker in workers:
            worker.die()
        stage.settle()
        assert_set_aside(stage, poison, "KeyError")
        assert "killed" in stage.job(other).status_message

    def test_database_is_away_before_its_end_is_on_disk(
        self, stage: InMemoryEngine, failing: Failing
    ) -> None:
        poison = stage.submit(job(at("00:05", "Start")))
        failing(HostRunner, "advance", lambda job, *_: job.record.job_id == poison)
        with locked(stage):
            stage.advance(timedelta(seconds=10))
        stage.advance(SECOND)
        assert_set_aside(stage, poison, "KeyError")


class TestStale:
    """Somebody else has changed what is in memory."""

    def test_what_falls_due_passes_all_the_same(self, stage: InMemoryEngine) -> None:
        changed, other = (stage.submit(job(immediate("Start"), at("00:05", "Finish"))) for _ in range(2))
        edit(stage, "UPDATE jobs SET revision = revision + 1 WHERE job_id = ?", changed)
        stage.advance(timedelta(seconds=10))
        assert [stage.state(job_id) for job_id in (changed, other)] == ["Finished"] * 2
        assert faults(stage) == {"job": 0, "left_out": 0, "request": 0}
        assert stage.audit().is_intact

    def test_job_that_is_so_time_and_again_is_left_out(self, stage: InMemoryEngine) -> None:
        poison, other = (stage.submit(job(immediate("Start"), at("00:05", "Finish"))) for _ in range(2))
        edit(stage, KEEP_CHANGING.format(poison))
        stage.advance(timedelta(seconds=10))
        assert (stage.state(poison), stage.state(other)) == ("Running", "Finished")
        assert faults(stage) == {"job": 1, "left_out": 1, "request": 0}

    def test_request_about_it_is_refused(self, stage: InMemoryEngine) -> None:
        poison = stage.submit(job(immediate("Start")))
        edit(stage, KEEP_CHANGING.format(poison))
        with pytest.raises(UnavailableError, match="another owner"):
            stage.request(poison, "Pause")
        assert faults(stage) == {"job": 0, "left_out": 0, "request": 1}


class TestRequest:
    """A request raises: its client is told, and nothing has changed."""

    def test_others_of_its_group_are_carried_out(self, stage: InMemoryEngine, failing: Failing) -> None:
        running = stage.submit(job(immediate("Start")))
        failing(Requests, "submit", lambda request, *_: request.name == "poison")
        before = stage.submission(job(immediate("Start")))
        poison = stage.submission(job(immediate("Start"), name="poison"))
        behind = ChangeJob(request_id=new_id(), job_id=running, drafts=before.drafts)
        stage.send(before, poison, behind)
        with pytest.raises(JobEngineError, match="nothing was changed"):
            stage.answer_to(poison)
        assert stage.state(stage.answer_to(before).job_id) == "Running"
        assert len(stage.history(stage.answer_to(behind).job_id)) == 2
        assert stage.reader.count_jobs() == 2
        assert faults(stage) == {"job": 0, "left_out": 0, "request": 1}

    def test_job_that_can_not_be_begun_is_not_made(self, stage: InMemoryEngine, failing: Failing) -> None:
        failing(HostRunner, "advance", lambda job, *_: job.record.name == "poison")
        poison = stage.submission(job(immediate("Start"), name="poison"), idempotency_key="k")
        other = stage.submission(job(immediate("Start")))
        stage.send(poison, other)
        with pytest.raises(JobEngineError, match="nothing was changed"):
            stage.answer_to(poison)
        assert stage.reader.count_jobs() == 1
        assert stage.state(stage.answer_to(other).job_id) == "Running"

    def test_job_that_it_was_about_goes_on(self, stage: InMemoryEngine, failing: Failing) -> None:
        changed = stage.submit(job(immediate("Start")))
        failing(HostRunner, "advance", lambda job, *_: len(job.pending) > 0)
        with pytest.raises(JobEngineError, match="nothing was changed"):
            stage.request(changed, "Pause")
        assert (stage.state(changed), len(stage.transitions(changed))) == ("Running", 1)

    @pytest.mark.parametrize("alias", ["\ud800", 2**63, {"no": "text"}], ids=["text", "number", "type"])
    def test_value_that_the_database_does_not_take(self, stage: InMemoryEngine, alias: Any) -> None:
        poison = msgspec.structs.replace(stage.submission(job(immediate("Start"))), alias=alias)
        other = stage.submission(job(immediate("Start")))
        stage.send(poison, other)
        with pytest.raises(MalformedError, match="can't keep"):
            stage.answer_to(poison)
        assert stage.state(stage.answer_to(other).job_id) == "Running"


def test_worker_killed_by_a_signal_without_a_name(stage: InMemoryEngine, puppets: PuppetWorkers) -> None:
    job_id = stage.submit(pipe_job(immediate("Start")))
    assigned(stage, puppets, job_id).die(-signal.SIGRTMIN - 3)
    stage.settle()
    assert "killed by signal 37" in stage.job(job_id).status_message
