"""Real services for tests: `jobengine serve` as a process tree, on a free port, in a folder of its own.

``new_service`` makes one (not started) and ends it after the test with everything it has started, workers
included. A module that shares one service among its tests makes it with `running_service`.
"""

from __future__ import annotations

import http.client
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import pytest

from jobengine.client import Client
from tests.ports import free_port
from tests.processes import await_end, has_ended, name_of
from tests.waiting import PATIENCE_S, wait_until

READY_CALL_TIMEOUT_S = 5.0
PARTS = ("proxy", "http", "engine")
"""What a service has beside its main process and the template; the proxy only with contents in files."""

NewService = Callable[..., "Service"]


class Service:
    """One service, whichever process tree it is at the moment. Settings are environment variables.

    ``settings`` are dotted with two underscores and without the prefix: ``engine__lead_ms=500``.
    """

    def __init__(self, data: Path, database_url: str | None = None, **settings: object) -> None:
        self.data = data
        self.port = free_port()
        self.log = data / "service.log"
        self.database_url = database_url
        self.environment = _environment(data, database_url, settings)
        self.client = Client(f"http://127.0.0.1:{self.port}")
        self.process: subprocess.Popen[bytes] | None = None
        data.mkdir(parents=True, exist_ok=True)

    @property
    def media(self) -> Path:
        """The folder of relative media paths."""
        return self.data / "media"

    def start(self, *options: str) -> Service:
        """Start and wait until it is ready."""
        self.launch(*options)
        wait_until(self.is_ready, f"the service is ready; its log: {self.log}")
        return self

    def launch(self, *options: str) -> subprocess.Popen[bytes]:
        """Start without waiting."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jobengine", "serve", "--port", str(self.port), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment,
            )
        return self.process

    def stop(self) -> int:
        """SIGTERM, and wait for the end; the exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to the main process; returns when template, proxy, http and engine are gone too."""
        template = self.template_process()
        tree = [template, *(p for p in template.children() if name_of(p) in PARTS)]
        self._end(signal.SIGKILL)
        await_end(tree, "all parts have ended")

    def engine_process(self) -> psutil.Process:
        """The process that decides."""
        return self._part("engine")

    def nursery_process(self) -> psutil.Process:
        """The process that forks workers: the first is the main process's child, any later the engine's."""
        assert self.process is not None
        parents = (psutil.Process(self.process.pid), self.engine_process())
        (nursery,) = [p for parent in parents for p in parent.children() if name_of(p) == "nursery"]
        return nursery

    def http_process(self) -> psutil.Process:
        """The process that answers."""
        return self._part("http")

    def template_process(self) -> psutil.Process:
        """The process that the others are forked from."""
        return self._part("template")

    def proxy_process(self) -> psutil.Process:
        """The process that has the port, where contents are in files."""
        return self._part("proxy")

    def http(self, **options: Any) -> httpx.Client:
        """A client of the bare API, the caller's to close. It waits as long as the tests do."""
        return httpx.Client(**{"base_url": self.client.url, "timeout": PATIENCE_S, **options})

    def processes(self) -> list[psutil.Process]:
        """Every living process of this service, workers included, also those of former starts."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def cli(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """A command of the command line, with the settings of this service."""
        return subprocess.run(
            [sys.executable, "-m", "jobengine", *arguments],
            input=stdin,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    def sql(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows read past the service, as any SQL tool would; values for ``?``."""
        if self.database_url is not None and self.database_url.startswith("postgresql"):
            with psycopg.connect(self.database_url) as connection:
                return connection.execute(statement.replace("?", "%s").encode(), values).fetchall()
        path = self.data / "jobengine.sqlite3"
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            return connection.execute(statement, values).fetchall()

    def remove(self) -> None:
        """End everything that this service has started."""
        if self.process is not None and self.process.poll() is None:
            self.stop()
        self.client.close()
        left = self.processes()
        for process in left:
            process.kill()
        await_end(left, "all that was left has ended")

    def _end(self, number: int) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        try:
            return self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def is_ready(self) -> bool:
        """Whether it answers and all its parts work. Raises RuntimeError, with its log, if it has ended."""
        assert self.process is not None
        if self.process.poll() is not None:
            raise RuntimeError(f"the service ended with {self.process.returncode}: {self.log.read_text()}")
        # Not by the client, which pauses between its tries.
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=READY_CALL_TIMEOUT_S)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _part(self, name: str) -> psutil.Process:
        assert self.process is not None
        (template,) = [p for p in psutil.Process(self.process.pid).children() if name_of(p) == "template"]
        (part,) = [p for p in (template, *template.children()) if name_of(p) == name]
        return part

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return not has_ended(process) and process.environ().get("JOBENGINE_DATA") == str(self.data)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return False


@contextmanager
def running_service(data: Path, *options: str, **settings: Any) -> Iterator[Service]:
    """A service that runs as long as the block, or as the tests in it let it."""
    service = Service(data, **settings)
    try:
        yield service.start(*options)
    finally:
        service.remove()


@pytest.fixture
def new_service(tmp_path: Path) -> Iterator[NewService]:
    """Makes services, each in a folder of its own unless ``data`` is given; ends them after the test."""
    made: list[Service] = []

    def make(database_url: str | None = None, data: Path | None = None, **settings: object) -> Service:
        service = Service(data or tmp_path / f"service-{len(made)}", database_url, **settings)
        made.append(service)
        return service

    yield make
    for service in made:
        service.remove()
        if service.log.exists():
            print(f"--- the end of {service.log}:\n{service.log.read_text()[-4000:]}")


def _environment(data: Path, database_url: str | None, settings: dict[str, object]) -> dict[str, str]:
    given = {"engine__orphan_grace_s": 120, **settings}
    variables = {f"JOBENGINE_{name.upper()}": str(value) for name, value in given.items()}
    if database_url is not None:
        variables["JOBENGINE_DATABASE_URL"] = database_url
    return {**os.environ, "JOBENGINE_DATA": str(data), "NO_COLOR": "1", **variables}
