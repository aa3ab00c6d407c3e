"""Jobs and transitions as they are kept: one field per column, JSON columns as Python values.

The engine changes these records in memory and hands them to the store; the store writes them in one
transaction. Times are text as made by `jobengine.clock.to_text`. JSON columns hold documents already
checked and in camelCase.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any

from jobengine.model.lifecycle import JobState, TransitionStatus, TriggerType

Json = Any


@dataclass(slots=True)
class TransitionRecord:
    """One row of a job's list. Settled rows (status other than Pending) never change again."""

    transition_id: str
    job_id: str
    position: int | None
    trigger_type: TriggerType
    requested_proc_state: str
    trigger: dict[str, Json]
    job_description: dict[str, Json] | None = None
    resolved: dict[str, Json] | None = None
    """``{"description": …, "values": {…}}``: the description with the service's placeholders filled in."""
    info: dict[str, Json] | None = None
    actor: str = ""
    created_time: str = ""
    event_name: str | None = None
    due_time: str | None = None
    wake_time: str | None = None
    status: TransitionStatus = TransitionStatus.PENDING
    sequence: int | None = None
    time_stamp: str | None = None
    lateness_ms: float | None = None
    current_proc_state: str | None = None
    stream_position: dict[str, Json] | None = None
    superseded_by: str | None = None
    previous_hash: str = ""
    hash: str = ""

    @property
    def description(self) -> dict[str, Json] | None:
        """The description in force: with placeholders filled in where there were any."""
        return self.resolved["description"] if self.resolved else self.job_description

    def copy(self) -> TransitionRecord:
        """A record of its own, over the same documents."""
        return TransitionRecord(*_members(self))


_members = attrgetter(*(member.name for member in fields(TransitionRecord)))


@dataclass(slots=True)
class JobRecord:
    """One run. ``revision`` rises with every committed change; ``epoch`` fences former owners."""

    job_id: str
    name: str = ""
    alias: str = ""
    kind: str | None = None
    client_data: Json = None
    restart_policy: str = "never"
    current_state: JobState = JobState.PENDING
    processing_host: str = ""
    worker_process_id: int = 0
    status_message: str = ""
    friendly_status_message: str = ""
    created_time: str = ""
    updated_time: str = ""
    deleted_time: str | None = None
    revision: int = 1
    epoch: int = 0
    service: str | None = None
    report_sequence: int = 0
    history_length: int = 0
    history_hash: str = ""
    transition_count: int = 0

    @property
    def is_active(self) -> bool:
        return not self.current_state.is_final


@dataclass(slots=True)
class OutputRecord:
    """A file or target really written. ``number`` counts a job's outputs from 1."""

    job_id: str
    number: int
    graph: str
    kind: str
    path: str | None = None
    url: str | None = None
    start_time: str = ""
    start_position: int = 0
    samples: int | None = None
    elements: int | None = None
    closed: bool = False


@dataclass(slots=True)
class EventRecord:
    """One line of the numbered event feed; the store gives the sequence."""

    time: str
    type: str
    job_id: str | None
    data: dict[str, Json] = field(default_factory=dict)
    sequence: int = 0
