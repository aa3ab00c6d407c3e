"""Rows as clients are shown them: a document that is no JSON any more is told as such, and hides no others.

Only hands other than jobengine's spoil one. Whoever decides about a job must not see it that way:
`jobengine.history.rows` raises.
"""

from __future__ import annotations

from typing import Any

import msgspec

from jobengine.history.rows import (
    EVENT_COLUMNS,
    JOB_COLUMNS,
    TRANSITION_COLUMNS,
    Row,
    event_from_row,
    job_from_row,
    transition_from_row,
)
from jobengine.model.record import EventRecord, JobRecord, TransitionRecord

_CLIENT_DATA = [column.name for column in JOB_COLUMNS].index("client_data")
_DATA = [column.name for column in EVENT_COLUMNS].index("data")
_PLACES = {column.name: place for place, column in enumerate(TRANSITION_COLUMNS)}
_TYPE, _REQUESTED = _PLACES["trigger_type"], _PLACES["requested_proc_state"]
_TRIGGER, _RESOLVED = _PLACES["trigger"], _PLACES["resolved"]
_DOCUMENTS = [_PLACES[name] for name in ("job_description", "info", "stream_position")]


def shown_job(row: Row) -> JobRecord:
    """A row of `JOB_COLUMNS` as a record."""
    try:
        return job_from_row(row)
    except msgspec.DecodeError:
        values = list(row)
        values[_CLIENT_DATA] = _told(values[_CLIENT_DATA])
        return job_from_row(values)


def shown_transition(row: Row) -> TransitionRecord:
    """A row of `TRANSITION_COLUMNS` as a record."""
    try:
        return transition_from_row(row)
    except msgspec.DecodeError:
        values = list(row)
        for place in _DOCUMENTS:
            values[place] = _told(values[place])
        values[_TRIGGER] = _told(values[_TRIGGER], type=row[_TYPE], requestedProcState=row[_REQUESTED])
        values[_RESOLVED] = values[_RESOLVED] if _is_whole(values[_RESOLVED]) else None
        return transition_from_row(values)


def shown_event(row: Row) -> EventRecord:
    """A row of `EVENT_COLUMNS` as a record."""
    try:
        return event_from_row(row)
    except msgspec.DecodeError:
        values = list(row)
        values[_DATA] = _told(values[_DATA])
        return event_from_row(values)


def _told(text: str | None, **members: Any) -> str | None:
    """JSON as it is; of other text JSON that tells what it was, beside ``members``."""
    return text if _is_whole(text) else msgspec.json.encode({**members, "unreadable": text}).decode()


def _is_whole(text: str | None) -> bool:
    try:
        msgspec.json.decode(text or "null")
    except msgspec.DecodeError:
        return False
    return True
