"""Databases for tests: SQLite files, and PostgreSQL on a private server.

The server is started once per session in a folder of its own, on a free port of the loopback, and is gone
afterwards. Each test gets a fresh database, cloned from one that was migrated once. Use the fixtures
``sqlite_url``, ``postgres_url`` and ``database_url`` (a test with the last runs on both).
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from jobengine.history.database import Database
from jobengine.ids import new_id
from jobengine.testing.empty_database import new_database
from tests.needs import need
from tests.ports import free_port
from tests.waiting import PATIENCE_S

SERVER_USER = "postgres"
"""Who runs the server when the tests run as root, which PostgreSQL refuses."""


class PostgresServer:
    """A private PostgreSQL server, trusted on the loopback only; new, or over a copy of ``kept``, the
    ``data`` of one that was stopped. ``settings`` are those of postgresql.conf.
    """

    def __init__(self, folder: Path, kept: Path | None = None, settings: tuple[str, ...] = ()) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.port = free_port()
        self._settings = ("listen_addresses=127.0.0.1", "max_connections=100", *settings)
        self._programs = _find_programs()
        if kept is not None:
            subprocess.run(["cp", "-a", str(kept), str(self.data)], check=True)
            subprocess.run(["sync", "-f", str(self.data)], check=True)
            return
        self._run("initdb", "-D", str(self.data), "-U", "jobengine", "-A", "trust", "-E", "UTF8", "--no-sync")

    def start(self) -> None:
        """Start and wait until it answers."""
        options = " -c ".join((f"-p {self.port} -k {self.folder}", *self._settings))
        self._control("start", "-w", "-t", f"{PATIENCE_S:.0f}", "-l", str(self.folder / "log"), "-o", options)

    def stop(self, mode: str = "fast") -> None:
        """Cut every connection and stop; ``immediate`` is like a crash."""
        self._control("stop", "-m", mode, "-w", "-t", f"{PATIENCE_S:.0f}")

    def remove(self) -> None:
        """Delete the folder with everything in it; the server must be stopped."""
        shutil.rmtree(self.folder)

    def url(self, database: str) -> str:
        """The URL of ``database``."""
        return f"postgresql://jobengine@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str) -> None:
        """Run an administrator's statement."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    def _control(self, *arguments: str) -> None:
        self._run("pg_ctl", "-D", str(self.data), *arguments)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", SERVER_USER, "--", *command]
        done = subprocess.run(
            command,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE_S,
            check=False,
            text=True,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{program} failed: {done.stdout}")


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A migrated SQLite database of the test's own."""
    return new_database(tmp_path / "jobs.db")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The session's server, with a migrated database ``template`` to clone."""
    need("postgresql")
    folder = Path(tempfile.mkdtemp(prefix="jobengine-pg-"))
    try:
        if os.geteuid() == 0:
            owner = pwd.getpwnam(SERVER_USER)
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        # Tests end processes, not the machine: what the kernel has outlives them.
        # Nobody but the tests takes locks or reads rows.
        server = PostgresServer(folder, settings=("fsync=off", "autovacuum=off"))
        server.start()
        try:
            server.execute("CREATE DATABASE template")
            _migrated(server.url("template"))
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A migrated PostgreSQL database of the test's own."""
    name = f"test_{new_id().replace('-', '')}"
    postgres_server.execute(f"CREATE DATABASE {name} TEMPLATE template STRATEGY file_copy")
    yield postgres_server.url(name)
    postgres_server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated database of the test's own, once of each kind."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


def _migrated(url: str) -> str:
    with Database(url) as database:
        database.upgrade()
    return url


def _find_programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).parent if on_path else Path()
