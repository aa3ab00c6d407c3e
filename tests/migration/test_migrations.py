"""The migrations make exactly the tables that the code knows, both ways, and lose nothing on the way."""

from __future__ import annotations

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from jobengine.errors import ConflictError, SettingsError
from jobengine.history.database import Database
from jobengine.history.migrations import HEAD, alembic_config
from jobengine.history.store import SqlJobStore
from jobengine.history.tables import metadata
from jobengine.history.whole_jobs import WholeJobs
from tests.contract.history.records import a_job_with_history


def names(database: Database) -> dict[str, list[str]]:
    """Everything that the migrations made, by kind."""
    with database.reading() as connection:
        if database.is_sqlite:
            wanted = "SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite%' ORDER BY type, name"
        else:
            wanted = (
                "SELECT 'trigger', tgname::text FROM pg_trigger WHERE NOT tgisinternal "
                "UNION SELECT relkind::text, relname::text FROM pg_class "
                "WHERE relnamespace = 'public'::regnamespace "
                "UNION SELECT 'function', proname::text FROM pg_proc "
                "WHERE pronamespace = 'public'::regnamespace "
                "ORDER BY 1, 2"
            )
        found: dict[str, list[str]] = {}
        for kind, name in connection.exec_driver_sql(wanted):
            found.setdefault(kind, []).append(name)
        return found


def test_up_down_and_up_again_gives_the_same(database_url: str) -> None:
    with Database(database_url) as database:
        before = names(database)
        database.downgrade("base")
        left = {name for found in names(database).values() for name in found}
        assert {name for name in left if not name.startswith("alembic_version")} == set()
        database.upgrade()
        assert names(database) == before


def test_upgrading_again_keeps_what_is_there(database_url: str) -> None:
    with Database(database_url) as database:
        store = SqlJobStore(database)
        job, rows = a_job_with_history(store)
        database.upgrade()
        assert WholeJobs(database).get(job.job_id) == (job, rows)


def test_a_database_of_the_first_revision_keeps_its_rows_and_its_checks(database_url: str) -> None:
    with Database(database_url) as database:
        job, rows = a_job_with_history(SqlJobStore(database))
        database.downgrade("0001")
        database.upgrade()
        assert WholeJobs(database).get(job.job_id) == (job, rows)
        with pytest.raises(ConflictError, match="ck_jobs_current_state"), database.writing() as connection:
            connection.exec_driver_sql("UPDATE jobs SET current_state = 'Asleep'")


def test_the_head_that_a_start_asks_for_is_that_of_the_migrations() -> None:
    assert ScriptDirectory.from_config(alembic_config()).get_current_head() == HEAD


def test_alembic_sees_nothing_to_change(database_url: str) -> None:
    config = alembic_config()
    with Database(database_url) as database, database.writing() as connection:
        config.attributes["connection"] = connection
        command.check(config)


def test_the_checks_are_those_of_the_lifecycle(sqlite_url: str) -> None:
    with Database(sqlite_url) as database, database.reading() as connection:
        for table in metadata.sorted_tables:
            made = {(c["name"], c["sqltext"]) for c in inspect(connection).get_check_constraints(table.name)}
            known = {
                (str(c.name), str(c.sqltext))  # type: ignore[attr-defined]
                for c in table.constraints
                if type(c).__name__ == "CheckConstraint"
            }
            assert made == known


@pytest.mark.parametrize(
    ("revision", "sentence"), [("base", "has no tables yet"), ("old", "at revision old")]
)
def test_a_database_that_is_not_at_head_is_refused_with_what_to_do(
    database_url: str, revision: str, sentence: str
) -> None:
    with Database(database_url) as database:
        database.check_head()
        if revision == "base":
            database.downgrade("base")
        else:
            with database.writing() as connection:
                connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'old'")
        with pytest.raises(SettingsError, match=f"{sentence}.*jobengine db upgrade"):
            database.check_head()


def test_a_migration_that_fails_leaves_nothing(database_url: str) -> None:
    with Database(database_url) as database:
        database.downgrade("base")
        with database.writing() as connection:
            connection.exec_driver_sql("CREATE TABLE variables (name TEXT)")
        before = names(database)
        with pytest.raises(Exception, match="variables"):
            database.upgrade()
        assert names(database) == before
