"""Rows that somebody has spoilt by hand: what reads them for clients, and what the engine does about them."""

from __future__ import annotations

import msgspec
import pytest

from jobengine.errors import ConflictError
from jobengine.history.database import Database
from jobengine.history.reader import JobReader
from jobengine.history.store import SqlJobStore
from jobengine.history.whole_jobs import WholeJobs
from jobengine.model.record import EventRecord
from tests.contract.history.records import NOON, a_job, a_job_with_history, a_transition, commit


def spoil(database: Database, table: str, column: str) -> None:
    with database.writing() as connection:
        where = "WHERE status = 'Pending'" if table == "transitions" else ""
        connection.exec_driver_sql(f"UPDATE {table} SET {column} = '{{spoilt' {where}")


@pytest.mark.parametrize("column", ["trigger", "job_description", "resolved", "info", "stream_position"])
def test_spoilt_document_is_shown_as_such_beside_all_others(
    database: Database, store: SqlJobStore, whole_jobs: WholeJobs, reader: JobReader, column: str
) -> None:
    job = a_job()
    row = a_transition(job)
    commit(store, lambda batch: batch.insert_job(job), lambda batch: batch.insert_transition(row))
    spoil(database, "transitions", column)
    (shown,) = whole_jobs.get(job.job_id).transitions
    assert shown == reader.transition(job.job_id, row.transition_id)
    expected = {"unreadable": "{spoilt"}
    if column == "trigger":
        expected |= {"type": "Time", "requestedProcState": "Start"}
    assert getattr(shown, column) == (None if column == "resolved" else expected)
    with pytest.raises(msgspec.DecodeError):
        store.load_jobs([job.job_id])


def test_spoilt_event_is_shown_as_such(database: Database, store: SqlJobStore, reader: JobReader) -> None:
    commit(store, lambda batch: batch.append_event(EventRecord(NOON, "event.raised", None, {"a": 1})))
    spoil(database, "events", "data")
    (event,) = reader.events_after(0).events
    assert event.data == {"unreadable": "{spoilt"}


def test_bare_job_tells_where_its_stream_was(database: Database, store: SqlJobStore) -> None:
    job, _ = a_job_with_history(store, 2)
    bare = store.load_bare(job.job_id)
    assert bare is not None
    assert (bare.job, bare.position["pts"]) == (job, 48_000)
    assert store.load_bare("nobody") is None


def test_wakes_of_a_job_are_cleared_whatever_its_rows_hold(database: Database, store: SqlJobStore) -> None:
    job, other = a_job(service="one"), a_job(service="one")
    for one in (job, other):
        with store.batch() as batch:
            batch.insert_job(one)
            batch.insert_transition(a_transition(one))
    spoil(database, "transitions", "trigger")
    bare = store.load_bare(job.job_id)
    assert bare is not None
    (transition_id,) = bare.waking
    commit(store, lambda batch: batch.clear_wake(job.job_id, transition_id))
    assert [job_id for _, job_id, _ in store.due(NOON, 10)] == [other.job_id]


def test_batch_that_is_tried_out_is_not_kept(store: SqlJobStore, reader: JobReader) -> None:
    job = a_job()
    batch = store.new_batch()
    batch.insert_job(job)
    store.try_out(batch)
    assert reader.count_jobs() == 0
    store.commit(batch)
    with pytest.raises(ConflictError):
        store.try_out(batch)


def test_parts_of_a_batch_are_all_of_it(store: SqlJobStore, reader: JobReader) -> None:
    batch = store.new_batch()
    jobs = [a_job() for _ in range(2)]
    for job in jobs:
        batch.insert_job(job)
        batch.insert_transition(a_transition(job))
        batch.append_event(EventRecord(NOON, "job.created", job.job_id))
    batch.append_event(EventRecord(NOON, "event.raised", None))
    batch.set_variable("a", 1)
    parts = batch.parts()
    assert set(parts) == {"", *(job.job_id for job in jobs)}
    for name in (jobs[0].job_id, ""):
        store.commit(parts[name])
    assert reader.count_jobs() == 1
    assert [event.job_id for event in reader.events_after(0).events] == [jobs[0].job_id, None]
    assert reader.variables() == {"a": 1}
