"""Redis for tests: a private server for the session, a prefix of its own for each test.

The server listens on a socket in a folder of its own, keeps nothing on disk, and is gone afterwards. A test
that stops, kills or fills a server makes one with `running`. Use the fixture ``redis_url``.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from jobengine.ids import new_id
from tests.needs import need
from tests.waiting import PATIENCE_S, wait_until


class RedisServer:
    """A private server on a socket. ``settings`` are those of redis.conf, as words of the command line."""

    def __init__(self, folder: Path, *settings: str) -> None:
        self.folder = folder
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.folder / "redis.sock"

    def url(self, prefix: str) -> str:
        """The URL of the store with this prefix."""
        return f"unix://{self.socket}?prefix={prefix}"

    def start(self) -> None:
        """Start and wait until it answers."""
        command = ["redis-server", "--port", "0", "--unixsocket", str(self.socket), "--dir", str(self.folder)]
        command += ["--save", "", "--daemonize", "no", "--hz", "100", *self._settings]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(self._answers, f"redis-server, see {self.folder / 'log'}")

    def stop(self, signal_number: int = signal.SIGTERM) -> None:
        """End it and wait; SIGKILL is like a crash. Idempotent."""
        if self._process is not None:
            self._process.send_signal(signal_number)
            self._process.wait(timeout=PATIENCE_S)
            self._process = None
            self.socket.unlink(missing_ok=True)

    @contextmanager
    def client(self) -> Iterator[redis.Redis]:
        """A client of its own for what a test does behind the store's back."""
        client = redis.Redis(unix_socket_path=str(self.socket))
        try:
            yield client
        finally:
            client.close()

    def _answers(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise RuntimeError(f"redis-server ended: {(self.folder / 'log').read_text()}")
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False


@contextmanager
def running(*settings: str) -> Iterator[RedisServer]:
    """A server with these settings; skips the test where there is no Redis."""
    need("redis-server")
    folder = Path(tempfile.mkdtemp(prefix="jobengine-redis-"))
    try:
        server = RedisServer(folder, *settings)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """The session's server."""
    with running() as server:
        yield server


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """A new and empty store."""
    return redis_server.url(new_id())
