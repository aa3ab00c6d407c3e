"""What the engine may rely on when it writes, over SQLite and PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from jobengine.errors import ConflictError, DocumentError, NotFoundError, UnavailableError
from jobengine.history.database import Database
from jobengine.history.reader import JobReader
from jobengine.history.statements import EVENT_ORDER_LOCK
from jobengine.history.store import SqlJobStore
from jobengine.history.whole_jobs import WholeJobs
from jobengine.model.chain import row_hash
from jobengine.model.lifecycle import JobState, TransitionStatus, TriggerType
from jobengine.model.record import EventRecord, OutputRecord
from tests.contract.history.records import (
    NOON,
    a_job,
    a_job_with_history,
    a_transition,
    commit,
    moment,
    settle,
)


def test_what_is_written_is_read_back_equal(whole_jobs: WholeJobs, store: SqlJobStore) -> None:
    job = a_job(
        name="Noon ☀ 😀",
        client_data={"desk": "news", "level": 0.1, "list": [1, None, True], "ümlaut": '\u2028\\"'},
        kind="pipe",
        service="one",
    )
    row = a_transition(job, info={"a": 1e300}, resolved={"description": {"x": 1}, "values": {"y": "z"}})
    with store.batch() as batch:
        batch.insert_job(job)
        batch.insert_transition(row)
    assert whole_jobs.get(job.job_id) == (job, [row])


def test_a_row_inserted_and_settled_in_one_batch_is_written_once(
    whole_jobs: WholeJobs, store: SqlJobStore
) -> None:
    job = a_job()
    row = a_transition(job)
    with store.batch() as batch:
        batch.insert_job(job)
        batch.insert_transition(row)
        settle(job, row)
        batch.settle_transition(row)
        job.revision = 2
        batch.update_job(job, 1, 0)
    assert whole_jobs.get(job.job_id) == (job, [row])


def test_a_job_that_only_advanced_keeps_what_clients_say_of_it(
    whole_jobs: WholeJobs, store: SqlJobStore
) -> None:
    job, rows = a_job_with_history(store)
    further = replace(job, revision=job.revision + 1, status_message="on its way", name="not written")
    with store.batch() as batch:
        batch.advance_job(further, job.revision, 0)
    assert whole_jobs.get(job.job_id) == (replace(further, name=job.name), rows)


@pytest.mark.parametrize("first", ["update_job", "advance_job"])
def test_a_job_that_was_changed_and_advanced_in_one_batch_is_written_whole(
    whole_jobs: WholeJobs, store: SqlJobStore, first: str
) -> None:
    job, rows = a_job_with_history(store)
    changed = replace(job, revision=job.revision + 1, status_message="on its way", name="new")
    with store.batch() as batch:
        for method in sorted(["update_job", "advance_job"], key=lambda name: name != first):
            getattr(batch, method)(changed, job.revision, 0)
    assert whole_jobs.get(job.job_id) == (changed, rows)


def test_more_rows_than_one_statement_takes_are_all_written_in_their_order(
    whole_jobs: WholeJobs, store: SqlJobStore
) -> None:
    job = a_job()
    rows = [a_transition(job, position=position) for position in range(1_007)]
    with store.batch() as batch:
        batch.insert_job(job)
        for row in rows:
            batch.insert_transition(row)
    for row in rows:
        settle(job, row)
    with store.batch() as batch:
        for row in rows:
            batch.settle_transition(row)
        batch.advance_job(job, job.revision, job.epoch)
    assert whole_jobs.get(job.job_id) == (job, rows)


def test_the_hash_of_a_row_is_the_same_after_it_was_stored(whole_jobs: WholeJobs, store: SqlJobStore) -> None:
    job, rows = a_job_with_history(store)
    stored = whole_jobs.get(job.job_id)[1]
    previous = ""
    for row, read in zip(rows, stored, strict=True):
        assert row_hash(read, previous) == row.hash == read.hash
        previous = row.hash


def test_a_settled_row_is_not_settled_again(store: SqlJobStore) -> None:
    job, rows = a_job_with_history(store, 2)
    with pytest.raises(ConflictError) as refused:
        commit(store, lambda batch: batch.settle_transition(replace(rows[1], actor="somebody else")))
    assert refused.value.facts["transitions"] == [rows[1].transition_id]
    assert refused.value.facts["jobs"] == [job.job_id]


def test_a_stale_epoch_is_refused_and_nothing_of_its_batch_is_kept(
    whole_jobs: WholeJobs, store: SqlJobStore, reader: JobReader
) -> None:
    fresh, stale = a_job(epoch=3), a_job(epoch=3)
    with store.batch() as batch:
        batch.insert_job(fresh)
        batch.insert_job(stale)
    row = a_transition(fresh)
    with pytest.raises(ConflictError) as refused:
        commit(
            store,
            lambda batch: batch.update_job(replace(fresh, revision=2, name="new"), 1, 3),
            lambda batch: batch.update_job(replace(stale, revision=2, name="new"), 1, 2),
            lambda batch: batch.insert_transition(row),
            lambda batch: batch.append_event(EventRecord(NOON, "job.changed", fresh.job_id)),
        )
    assert refused.value.facts["jobs"] == [stale.job_id]
    assert whole_jobs.get(fresh.job_id) == (fresh, [])
    assert reader.newest_event() == 0


def test_a_batch_that_raises_leaves_nothing(whole_jobs: WholeJobs, store: SqlJobStore) -> None:
    job = a_job()
    with pytest.raises(ZeroDivisionError):
        commit(store, lambda batch: batch.insert_job(job), lambda _: 1 / 0)
    with pytest.raises(NotFoundError):
        whole_jobs.get(job.job_id)


def test_text_that_no_database_can_keep_is_a_fault_of_the_document(store: SqlJobStore) -> None:
    with pytest.raises(DocumentError):
        commit(store, lambda batch: batch.insert_job(a_job(name="\ud800")))


def test_due_rows_come_earliest_first_and_only_while_pending(store: SqlJobStore) -> None:
    job = a_job(service="one")
    rows = [a_transition(job, position=n, wake_time=moment(9 - n)) for n in range(3)]
    asleep = a_transition(job, position=9, wake_time=None)
    with store.batch() as batch:
        batch.insert_job(job)
        for row in (*rows, asleep):
            batch.insert_transition(row)
    assert [found[2] for found in store.due(moment(8), 10)] == [rows[2].transition_id, rows[1].transition_id]
    assert store.due(moment(8), 1) == [(moment(7), job.job_id, rows[2].transition_id)]
    assert store.due(moment(8), 10, "another") == []
    assert store.next_wake() == store.next_wake("one") == moment(7)
    settle(job, rows[2])
    with store.batch() as batch:
        batch.settle_transition(rows[2])
    assert store.next_wake() == moment(8)


def test_rows_put_off_are_those_that_were_due_and_wake_later(store: SqlJobStore) -> None:
    job = a_job(service="one")
    times: dict[str, tuple[str | None, str]] = {}
    times |= {"off": (moment(1), moment(5)), "planned": (moment(4), moment(5)), "due": (moment(1), moment(1))}
    times |= {"far off": (moment(1), moment(9)), "unplanned": (None, moment(5))}
    rows = {
        name: a_transition(job, position=n, due_time=due, wake_time=wake)
        for n, (name, (due, wake)) in enumerate(times.items())
    }
    with store.batch() as batch:
        batch.insert_job(job)
        for row in rows.values():
            batch.insert_transition(row)
    found = store.put_off(moment(2), moment(6), 10, "one")
    assert {row[2] for row in found} == {rows["off"].transition_id, rows["unplanned"].transition_id}
    assert store.put_off(moment(2), moment(6), 10, "another") == []


def test_a_service_takes_up_its_own_jobs_that_have_or_want_a_worker_and_no_others(store: SqlJobStore) -> None:
    def stored(**fields: Any) -> str:
        job = a_job(**fields)
        commit(store, lambda batch: batch.insert_job(job))
        return job.job_id

    ours = [
        stored(service="one", worker_process_id=7),
        stored(service="one", current_state=JobState.UPDATING),
    ]
    stored(service="one")
    stored(service="one", worker_process_id=7, current_state=JobState.FINISHED)
    stored(service="another", worker_process_id=7)
    stored(service="another", current_state=JobState.UPDATING)
    assert store.jobs_with_workers("one") == ours


def test_a_loaded_job_has_what_is_needed_to_go_on(store: SqlJobStore) -> None:
    job = a_job()
    passed = [a_transition(job, position=n) for n in (1, 2)]
    switch = a_transition(
        job,
        position=None,
        trigger_type=TriggerType.OUTPUT_SWITCH,
        requested_proc_state="None",
        job_description=None,
    )
    last = replace(switch, transition_id="last")
    for row in (*passed, switch, last):
        settle(job, row)
    pending = [a_transition(job, position=n) for n in (5, 4)]
    superseded = a_transition(job, position=3, status=TransitionStatus.SUPERSEDED)
    with store.batch() as batch:
        batch.insert_job(job)
        for row in (*passed, switch, last, *pending, superseded):
            batch.insert_transition(row)
    loaded = store.load_jobs([job.job_id, "unknown"])
    assert list(loaded) == [job.job_id]
    assert loaded[job.job_id].job == job
    assert [row.position for row in loaded[job.job_id].pending] == [4, 5]
    assert loaded[job.job_id].passed == [*passed, last]


def test_jobs_that_wait_for_an_event_are_found_by_its_name(store: SqlJobStore) -> None:
    job = a_job()
    row = a_transition(job, trigger_type=TriggerType.EVENT, event_name="go", wake_time=None)
    with store.batch() as batch:
        batch.insert_job(job)
        batch.insert_transition(row)
    assert store.pending_event_names() == {"go"}
    assert store.pending_for_events(["stop", "go"]) == [("go", job.job_id, row.transition_id)]


def test_an_idempotency_key_is_remembered_once_and_expires(store: SqlJobStore) -> None:
    job = a_job()
    with store.batch() as batch:
        batch.insert_job(job)
        batch.remember_idempotency("key", "me", "hash", job.job_id, {"jobId": job.job_id}, created_time=NOON)
    found = store.find_idempotency([("key", "me"), ("key", "you")])
    assert list(found) == [("key", "me")]
    assert found["key", "me"] == ("hash", 201, job.job_id, {"jobId": job.job_id})
    with pytest.raises(ConflictError):
        commit(
            store,
            lambda batch: batch.remember_idempotency("key", "me", "other", None, None, created_time=NOON),
        )
    assert store.expire_idempotency(moment(1)) == 1
    assert store.find_idempotency([("key", "me")]) == {}


def test_who_claims_a_service_fences_who_was_it_before(database: Database) -> None:
    old, new = SqlJobStore(database), SqlJobStore(database)
    first = old.claim_service("one", process_id=1, url="http://one", now=NOON)
    job = a_job(service="one", epoch=7)
    with old.batch() as batch:
        batch.insert_job(job)
    second = new.claim_service("one", process_id=2, url="http://one", now=moment(1))
    assert (first, second) == (1, 2)
    with pytest.raises(ConflictError):
        commit(old, lambda batch: batch.update_job(replace(job, revision=2), 1, 7))
    with pytest.raises(ConflictError):
        commit(old, lambda batch: batch.insert_job(a_job(service="one")))
    with pytest.raises(ConflictError):
        old.beat("one", first, moment(2))
    new.beat("one", second, moment(2))
    assert JobReader(database).services()[0].alive_time == moment(2)
    commit(new, lambda batch: batch.update_job(replace(job, revision=2), 1, 7))


def test_outputs_variables_and_events_are_kept_in_order(store: SqlJobStore, reader: JobReader) -> None:
    job = a_job()
    output = OutputRecord(job.job_id, 1, "Out", "file", path="/a.wav", start_time=NOON)
    with store.batch() as batch:
        batch.insert_job(job)
        batch.upsert_output(output)
        for number in range(3):
            batch.append_event(EventRecord(moment(number), "job.state", job.job_id, {"n": number}))
        batch.set_variable("Studio", "A")
        batch.set_variable("Gone", 1)
    closed = replace(output, samples=480, closed=True)
    with store.batch() as batch:
        batch.upsert_output(closed)
        batch.remove_variable("Gone")
    assert reader.outputs(job.job_id) == [closed]
    assert reader.variables() == {"Studio": "A"}
    assert [(e.sequence, e.data["n"]) for e in reader.events_after(1).events] == [(2, 1), (3, 2)]
    assert store.prune_events(moment(2)) == 2
    assert (reader.oldest_event(), reader.newest_event()) == (3, 3)


def test_no_event_is_numbered_while_another_owner_numbers_events(postgres_url: str) -> None:
    with Database(postgres_url, busy_timeout_ms=100) as database:
        store, told = SqlJobStore(database), EventRecord(NOON, "event.raised", None, {})
        with database.writing() as other:
            other.exec_driver_sql(f"SELECT pg_advisory_xact_lock({EVENT_ORDER_LOCK})")
            with pytest.raises(UnavailableError, match="lock timeout"):
                commit(store, lambda batch: batch.append_event(told))
        commit(store, lambda batch: batch.append_event(told))
        assert [event.sequence for event in JobReader(database).events_after(0).events] == [1]
