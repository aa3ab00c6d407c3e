"""The connection to the database: SQLite in a file, or PostgreSQL.

Here are engines, transactions, and the mapping of database failures to our errors. What the statements say
and what migrations do is elsewhere in this folder.
"""

from __future__ import annotations

import select
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Self

from sqlalchemy import URL, Connection, Engine, create_engine, event, exc, inspect, make_url

from jobengine.errors import ConflictError, DocumentError, Fault, SettingsError, UnavailableError
from jobengine.history import migrations
from jobengine.model.query import contains

MIGRATION_LOCK = 0x6A6F6265
"""Key of the PostgreSQL advisory lock that lets one process migrate at a time."""

BY_KEY = (
    "-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off "
    "-c plan_cache_mode=force_generic_plan"
)
"""Writers find rows by their key. A plan made while a table was small would go on reading all of it, as plans
are kept until the table is analysed; so whatever the rows are, one plan does, and is made once."""

WRITER_CACHE_KB = 16_384
"""Pages that a group changes are kept until its commit; of only 2 MB, many are written and read again."""
LIMIT_EXCEEDED = "54"
"""Class of PostgreSQL's SQLSTATE for what is too large, such as a text for its index."""
NOT_HANDED_OVER = ("Error binding parameter", "cannot adapt type")
"""How the errors of sqlite3 and psycopg begin where a value has a type that they don't know."""
WAL_LIMIT_PAGES = 65_536
"""Where SQLite itself moves the log of changes into the file, in the commit that passes it: 256 MB, of which
10,000 triggers among a million fill 200. `checkpoint` does so before, when nobody waits for it."""


class Database:
    """One database, with a writing and a reading side; thread-safe, opens connections when needed.

    url: ``sqlite:////folder/file.db`` or ``postgresql://user@host/name``. SQLite must be a file, because
    several processes share it. busy_timeout_ms: how long a write waits for another writer's lock.
    """

    def __init__(self, url: str, *, readers: int = 16, busy_timeout_ms: int = 5_000) -> None:
        self.url = _read_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._busy_timeout_ms = busy_timeout_ms
        self._writing = self._create_engine(read_only=False, pool_size=2)
        self._reading = self._create_engine(read_only=True, pool_size=readers)

    @property
    def file(self) -> Path | None:
        """The file of SQLite; None for a server."""
        return Path(self.url.database) if self.is_sqlite and self.url.database else None

    @property
    def engine(self) -> Engine:
        """The writing side, for compiling statements and for migrations."""
        return self._writing

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction, committed at the end and rolled back by any exception.

        Blocks up to ``busy_timeout_ms`` for another writer. Raises UnavailableError when the database
        does not answer and ConflictError when it refuses.
        """
        with refusals_translated(), self._writing.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent, read-only view. Raises UnavailableError."""
        with refusals_translated(), self._reading.begin() as connection:
            yield connection

    def checkpoint(self) -> None:
        """Put what SQLite has in its log of changes into the file; nothing to do for a server.

        Blocks for the disk, but neither readers nor another writer. Raises UnavailableError.
        """
        if not self.is_sqlite:
            return
        with refusals_translated(), closing(self._writing.raw_connection()) as connection:
            try:
                connection.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)")
            except self._writing.dialect.loaded_dbapi.Error as error:
                raise exc.DBAPIError("checkpoint", None, error) from error

    def revision(self) -> str | None:
        """The migration that the database is at; None when it is empty."""
        with self.reading() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()

    def check_head(self) -> None:
        """Raises SettingsError, with a sentence that says what to do, when migrations are not at head."""
        found = self.revision()
        if found is None:
            raise SettingsError(f"{self} has no tables yet: run 'jobengine db upgrade' first")
        if found != migrations.HEAD:
            raise SettingsError(
                f"{self} is at revision {found} but this jobengine needs {migrations.HEAD}: "
                "run 'jobengine db upgrade', or the jobengine that belongs to the database"
            )

    def upgrade(self, revision: str = "head") -> None:
        """Migrate up to ``revision``; one process at a time, all or nothing."""
        self._migrate(migrations.upgrade, revision)

    def downgrade(self, revision: str) -> None:
        """Migrate down to ``revision``; drops what the later revisions brought."""
        self._migrate(migrations.downgrade, revision)

    def close(self) -> None:
        """Close every connection that is not in use."""
        self._writing.dispose()
        self._reading.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __str__(self) -> str:
        return f"the database {self.url.render_as_string(hide_password=True)}"

    def _migrate(self, migrate: Callable[[Connection, str], None], revision: str) -> None:
        with self.writing() as connection:
            if not self.is_sqlite:
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
            migrate(connection, revision)

    def _create_engine(self, *, read_only: bool, pool_size: int) -> Engine:
        common = {"pool_size": pool_size, "max_overflow": 0, "pool_timeout": 10}
        if not self.is_sqlite:
            session = f"-c lock_timeout={self._busy_timeout_ms} "
            session += "-c default_transaction_read_only=on" if read_only else BY_KEY
            prepared = {} if read_only else {"prepare_threshold": 0}
            engine = create_engine(
                self.url,
                paramstyle="format",
                isolation_level="REPEATABLE READ" if read_only else "READ COMMITTED",
                connect_args={"connect_timeout": 5, "options": session, **prepared},
                **common,
            )
            _ask_suspicious(engine)
            return engine
        engine = create_engine(self.url, connect_args={"check_same_thread": False}, **common)
        _prepare_sqlite(engine, read_only=read_only, busy_timeout_ms=self._busy_timeout_ms)
        return engine


@contextmanager
def refusals_translated() -> Iterator[None]:
    """Turn what the driver raises into our errors."""
    try:
        yield
    except exc.IntegrityError as error:
        raise ConflictError(f"the database refuses: {_words(error)}") from error
    except (exc.DataError, UnicodeEncodeError, OverflowError) as error:
        raise _not_kept(error) from error
    except exc.DBAPIError as error:
        if _is_of_a_value(error.orig):
            raise _not_kept(error) from error
        raise UnavailableError(f"the database does not answer: {_words(error)}") from error
    except exc.TimeoutError as error:
        raise UnavailableError(f"the database does not answer: {_words(error)}") from error


def _not_kept(error: Exception) -> DocumentError:
    return DocumentError([Fault("", f"holds a value that the database can't keep: {_words(error)}")])


def _is_of_a_value(error: BaseException | None) -> bool:
    """Whether a driver does not know how to hand a value over, or a server has no room for one: that has no
    class of errors of its own."""
    state = getattr(error, "sqlstate", None)
    return (state or "").startswith(LIMIT_EXCEEDED) or str(error).startswith(NOT_HANDED_OVER)


def _words(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0]


def _read_url(text: str) -> URL:
    try:
        url = make_url(text)
    except exc.ArgumentError as error:
        raise SettingsError(f"{text!r} is not a database URL such as sqlite:////var/lib/x.db") from error
    if url.get_backend_name() == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() != "sqlite":
        raise SettingsError(f"{url.get_backend_name()} is not supported; use sqlite or postgresql")
    if url.database in (None, "", ":memory:"):
        raise SettingsError("an SQLite database must be a file, because several processes share it")
    return url


# Unless it knows how to adapt a value that is no number or text, the driver looks for that in several places:
# it takes longer than the rest of handing the value over, and rows are full of NULLs.
sqlite3.register_adapter(type(None), {None: None}.get)
sqlite3.register_adapter(bool, int)


def _prepare_sqlite(engine: Engine, *, read_only: bool, busy_timeout_ms: int) -> None:
    begin = "BEGIN" if read_only else "BEGIN IMMEDIATE"

    @event.listens_for(engine, "connect")
    def connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver must not open transactions of its own
        connection.execute(f"PRAGMA busy_timeout = {busy_timeout_ms}")
        if read_only:
            connection.execute("PRAGMA query_only = ON")
            connection.create_function("contains", 2, contains, deterministic=True)
        else:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute(f"PRAGMA cache_size = -{WRITER_CACHE_KB}")
            connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_LIMIT_PAGES}")

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        try:
            driver: Any = connection.connection.driver_connection
            driver.execute(begin)
        except engine.dialect.loaded_dbapi.Error as error:
            raise exc.DBAPIError(begin, None, error) from error


def _ask_suspicious(engine: Engine) -> None:
    """Ask a connection whether it lives only if the server has said something unasked, as it does at its end.

    Asking each would be a way to the server more for whatever it is used for.
    """

    @event.listens_for(engine, "checkout")
    def look(connection: Any, _record: Any, _proxy: Any) -> None:
        said = select.poll()
        said.register(connection.fileno(), select.POLLIN)
        if not said.poll(0):
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise exc.DisconnectionError("the server has closed it") from error
