"""The audit finds whoever got past the database's own guard."""

from __future__ import annotations

from hashlib import sha256

import pytest
import rfc8785

from jobengine.errors import NotFoundError
from jobengine.history.audit import export, verify
from jobengine.history.database import Database
from jobengine.history.store import SqlJobStore
from jobengine.model.chain import row_hash
from jobengine.model.lifecycle import TransitionStatus
from tests.contract.history.records import a_job, a_job_with_history, a_transition, settle

SQLITE_GUARDS = (
    "transitions_settled_no_update",
    "transitions_settled_no_delete",
    "transitions_settled_no_replace",
    "transitions_settled_no_update_replace",
    "jobs_with_history_no_delete",
)


def tamper(database: Database, *statements: str) -> None:
    """Change the database as its owner could: without triggers and foreign keys."""
    with database.writing() as connection:
        if database.is_sqlite:
            for name in SQLITE_GUARDS:
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
            connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        else:
            for table in ("transitions", "jobs"):
                connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
        for statement in statements:
            connection.exec_driver_sql(statement)


COLUMNS = (
    "job_id, position, trigger_type, requested_proc_state, trigger, job_description, resolved, info, actor, "
    "created_time, event_name, due_time, wake_time, status, time_stamp, lateness_ms, current_proc_state, "
    "stream_position, superseded_by, previous_hash, hash"
)
INSERTED = (
    f"INSERT INTO transitions (transition_id, sequence, {COLUMNS}) "
    f"SELECT 'forged', 6, {COLUMNS} FROM transitions WHERE sequence = 5"
)
SWAPPED = (
    "UPDATE transitions SET sequence = 99 WHERE sequence = 2",
    "UPDATE transitions SET sequence = 2 WHERE sequence = 3",
    "UPDATE transitions SET sequence = 3 WHERE sequence = 99",
)


def test_an_untouched_history_is_intact(database: Database, store: SqlJobStore) -> None:
    for _ in range(3):
        a_job_with_history(store)
    with store.batch() as batch:
        batch.insert_job(a_job())
    result = verify(database)
    assert result.is_intact
    assert (result.jobs, result.rows) == (4, 15)


@pytest.mark.parametrize(
    ("changes", "kind", "sequence"),
    [
        (["UPDATE transitions SET actor = 'me' WHERE sequence = 2"], "changed", 2),
        (["UPDATE transitions SET lateness_ms = 0 WHERE sequence = 5"], "changed", 5),
        (["UPDATE transitions SET trigger = trigger || ' ' WHERE sequence = 1"], "changed", 1),
        (["UPDATE transitions SET trigger = 'nonsense' WHERE sequence = 1"], "changed", 1),
        (["DELETE FROM transitions WHERE sequence = 2"], "removed", 3),
        (["DELETE FROM transitions WHERE sequence = 1"], "removed", 2),
        (["DELETE FROM transitions WHERE sequence = 5"], "removed", 5),
        (["DELETE FROM transitions"], "removed", 1),
        ([INSERTED], "inserted", 6),
        (SWAPPED, "changed", 2),
    ],
)
def test_tampering_is_found(
    database: Database, store: SqlJobStore, changes: list[str], kind: str, sequence: int
) -> None:
    job, _ = a_job_with_history(store)
    tamper(database, *changes)
    found = verify(database, job.job_id).findings
    assert (kind, sequence) in [(finding.kind, finding.sequence) for finding in found]
    assert verify(database).findings == found


def test_a_row_forged_with_a_hash_of_its_own_breaks_the_chain(database: Database, store: SqlJobStore) -> None:
    job, rows = a_job_with_history(store)
    rows[2].actor = "me"
    forged = row_hash(rows[2], rows[2].previous_hash)
    tamper(database, f"UPDATE transitions SET actor = 'me', hash = '{forged}' WHERE sequence = 3")
    assert [(f.kind, f.sequence) for f in verify(database, job.job_id).findings] == [("moved", 4)]


def test_a_last_row_forged_with_a_hash_of_its_own_is_not_the_head(
    database: Database, store: SqlJobStore
) -> None:
    job, rows = a_job_with_history(store)
    rows[4].actor = "me"
    forged = row_hash(rows[4], rows[4].previous_hash)
    tamper(database, f"UPDATE transitions SET actor = 'me', hash = '{forged}' WHERE sequence = 5")
    assert [f.kind for f in verify(database, job.job_id).findings] == ["head"]


def test_text_moved_between_documents_is_found(database: Database, store: SqlJobStore) -> None:
    job = a_job()
    row = a_transition(job, info={"x": 1}, job_description={"a": 1, "jobDescription": 5})
    settle(job, row)
    with store.batch() as batch:
        batch.insert_job(job)
        batch.insert_transition(row)
    # Put together, the canonical JSON reads the same as before.
    moved = """info = '{"x":1},"jobDescription":{"a":1', job_description = '5}'"""
    tamper(database, f"UPDATE transitions SET {moved}")
    assert not verify(database, job.job_id).is_intact


def test_a_changed_superseded_row_is_found(database: Database, store: SqlJobStore) -> None:
    job, _ = a_job_with_history(store)
    row = a_transition(job, status=TransitionStatus.SUPERSEDED, superseded_by="another")
    row.hash = row_hash(row, "")
    with store.batch() as batch:
        batch.insert_transition(row)
    assert verify(database).is_intact
    tamper(database, f"UPDATE transitions SET due_time = NULL WHERE transition_id = '{row.transition_id}'")
    assert [(f.kind, f.transition_id) for f in verify(database).findings] == [("changed", row.transition_id)]


def test_a_job_that_vanished_is_found(sqlite_url: str) -> None:
    with Database(sqlite_url) as database:
        job, _ = a_job_with_history(SqlJobStore(database))
        with database.engine.connect() as connection:
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
            connection.exec_driver_sql("DROP TRIGGER jobs_with_history_no_delete")
            connection.exec_driver_sql("DELETE FROM jobs")
            connection.invalidate()
        assert [(f.kind, f.job_id) for f in verify(database).findings] == [("orphan", job.job_id)]


def test_an_export_can_be_checked_with_other_tools(database: Database, store: SqlJobStore) -> None:
    job, _ = a_job_with_history(store)
    document = export(database, job.job_id)
    previous = ""
    for row in document["history"]:
        claimed = row.pop("hash")
        assert row["previousHash"] == previous
        assert sha256(rfc8785.dumps(row)).hexdigest() == claimed
        previous = claimed
    assert document["headHash"] == previous == document["job"]["historyHash"]
    assert document["verification"] == {"intact": True, "rows": 5, "findings": []}


def test_a_job_that_never_was_is_not_found(database: Database) -> None:
    with pytest.raises(NotFoundError):
        verify(database, "nobody")
