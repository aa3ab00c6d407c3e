"""What the engine decided together, written together.

A batch only collects. Nothing touches the database until it ends; then everything is written in one
transaction, grouped by statement and in a fixed order. Records are kept by reference, so what is written
is their value when `Batch.steps` is asked for; what never changes again is made into a row at once, so that
little is left to do at the end of a long group.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from jobengine.history.row_change import RowChange, Rows
from jobengine.history.rows import (
    advanced_row,
    event_row,
    job_row,
    output_row,
    settled_row,
    to_json,
    transition_row,
)
from jobengine.history.statements import JOB_FIXED, TRANSITION_FIXED, Statements
from jobengine.history.tables import jobs, transitions
from jobengine.model.lifecycle import TransitionStatus
from jobengine.model.record import EventRecord, JobRecord, OutputRecord, TransitionRecord

_JOB_CHANGED = [i for i, column in enumerate(jobs.columns) if column.name not in JOB_FIXED]
_TRANSITION_CHANGED = [
    i for i, column in enumerate(transitions.columns) if column.name not in TRANSITION_FIXED
]
_PENDING = TransitionStatus.PENDING.value
_KEPT: dict[str, Callable[[Any, Any], str]] = {
    "inserted_jobs": lambda job_id, _: job_id,
    "updated_jobs": lambda job_id, _: job_id,
    "advanced_jobs": lambda job_id, _: job_id,
    "inserted_transitions": lambda _, transition: transition.job_id,
    "updated_transitions": lambda _, transition: transition.job_id,
    "settled_transitions": lambda _, settled: settled[0],
    "_wakes_cleared": lambda _, job_id: job_id,
    "_outputs": lambda _, output: output.job_id,
}
"""Members of a batch that are kept by key, each with how it tells the job that an item is about."""


class Expected(NamedTuple):
    """What a job's row must still be for an update to be ours to make."""

    revision: int
    epoch: int


class Step(NamedTuple):
    """One statement of a batch with its rows; if guarded, each of them must hit a row."""

    statement: RowChange
    rows: Rows
    is_guarded: bool = False


class Batch:
    """Everything of one transaction. Not thread-safe."""

    def __init__(self) -> None:
        self.inserted_jobs: dict[str, JobRecord] = {}
        self.updated_jobs: dict[str, tuple[JobRecord, Expected]] = {}
        self.advanced_jobs: dict[str, tuple[JobRecord, Expected]] = {}
        self.inserted_transitions: dict[str, TransitionRecord] = {}
        self.updated_transitions: dict[str, TransitionRecord] = {}
        self.settled_transitions: dict[str, tuple[str, tuple[Any, ...]]] = {}
        """The job and the row by the id of the transition."""
        self._wakes_cleared: dict[str, str] = {}
        self._outputs: dict[tuple[str, int], OutputRecord] = {}
        self._events: Rows = []
        self._idempotency: Rows = []
        self._variables: dict[str, Any] = {}
        self._removed_variables: dict[str, None] = {}

    def insert_job(self, job: JobRecord) -> None:
        """A new job."""
        self.inserted_jobs[job.job_id] = job

    def update_job(self, job: JobRecord, expected_revision: int, expected_epoch: int) -> None:
        """Change a job that still is as expected. Of several updates in a batch the first expects."""
        if job.job_id in self.inserted_jobs:
            self.inserted_jobs[job.job_id] = job
        else:
            before = self.advanced_jobs.pop(job.job_id, None) or self.updated_jobs.get(job.job_id)
            expected = before[1] if before else Expected(expected_revision, expected_epoch)
            self.updated_jobs[job.job_id] = (job, expected)

    def advance_job(self, job: JobRecord, expected_revision: int, expected_epoch: int) -> None:
        """As `update_job`, for a job of which nothing is new but what its run changes."""
        if job.job_id in self.inserted_jobs or job.job_id in self.updated_jobs:
            self.update_job(job, expected_revision, expected_epoch)
        else:
            before = self.advanced_jobs.get(job.job_id)
            expected = before[1] if before else Expected(expected_revision, expected_epoch)
            self.advanced_jobs[job.job_id] = (job, expected)

    def insert_transition(self, transition: TransitionRecord) -> None:
        """A new row of a job's list, pending or settled already."""
        self.inserted_transitions[transition.transition_id] = transition

    def settle_transition(self, transition: TransitionRecord, position: str | None = None) -> None:
        """A row that is no longer pending, with its hashes; it must be pending in the database.

        What it says (trigger, description) must be what the database holds, or be changed in this batch.
        ``position`` is its stream position as JSON, if that is at hand.
        """
        known = transition.transition_id
        if known in self.inserted_transitions or known in self.updated_transitions:
            self.change_transition(transition)
        else:
            self.settled_transitions[known] = (
                transition.job_id,
                (*settled_row(transition, position), known, _PENDING),
            )

    def change_transition(self, transition: TransitionRecord) -> None:
        """Any change of a row that must be pending in the database, or is new in this batch."""
        if transition.transition_id in self.inserted_transitions:
            self.inserted_transitions[transition.transition_id] = transition
        else:
            self.settled_transitions.pop(transition.transition_id, None)
            self.updated_transitions[transition.transition_id] = transition

    def clear_wake(self, job_id: str, transition_id: str) -> None:
        """A pending row of a job is to wake nobody any more, whatever else it holds."""
        self._wakes_cleared[transition_id] = job_id

    def upsert_output(self, output: OutputRecord) -> None:
        """An output, new or changed."""
        self._outputs[output.job_id, output.number] = output

    def append_event(self, event: EventRecord) -> None:
        """A line of the event feed; its sequence is given by the database."""
        self.append_event_row(event_row(event))

    def append_event_row(self, row: tuple[Any, ...]) -> None:
        """As `append_event`, of what is a row already."""
        self._events.append(row)

    def remember_idempotency(  # noqa: PLR0913 - one argument per column
        self,
        key: str,
        scope: str,
        request_hash: str,
        job_id: str | None,
        response: Any,
        *,
        created_time: str,
        status: int = 201,
    ) -> None:
        """The answer to a request. A key that is known already refuses the whole batch."""
        self._idempotency.append((scope, key, request_hash, status, job_id, to_json(response), created_time))

    def set_variable(self, name: str, value: Any) -> None:
        """A variable for placeholders, new or changed."""
        self._removed_variables.pop(name, None)
        self._variables[name] = value

    def remove_variable(self, name: str) -> None:
        """Forget a variable; one that is not there is no error."""
        self._variables.pop(name, None)
        self._removed_variables[name] = None

    @property
    def expected_jobs(self) -> dict[str, Expected]:
        """What the rows of the jobs in this batch must still be, by job."""
        changed = self.updated_jobs | self.advanced_jobs
        return {job_id: expected for job_id, (_, expected) in changed.items()}

    @property
    def waking(self) -> Iterator[TransitionRecord]:
        """The rows of this batch that may have a wake time; settled ones have none."""
        yield from self.inserted_transitions.values()
        yield from self.updated_transitions.values()

    def steps(self, s: Statements) -> list[Step]:
        """Everything as rows, with the records' values of this moment, in the order of writing."""
        outputs = self._outputs.values()
        named = [(name, to_json(value) or "null") for name, value in self._variables.items()]
        steps = [
            Step(s.insert_job, [job_row(job) for job in self.inserted_jobs.values()]),
            Step(s.insert_transition, [transition_row(t) for t in self.inserted_transitions.values()]),
            *self._guarded(s),
            Step(s.clear_wake, [(None, i, _PENDING) for i in self._wakes_cleared]),
            Step(s.upsert_output, [output_row(output) for output in outputs]),
            Step(s.upsert_variable, named),
            Step(s.delete_variable, [(name,) for name in self._removed_variables]),
            Step(s.insert_idempotency, self._idempotency),
            Step(s.insert_event, self._events),
        ]
        return [step for step in steps if step.rows]

    def parts(self) -> dict[str, Batch]:
        """What is in it by the job it is about; under the empty name what is about none."""
        parts: defaultdict[str, Batch] = defaultdict(Batch)
        for name, job_of in _KEPT.items():
            for key, one in getattr(self, name).items():
                getattr(parts[job_of(key, one)], name)[key] = one
        for event in self._events:
            parts[event[2] or ""]._events.append(event)
        for answer in self._idempotency:
            parts[answer[4] or ""]._idempotency.append(answer)
        if self._variables or self._removed_variables:
            parts[""]._variables = self._variables
            parts[""]._removed_variables = self._removed_variables
        return dict(parts)

    def __bool__(self) -> bool:
        return any(vars(self).values())

    def _guarded(self, s: Statements) -> Iterator[Step]:
        """Changes of rows that must be as expected."""
        updated, settled = self.updated_transitions.values(), self.settled_transitions.values()
        changed, advanced = self.updated_jobs.values(), self.advanced_jobs.values()
        yield Step(s.update_transition, [_transition_update(t) for t in updated], True)
        yield Step(s.settle_transition, [row for _, row in settled], True)
        yield Step(s.update_job, [job_update(job, expected) for job, expected in changed], True)
        rows = [(*advanced_row(job), job.job_id, *expected) for job, expected in advanced]
        yield Step(s.advance_job, rows, True)


def job_update(job: JobRecord, expected: Expected) -> tuple[Any, ...]:
    """The parameters of the statement that changes a job."""
    row = job_row(job)
    return (*[row[i] for i in _JOB_CHANGED], job.job_id, expected.revision, expected.epoch)


def _transition_update(transition: TransitionRecord) -> tuple[Any, ...]:
    row = transition_row(transition)
    return (*[row[i] for i in _TRANSITION_CHANGED], transition.transition_id, _PENDING)
