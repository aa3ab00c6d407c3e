"""Records to rows and back: one value per column, documents as JSON text.

Rows are in the order of the columns in `jobengine.history.tables`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Table, Text, cast

from jobengine.history.tables import ROOM, events, jobs, outputs, services, transitions
from jobengine.model.chain import MARK, canonical
from jobengine.model.lifecycle import (
    TRIGGER_TYPES,
    EngineRequest,
    JobState,
    RequestedState,
    TransitionStatus,
    TriggerType,
)
from jobengine.model.record import EventRecord, JobRecord, OutputRecord, TransitionRecord

Row = Sequence[Any]
decode = msgspec.json.decode
_encode = msgspec.json.Encoder().encode

_NAMED = (TriggerType, RequestedState, EngineRequest, TransitionStatus, JobState)
_TEXTS = {str(member): str(member) for members in _NAMED for member in members}
"""What a driver is given for a name of the lifecycle: a look-up costs a tenth of what ``str`` does."""
_STATES = {str(state): state for state in JobState}
_STATUSES = {str(status): status for status in TransitionStatus}


class ServiceRecord(NamedTuple):
    """A service as the cluster sees it; ``epoch`` rises with each start."""

    name: str
    epoch: int
    process_id: int
    url: str
    started_time: str
    alive_time: str


class StoredAnswer(NamedTuple):
    """What was answered to the request that first used an Idempotency-Key."""

    request_hash: str
    status: int
    job_id: str | None
    response: Any


def selectable(table: Table) -> list[ColumnElement[Any]]:
    """The columns of ``table`` that records have, to select; every document as text on both databases."""
    return [
        cast(column, Text).label(column.name) if column is jobs.c.client_data else column
        for column in table.columns
        if column.name != ROOM
    ]


JOB_COLUMNS = selectable(jobs)
TRANSITION_COLUMNS = selectable(transitions)
OUTPUT_COLUMNS = selectable(outputs)
EVENT_COLUMNS = selectable(events)
SERVICE_COLUMNS = selectable(services)


def to_json(value: Any) -> str | None:
    """Canonical JSON text; None stays NULL."""
    return None if value is None else canonical(value).decode()


def from_json(text: str | None) -> Any:
    """The inverse of `to_json`."""
    return None if text is None else decode(text)


def job_row(job: JobRecord) -> tuple[Any, ...]:
    """``job`` as a row of ``jobs``."""
    return (
        job.job_id,
        job.name,
        job.alias,
        job.kind,
        to_json(job.client_data),
        job.restart_policy,
        _TEXTS[job.current_state],
        job.is_active,
        job.processing_host,
        job.worker_process_id,
        job.status_message,
        job.friendly_status_message,
        job.created_time,
        job.updated_time,
        job.deleted_time,
        job.revision,
        job.epoch,
        job.service,
        job.report_sequence,
        job.history_length,
        job.history_hash,
        job.transition_count,
    )


def advanced_row(job: JobRecord) -> tuple[Any, ...]:
    """The columns `jobengine.history.statements.JOB_RUN` of ``job``, in that order."""
    return (
        _TEXTS[job.current_state],
        job.is_active,
        job.worker_process_id,
        job.status_message,
        job.friendly_status_message,
        job.updated_time,
        job.revision,
        job.epoch,
        job.report_sequence,
        job.history_length,
        job.history_hash,
        job.transition_count,
    )


def job_from_row(row: Row) -> JobRecord:
    """A row of `JOB_COLUMNS` as a record."""
    values: list[Any] = [*row[:4], from_json(row[4]), row[5], _STATES[row[6]], *row[8:]]
    return JobRecord(*values)


def transition_row(transition: TransitionRecord) -> tuple[Any, ...]:
    """``transition`` as a row of ``transitions``."""
    t = transition
    return (
        t.transition_id,
        t.job_id,
        t.position,
        _TEXTS[t.trigger_type],
        _TEXTS[t.requested_proc_state],
        canonical(t.trigger).decode(),
        to_json(t.job_description),
        to_json(t.resolved),
        to_json(t.info),
        t.actor,
        t.created_time,
        t.event_name,
        t.due_time,
        t.wake_time,
        _TEXTS[t.status],
        t.sequence,
        t.time_stamp,
        t.lateness_ms,
        None if t.current_proc_state is None else _TEXTS[t.current_proc_state],
        to_json(t.stream_position),
        t.superseded_by,
        t.previous_hash,
        t.hash,
    )


def settled_row(transition: TransitionRecord, position: str | None = None) -> tuple[Any, ...]:
    """The columns `jobengine.history.statements.TRANSITION_SETTLED` of ``transition``, in that order.

    ``position``: its stream position as JSON, if that is at hand.
    """
    t = transition
    return (
        to_json(t.info),
        t.actor,
        t.due_time,
        t.wake_time,
        _TEXTS[t.status],
        t.sequence,
        t.time_stamp,
        t.lateness_ms,
        None if t.current_proc_state is None else _TEXTS[t.current_proc_state],
        position or to_json(t.stream_position),
        t.superseded_by,
        t.previous_hash,
        t.hash,
    )


def transition_from_row(row: Row) -> TransitionRecord:
    """A row of `TRANSITION_COLUMNS` as a record."""
    values: list[Any] = [
        *row[:3],
        TRIGGER_TYPES[row[3]],
        row[4],
        decode(row[5]),
        from_json(row[6]),
        from_json(row[7]),
        from_json(row[8]),
        *row[9:14],
        _STATUSES[row[14]],
        *row[15:19],
        from_json(row[19]),
        *row[20:],
    ]
    return TransitionRecord(*values)


def output_row(output: OutputRecord) -> tuple[Any, ...]:
    """``output`` as a row of ``outputs``."""
    o = output
    return (
        o.job_id,
        o.number,
        o.graph,
        o.kind,
        o.path,
        o.url,
        o.start_time,
        o.start_position,
        o.samples,
        o.elements,
        o.closed,
    )


def output_from_row(row: Row) -> OutputRecord:
    """A row of ``outputs`` as a record."""
    values: list[Any] = [*row[:10], bool(row[10])]
    return OutputRecord(*values)


def event_row(event: EventRecord) -> tuple[Any, ...]:
    """``event`` as a row of ``events`` without its sequence, which the database gives."""
    return (event.time, event.type, event.job_id, _encode(event.data).decode())


class EventDraft:
    """A line of the feed but for its time and one member, which only its moment tells."""

    __slots__ = ("_after", "_job_id", "_kind", "_until")

    def __init__(self, kind: str, job_id: str, data: Mapping[str, Any]) -> None:
        """One member of ``data`` is `OPEN`."""
        self._kind = kind
        self._job_id = job_id
        self._until, self._after = _encode(data).split(MARK)

    def row(self, time: str, value: Any) -> tuple[Any, ...]:
        """As `event_row`, with ``value`` for the open member."""
        data = b"".join((self._until, _encode(value), self._after))
        return (time, self._kind, self._job_id, data.decode())


def event_from_row(row: Row) -> EventRecord:
    """A row of ``events`` as a record."""
    return EventRecord(row[1], row[2], row[3], decode(row[4]), row[0])
