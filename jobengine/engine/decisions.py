"""What one group of decisions comes to: rows to write together, and messages to send once they are written.

Write, then act: nothing here reaches a client or a worker before the commit, and all of it is dropped
when the commit fails.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from jobengine.clock import to_text
from jobengine.engine.blame import own
from jobengine.engine.live_job import LiveJob
from jobengine.engine.outcome import NOTHING, Outcome
from jobengine.history.batch import Batch
from jobengine.ids import new_id
from jobengine.messaging.engine_messages import Accepted, Answer, AnyRequest
from jobengine.model.lifecycle import JobState, TriggerType
from jobengine.model.record import EventRecord, JobRecord, OutputRecord, TransitionRecord


class Passing(NamedTuple):
    """Where and when a transition was settled. ``skip`` is why it had no effect, if it had none."""

    time_stamp: str
    position: dict[str, Any]
    lateness_ms: float = 0.0
    skip: str = ""
    info: Mapping[str, Any] = NOTHING


class Decisions:
    """Collects one group, in one round or in several. ``batch`` is the store's; ``now`` is the time of the
    rows of a round.
    """

    def __init__(self, batch: Batch, now: datetime) -> None:
        self.batch = batch
        self.fresh: dict[str, LiveJob] = {}
        """Of those in ``touched``, the jobs of this round."""
        self.begin_round(now)
        self.requests: list[tuple[bytes, AnyRequest]] = []
        """Who asked, to be told if nothing comes of it."""
        self.heard: list[Any] = []
        """Of workers, to be heard again if it is decided anew."""
        self.news: list[Any] = []
        """Of worker processes, to be looked at again if nothing comes of it."""
        self.silence: dict[str, str] = {}
        """New status messages of jobs whose workers have fallen silent or speak again."""
        self.dropped: list[Batch] = []
        """What groups that this one has taken over would have written, in their order."""
        self.remembered: dict[tuple[str, str], Any] = {}
        """What is answered to requests with a key, by (key, scope)."""
        self.must_follow = False
        """Whether it tells what the group before it has decided, and so must not be told before that one."""
        self.touched: dict[str, LiveJob] = {}
        self.raised: list[tuple[str, dict[str, Any]]] = []
        self.launching: set[str] = set()
        """Jobs for which a worker is asked for in this group."""
        self.evicted: dict[str, str] = {}
        """Jobs that have to finish to make room for another, each with the reason."""
        self.answers: list[tuple[bytes, Answer]] = []
        self._after_commit: list[tuple[str, Callable[[], None]]] = []

    def begin_round(self, now: datetime) -> None:
        """What is decided from here on is decided at ``now``."""
        self.fresh.clear()
        self.now = now
        self.now_text = to_text(now)

    def take_over(self, failed: Decisions) -> None:
        """What a group that was not written leaves behind: who waits for it shares the fate of this one."""
        self.requests = failed.requests + self.requests
        self.heard = failed.heard + self.heard
        self.news = failed.news + self.news
        self.silence = failed.silence | self.silence
        self.answers = failed.answers + self.answers
        self.dropped = [*failed.dropped, failed.batch, *self.dropped]

    def insert_job(self, job: LiveJob) -> None:
        """A new job; its transitions follow."""
        self.batch.insert_job(job.record)
        self._note(job)

    def insert_transition(self, job: LiveJob, transition: TransitionRecord) -> None:
        """Append a pending transition to the job's list."""
        job.append(transition, self.now)
        self.batch.insert_transition(transition)
        self.touch(job)

    def change_transition(self, job: LiveJob, transition: TransitionRecord) -> None:
        """Write a pending transition whose members were changed."""
        self.batch.change_transition(transition)
        self._note(job)

    def touch(self, job: LiveJob) -> None:
        """The job changes, by its run or its list: its revision rises, once per group."""
        record = job.record
        if record.revision == job.committed[0]:
            record.revision += 1
            record.updated_time = self.now_text
            self._note(job)
            self.batch.advance_job(record, *job.committed)

    def rewrite(self, job: LiveJob) -> None:
        """The job changes in what clients say of it."""
        self.touch(job)
        self.batch.update_job(job.record, *job.committed)

    def settle(self, job: LiveJob, transition: TransitionRecord, state: JobState, at: Passing) -> None:
        """A transition has passed, or was skipped: chain it to the history and move the job to ``state``."""
        outcome = Outcome(job.record, transition, state, at.skip, at.info)
        self.complete(job, outcome, at.time_stamp, at.lateness_ms, at.position)

    def complete(
        self, job: LiveJob, outcome: Outcome, time_stamp: str, lateness_ms: float, position: dict[str, Any]
    ) -> None:
        """As `settle`, with what comes of it, worked out for the job as it is."""
        packed = outcome.complete(time_stamp, lateness_ms, position)
        record, transition = job.record, outcome.transition
        record.history_length, record.history_hash = transition.sequence or 0, transition.hash
        record.current_state = outcome.state
        if transition.transition_id in job.pending:
            self.batch.settle_transition(transition, packed.decode())
        else:
            self.batch.insert_transition(transition)
        job.note_settled(transition)
        self.touch(job)
        self.batch.append_event_row(outcome.event_row(self.now_text))
        if outcome.raised is not None:
            self.raised.append(outcome.raised)
        if outcome.state.is_final:
            self._close_list(job)

    def implicit(self, job: LiveJob, requested: str, state: JobState, at: Passing) -> None:
        """A transition nobody planned; ``at.info`` says why."""
        trigger = {"type": "Implicit", "requestedProcState": requested}
        transition = self.new_transition(job, TriggerType.IMPLICIT, requested, trigger, actor="engine")
        transition.created_time = transition.due_time = at.time_stamp
        self.settle(job, transition, state, at)

    def new_transition(
        self, job: LiveJob, kind: TriggerType, requested: str, trigger: dict[str, Any], actor: str
    ) -> TransitionRecord:
        """A row that is not yet in any list."""
        return TransitionRecord(
            transition_id=new_id(),
            job_id=job.record.job_id,
            position=None,
            trigger_type=kind,
            requested_proc_state=requested,
            trigger=trigger,
            actor=actor,
            created_time=self.now_text,
            due_time=self.now_text,
        )

    def output(self, output: OutputRecord, kind: str) -> None:
        """A target was opened or closed."""
        self.batch.upsert_output(output)
        data = {"graph": output.graph, "number": output.number, "path": output.path, "url": output.url}
        self.batch.append_event(EventRecord(self.now_text, kind, output.job_id, data))

    def event(self, kind: str, record: JobRecord, data: dict[str, Any]) -> None:
        """A line of the numbered feed."""
        self.batch.append_event(EventRecord(self.now_text, kind, record.job_id, data))

    def raise_event(self, name: str, data: dict[str, Any], actor: str) -> None:
        """A named event: a line of the feed now, and a reason for transitions to pass in this group."""
        self.batch.append_event(
            EventRecord(self.now_text, "event.raised", None, {"name": name, "data": data, "actor": actor})
        )
        self.raised.append((name, data))

    def status_message(self, job: LiveJob, message: str) -> None:
        """What people read beside the job's state, if it is not there already."""
        record = job.record
        if record.status_message != message:
            record.status_message = record.friendly_status_message = message
            self.event("job.changed", record, {"changed": ["statusMessage"]})
            self.touch(job)

    def answer(self, client: bytes, answer: Answer) -> None:
        """Tell a client, once everything is committed."""
        self.answers.append((client, answer))

    def after_commit(self, job_id: str, act: Callable[[], None]) -> None:
        """Something to do outside for a job once everything is committed."""
        self._after_commit.append((job_id, act))

    def committed(self) -> dict[str, Exception]:
        """The rows are safe: remember what the database holds, then act. The jobs for which an act failed,
        with the error."""
        for job in self.touched.values():
            job.committed = (job.record.revision, job.record.epoch)
        failed: dict[str, Exception] = {}
        for job_id, act in self._after_commit:
            try:
                act()
            except Exception as error:
                failed[job_id] = own(error)
        return failed

    def requests_for(self, job_id: str) -> set[str]:
        """The requests that want something of a job, or have made it."""
        wanted = {r.request_id for _, r in self.requests if getattr(r, "job_id", "") == job_id}
        made = {a.request_id for _, a in self.answers if isinstance(a, Accepted) and a.job_id == job_id}
        return wanted | made

    def _note(self, job: LiveJob) -> None:
        self.touched[job.record.job_id] = self.fresh[job.record.job_id] = job

    def _close_list(self, job: LiveJob) -> None:
        """Nothing that is still pending can pass any more: the engine needn't wake for it."""
        for transition in job.pending.values():
            if transition.wake_time is not None:
                transition.wake_time = None
                self.batch.change_transition(transition)
