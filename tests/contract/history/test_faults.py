"""The database goes away and comes back; the store says so and goes on."""

from __future__ import annotations

import os
import pwd
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from jobengine.errors import ConflictError, DocumentError, NotFoundError, SettingsError, UnavailableError
from jobengine.history.backup import backup, restore
from jobengine.history.database import Database
from jobengine.history.reader import JobReader
from jobengine.history.store import SqlJobStore
from tests.contract.history.records import a_job, a_job_with_history, commit
from tests.databases import PostgresServer
from tests.waiting import PATIENCE_MS


@pytest.fixture
def own_server(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer
) -> Iterator[PostgresServer]:
    """A server that the test may stop; ``postgres_server`` says whether there can be one."""
    folder = Path(postgres_server.folder.parent) / f"{postgres_server.folder.name}-own"
    folder.mkdir()
    if os.geteuid() == 0:
        owner = pwd.getpwnam("postgres")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    server = PostgresServer(folder)
    server.start()
    yield server
    server.stop()
    server.remove()


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_postgresql_that_was_restarted_is_used_again(own_server: PostgresServer, mode: str) -> None:
    with Database(own_server.url("postgres")) as database:
        database.upgrade()
        store, reader = SqlJobStore(database), JobReader(database)
        first, lost, second = a_job(), a_job(), a_job()
        commit(store, lambda batch: batch.insert_job(first))
        assert reader.get_job(first.job_id) == first
        own_server.stop(mode)
        with pytest.raises(UnavailableError):
            commit(store, lambda batch: batch.insert_job(lost))
        with pytest.raises(UnavailableError):
            reader.get_job(first.job_id)
        own_server.start()
        commit(store, lambda batch: batch.insert_job(second))
        assert reader.get_job(second.job_id) == second
        assert reader.get_job(first.job_id) == first
        with pytest.raises(NotFoundError):
            reader.get_job(lost.job_id)


def test_connections_that_were_cut_between_two_uses_are_made_again(postgres_url: str) -> None:
    with Database(postgres_url) as database, Database(postgres_url) as other:
        store, reader = SqlJobStore(database), JobReader(database)
        commit(store, lambda batch: batch.insert_job(a_job()))
        assert reader.count_jobs() == 1
        with other.reading() as connection:
            cut = f"SELECT pg_terminate_backend(pid, {PATIENCE_MS}) FROM pg_stat_activity "
            others = "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            assert set(connection.exec_driver_sql(cut + others).scalars()) == {True}
        commit(store, lambda batch: batch.insert_job(a_job()))
        assert reader.count_jobs() == 2


def test_an_sqlite_file_locked_beyond_the_timeout_is_unavailable_until_it_is_free(sqlite_url: str) -> None:
    with Database(sqlite_url, busy_timeout_ms=100) as database:
        store, reader = SqlJobStore(database), JobReader(database)
        job = a_job()
        with closing(sqlite3.connect(str(database.url.database), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(UnavailableError, match="locked"):
                commit(store, lambda batch: batch.insert_job(job))
            assert reader.list_jobs().jobs == []
        commit(store, lambda batch: batch.insert_job(job))
        assert reader.get_job(job.job_id) == job


def test_every_transaction_is_on_disk_when_it_is_committed(sqlite_url: str) -> None:
    with Database(sqlite_url) as database, database.writing() as connection:
        settings = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert settings == ["wal", 2, 1]


def test_a_backup_is_made_in_use_and_restored(sqlite_url: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    with Database(sqlite_url) as database:
        store, reader = SqlJobStore(database), JobReader(database)
        job, rows = a_job_with_history(store)
        backup(database, copy)
        later = a_job()
        commit(store, lambda batch: batch.insert_job(later))
        with pytest.raises(ConflictError, match="there already"):
            backup(database, copy)
        restore(database, copy)
        assert (reader.get_job(job.job_id), reader.history(job.job_id)) == (job, rows)
        assert reader.count_jobs() == 1


def test_only_a_backup_is_restored(sqlite_url: str, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    other.write_bytes(b"not a database at all" * 100)
    with Database(sqlite_url) as database:
        with pytest.raises(SettingsError, match="not a backup"):
            restore(database, other)
        with pytest.raises(NotFoundError):
            restore(database, tmp_path / "missing.db")


def test_postgresql_is_backed_up_by_its_own_tools(postgres_url: str, tmp_path: Path) -> None:
    with Database(postgres_url) as database, pytest.raises(SettingsError, match="pg_dump"):
        backup(database, tmp_path / "copy.db")


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://host/name", "nonsense"])
def test_a_database_that_can_not_be_used_is_refused_with_a_reason(url: str) -> None:
    with pytest.raises(SettingsError):
        Database(url)


def test_text_too_large_for_an_index_is_no_outage(database: Database) -> None:
    if database.is_sqlite:
        pytest.skip("has no such limit")
    insert = (
        "DO $$ BEGIN CREATE TEMPORARY TABLE names (name text PRIMARY KEY) ON COMMIT DROP; INSERT INTO names "
        "SELECT string_agg(md5(number::text), '') FROM generate_series(1, 1000) AS number; END $$"
    )
    with pytest.raises(DocumentError, match="can't keep"), database.writing() as connection:
        connection.exec_driver_sql(insert)


def test_value_of_a_type_that_the_driver_does_not_know_is_no_outage(database: Database) -> None:
    place = "?" if database.is_sqlite else "%s"
    with pytest.raises(DocumentError, match="can't keep"), database.writing() as connection:
        connection.exec_driver_sql(f"SELECT {place}", (object(),))
