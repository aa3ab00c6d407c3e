"""Changing and removing planned transitions, with and without a worker that holds the plan."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from jobengine.errors import ConflictError, NotFoundError, RevisionMismatch, UnavailableError
from jobengine.ids import new_id
from jobengine.messaging.engine_messages import (
    ChangeJob,
    ChangeTransition,
    DeleteJob,
    Draft,
    RemoveTransition,
    SendVolatile,
)
from jobengine.messaging.worker_messages import Arm, Counts, Sync, Withdraw
from jobengine.testing import InMemoryEngine, Puppet, PuppetWorkers
from tests.unit.engine.documents import after, at, immediate, job, pipe_job


def removal(job_id: str, transition_id: str, revision: int | None = None) -> RemoveTransition:
    return RemoveTransition(
        request_id=new_id(), actor="editor", job_id=job_id, transition_id=transition_id, revision=revision
    )


def change(job_id: str, transition_id: str, document: dict[str, object]) -> ChangeTransition:
    draft = Draft(document["trigger"])  # type: ignore[arg-type]
    return ChangeTransition(
        request_id=new_id(), actor="editor", job_id=job_id, transition_id=transition_id, draft=draft
    )


def pending(stage: InMemoryEngine, job_id: str) -> list[str]:
    return [t.transition_id for t in stage.transitions(job_id) if t.status == "Pending"]


def statuses(stage: InMemoryEngine, job_id: str) -> list[str]:
    return sorted(str(t.status) for t in stage.transitions(job_id))


class TestWithoutWorker:
    @pytest.fixture
    def job_id(self, stage: InMemoryEngine) -> str:
        return stage.submit(job(immediate("Start"), at("00:10", "Pause"), at("00:20", "Finish")))

    def test_removed_transition_stays_as_superseded_and_does_not_pass(
        self, stage: InMemoryEngine, job_id: str
    ) -> None:
        gone = pending(stage, job_id)[0]
        stage.ask(removal(job_id, gone))
        stage.advance(timedelta(seconds=30))
        assert [row.current_proc_state for row in stage.history(job_id)] == ["Running", "Finished"]
        row = stage.reader.transition(job_id, gone)
        assert (row.status, row.actor, len(row.hash)) == ("Superseded", "editor", 64)

    def test_changed_transition_keeps_its_id_and_place(self, stage: InMemoryEngine, job_id: str) -> None:
        changed = pending(stage, job_id)[0]
        stage.ask(change(job_id, changed, at("00:15", "Cancel")))
        stage.advance(timedelta(seconds=12))
        assert stage.state(job_id) == "Running"
        stage.advance(timedelta(seconds=12))
        last = stage.history(job_id)[-1]
        assert (last.transition_id, last.position, last.current_proc_state) == (changed, 1, "Cancelled")
        former = next(t for t in stage.transitions(job_id) if t.status == "Superseded")
        assert (former.superseded_by, former.requested_proc_state) == (changed, "Pause")
        assert stage.audit().is_intact

    def test_removed_predecessor_lets_a_duration_count_from_the_one_before(
        self, stage: InMemoryEngine
    ) -> None:
        job_id = stage.submit(job(immediate("Start"), at("59:00", "None"), after(5000, "Finish")))
        stage.advance(timedelta(seconds=2))
        stage.ask(removal(job_id, pending(stage, job_id)[0]))
        stage.advance(timedelta(seconds=2.999))
        assert stage.state(job_id) == "Running"
        stage.advance(timedelta(seconds=0.001))
        assert stage.state(job_id) == "Finished"

    def test_settled_transition_cannot_be_changed(self, stage: InMemoryEngine, job_id: str) -> None:
        with pytest.raises(NotFoundError):
            stage.ask(removal(job_id, stage.history(job_id)[0].transition_id))

    def test_list_of_a_final_job_is_closed(self, stage: InMemoryEngine, job_id: str) -> None:
        stage.request(job_id, "Cancel")
        with pytest.raises(ConflictError, match="its list is closed"):
            stage.ask(removal(job_id, pending(stage, job_id)[0]))

    def test_other_revision_changes_nothing(self, stage: InMemoryEngine, job_id: str) -> None:
        revision = stage.job(job_id).revision
        with pytest.raises(RevisionMismatch):
            stage.ask(removal(job_id, pending(stage, job_id)[0], revision - 1))
        assert (stage.job(job_id).revision, len(pending(stage, job_id))) == (revision, 2)
        stage.ask(removal(job_id, pending(stage, job_id)[0], revision))
        assert stage.job(job_id).revision == revision + 1


class TestWithWorker:
    @pytest.fixture
    def job_id(self, stage: InMemoryEngine) -> str:
        return stage.submit(pipe_job(immediate("Start"), after(1000, "Pause"), after(1000, "Finish")))

    @pytest.fixture
    def puppet(self, stage: InMemoryEngine, puppets: PuppetWorkers, job_id: str) -> Puppet:
        puppet = puppets.start(job_id)
        puppet.hello()
        stage.settle()
        puppet.passed(puppet.assignment.transitions[0].transition_id, "Running")
        puppet.beat("Running")
        stage.settle()
        return puppet

    def test_a_condition_that_counts_from_now_counts_from_where_the_worker_let_go(
        self, stage: InMemoryEngine, puppet: Puppet, job_id: str
    ) -> None:
        trigger = {"type": "Stream", "requestedProcState": "Finish", "condition": {"frameCount": 10}}
        request = ChangeTransition(
            request_id=new_id(),
            actor="editor",
            job_id=job_id,
            transition_id=pending(stage, job_id)[0],
            draft=Draft(trigger),
            counts_from_now=True,
        )
        stage.send(request)
        puppet.withdrawn(counts=Counts(4_000_000, "1000000/1", 90, 5, 4000.0))
        stage.settle()
        changed = stage.reader.transition(job_id, request.transition_id)
        assert changed.trigger["condition"] == {"frameCount": 100}

    def test_change_waits_until_the_worker_has_let_go(
        self, stage: InMemoryEngine, puppet: Puppet, job_id: str
    ) -> None:
        changed = pending(stage, job_id)[0]
        request = change(job_id, changed, after(5000, "Cancel"))
        stage.send(request)
        assert request.request_id not in stage.answers
        assert isinstance(puppet.commands[-1], Withdraw)
        assert statuses(stage, job_id) == ["Passed", "Pending", "Pending"]
        puppet.withdrawn()
        stage.settle()
        assert stage.answer_to(request).transition_ids == (changed,)
        arm = puppet.commands[-1]
        assert isinstance(arm, Arm)
        assert [(p.transition_id, p.trigger["duration"]) for p in arm.transitions] == [(changed, 5000)]
        assert statuses(stage, job_id) == ["Passed", "Pending", "Pending", "Superseded"]

    def test_transition_that_passed_meanwhile_is_a_conflict(
        self, stage: InMemoryEngine, puppet: Puppet, job_id: str
    ) -> None:
        gone = pending(stage, job_id)[0]
        request = removal(job_id, gone)
        stage.send(request)
        puppet.passed(gone, "Paused", 48_000)
        puppet.withdrawn(transition_ids=[])
        stage.settle()
        with pytest.raises(ConflictError, match="just passed"):
            stage.answer_to(request)
        assert stage.state(job_id) == "Paused"
        assert statuses(stage, job_id) == ["Passed", "Passed", "Pending"]

    def test_silent_worker_leaves_everything_as_it_was(
        self, stage: InMemoryEngine, puppet: Puppet, job_id: str
    ) -> None:
        request = removal(job_id, pending(stage, job_id)[0])
        stage.send(request)
        stage.advance(timedelta(seconds=7))
        with pytest.raises(UnavailableError, match="unchanged"):
            stage.answer_to(request)
        assert statuses(stage, job_id) == ["Passed", "Pending", "Pending"]
        puppet.withdrawn()
        stage.settle()
        sync = puppet.commands[-1]
        assert isinstance(sync, Sync)
        assert [p.transition_id for p in sync.transitions] == pending(stage, job_id)
        assert statuses(stage, job_id) == ["Passed", "Pending", "Pending"]

    def test_an_engine_that_stood_still_hears_what_the_worker_has_answered(
        self, stage: InMemoryEngine, puppet: Puppet, job_id: str
    ) -> None:
        gone = pending(stage, job_id)[0]
        request = removal(job_id, gone)
        stage.send(request)
        stage.clock.advance(timedelta(minutes=1))
        stage.engine.tick()
        puppet.withdrawn()
        stage.settle()
        assert stage.answer_to(request).transition_ids == (gone,)

    def test_plan_sent_again_meanwhile_leaves_out_what_is_being_withdrawn(
        self, stage: InMemoryEngine, puppet: Puppet, job_id: str
    ) -> None:
        gone, stays = pending(stage, job_id)
        stage.send(removal(job_id, gone))
        puppet.beat("Running", engine="another")
        stage.settle()
        sync = puppet.commands[-1]
        assert isinstance(sync, Sync)
        assert [p.transition_id for p in sync.transitions] == [stays]

    def test_worker_lost_meanwhile_frees_the_edit(
        self, stage: InMemoryEngine, puppet: Puppet, job_id: str
    ) -> None:
        request = removal(job_id, pending(stage, job_id)[0])
        stage.send(request)
        puppet.die()
        stage.settle()
        stage.advance(timedelta(seconds=7))
        with pytest.raises(UnavailableError):
            stage.answer_to(request)

    def test_volatile_goes_to_the_worker_only(
        self, stage: InMemoryEngine, puppet: Puppet, job_id: str
    ) -> None:
        before = stage.job(job_id)
        stage.ask(
            SendVolatile(
                request_id=new_id(), job_id=job_id, drafts=stage.submission(job(immediate("None"))).drafts
            )
        )
        arm = puppet.commands[-1]
        assert isinstance(arm, Arm)
        assert [planned.volatile for planned in arm.transitions] == [True]
        assert stage.job(job_id) == before
        assert len(stage.transitions(job_id)) == 3

    def test_volatile_of_a_group_that_is_decided_anew_is_sent_once(
        self, stage: InMemoryEngine, puppet: Puppet, job_id: str
    ) -> None:
        drafts = stage.submission(job(immediate("None"))).drafts
        volatile = SendVolatile(request_id=new_id(), job_id=job_id, drafts=drafts)
        refused = msgspec.structs.replace(stage.submission(job(immediate("Start"))), alias="\ud800")
        stage.send(volatile, refused)
        assert stage.answer_to(volatile).job_id == job_id
        arms = [command for command in puppet.commands if isinstance(command, Arm)]
        assert [planned.volatile for arm in arms for planned in arm.transitions] == [True]

    def test_forced_deletion_cancels_and_hides(
        self, stage: InMemoryEngine, puppet: Puppet, job_id: str
    ) -> None:
        with pytest.raises(ConflictError, match="use force"):
            stage.ask(DeleteJob(request_id=new_id(), job_id=job_id))
        stage.ask(DeleteJob(request_id=new_id(), job_id=job_id, force=True))
        arm = puppet.commands[-1]
        assert isinstance(arm, Arm)
        assert arm.transitions[0].trigger["requestedProcState"] == "Cancel"
        puppet.passed(arm.transitions[0].transition_id, "Cancelled", 7)
        stage.settle()
        with pytest.raises(NotFoundError):
            stage.job(job_id)
        assert stage.engine.worker_count == 0


def test_volatile_needs_a_running_worker(stage: InMemoryEngine) -> None:
    job_id = stage.submit(job(immediate("Start")))
    drafts = stage.submission(job(immediate("None"))).drafts
    with pytest.raises(ConflictError, match="no running worker"):
        stage.ask(SendVolatile(request_id=new_id(), job_id=job_id, drafts=drafts))


def test_members_of_a_job_change_under_its_revision(stage: InMemoryEngine) -> None:
    job_id = stage.submit(job(immediate("Start"), name="before"))
    revision = stage.job(job_id).revision
    stage.ask(ChangeJob(request_id=new_id(), job_id=job_id, changes={"name": "after"}, revision=revision))
    assert (stage.job(job_id).name, stage.job(job_id).revision) == ("after", revision + 1)
    with pytest.raises(RevisionMismatch, match=f"revision {revision + 1}, not {revision}"):
        stage.ask(ChangeJob(request_id=new_id(), job_id=job_id, changes={"name": "late"}, revision=revision))
    assert stage.job(job_id).name == "after"
