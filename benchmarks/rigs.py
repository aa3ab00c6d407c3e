"""The real thing, started for a benchmark: an engine process alone, or a whole service over HTTP."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import zmq

from jobengine.app.targets import run_engine
from jobengine.app.template import TemplateFork
from jobengine.errors import UnavailableError
from jobengine.history.database import Database
from jobengine.messaging.addresses import addresses
from jobengine.messaging.engine_client import EngineClient
from jobengine.messaging.engine_messages import Accepted, AnyRequest, ReadProgress, answer_decoder, encode
from jobengine.settings import EngineSettings, LogSettings, Settings
from tests.waiting import wait_until

HOST = "bench"


class EngineRig:
    """An engine process, asked over its request socket by a client that keeps many requests in flight."""

    def __init__(self, settings: Settings, process_id: int) -> None:
        self.settings = settings
        self.process_id = process_id
        self._context: zmq.Context[Any] = zmq.Context()
        self._address = addresses(settings.data).requests
        self._socket: zmq.Socket[bytes] = self._context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.SNDHWM, 100_000)
        self._socket.setsockopt(zmq.RCVHWM, 100_000)
        self._socket.connect(self._address)

    def wait_ready(self) -> None:
        """Until it answers; at most 60 s."""
        client = EngineClient(self._context, self._address, 60_000)
        wait_until(partial(_answers, client), 60, "the engine answers")
        client.close_thread()

    def drive(self, requests: Sequence[bytes], window: int) -> list[Accepted]:
        """Send everything with ``window`` requests in flight; the answers, each after its commit."""
        answers: list[Accepted] = []
        sent = 0
        while len(answers) < len(requests):
            while sent < len(requests) and sent - len(answers) < window:
                self._socket.send(requests[sent])
                sent += 1
            answers.append(self._take())
            while int(self._socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN:
                answers.append(self._take())
        return answers

    def close(self) -> None:
        self._socket.close()
        self._context.destroy(linger=0)

    def _take(self) -> Accepted:
        if not self._socket.poll(30_000):
            raise RuntimeError("the engine has not answered for 30 s")
        answer = answer_decoder.decode(self._socket.recv())
        if not isinstance(answer, Accepted):
            raise RuntimeError(f"refused: {answer}")
        return answer


@contextmanager
def engine_process(data: Path, database_url: str | None = None) -> Iterator[EngineRig]:
    """A migrated database and an engine in a process of its own."""
    settings = bench_settings(data, database_url)
    (data / "media").mkdir(parents=True, exist_ok=True)
    with Database(settings.database) as database:
        database.upgrade()
    with started_engine(settings) as rig:
        yield rig


@contextmanager
def started_engine(settings: Settings) -> Iterator[EngineRig]:
    """An engine over a database that is there, forked from a template as in a service."""
    process = TemplateFork(target=run_engine, args=(settings, False), name="engine")
    process.start()
    rig = EngineRig(settings, process.pid or 0)
    try:
        rig.wait_ready()
        yield rig
    finally:
        rig.close()
        process.terminate()
        process.join(20)
        if process.is_alive():
            process.kill()
            process.join()


def bench_settings(data: Path, database_url: str | None) -> Settings:
    """As a service has them by default, and quiet."""
    return Settings(
        data=data,
        database_url=database_url,
        engine=EngineSettings(processing_host=HOST),
        log=LogSettings(level="error"),
    )


def message(kind: type[AnyRequest], number: int, **members: Any) -> bytes:
    """A request, ready to send."""
    return encode(kind(request_id=f"request-{number}", actor="bench", **members))


class ServiceRig:
    """``jobengine serve`` on a free port."""

    def __init__(self, data: Path, port: int) -> None:
        self.data = data
        self.port = port
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The decoded answer; anything but success ends the benchmark."""
        packed = None if body is None else json.dumps(body)
        headers = {"Content-Type": "application/json"} if packed else {}
        self._connection.request(method, path, packed, headers)
        response = self._connection.getresponse()
        answered = response.read()
        if response.status >= 300:
            raise RuntimeError(f"{method} {path}: {response.status} {answered.decode()}")
        return json.loads(answered) if answered else None

    def wait_state(self, job_id: str, state: str, timeout_s: float = 60) -> dict[str, Any]:
        """The job once it is in ``state``."""

        def look() -> Any:
            job = self.call("GET", f"/api/jobs/{job_id}")
            if job["currentState"] in ("Error", "Terminated") and job["currentState"] != state:
                raise RuntimeError(f"the job ended: {job['statusMessage']}")
            return job if job["currentState"] == state else None

        found: dict[str, Any] = wait_until(look, timeout_s, f"job {job_id} is {state}")
        return found

    def is_up(self) -> bool:
        try:
            self.call("GET", "/readyz")
        except (OSError, http.client.HTTPException, RuntimeError):
            self._connection.close()
            return False
        return True


@contextmanager
def service(data: Path, database_url: str | None = None) -> Iterator[ServiceRig]:
    """A whole service; its workers are gone with it."""
    port = free_port()
    environment = {**os.environ, "JOBENGINE_LOG__LEVEL": "error", "JOBENGINE_ENGINE__PROCESSING_HOST": HOST}
    if database_url:
        environment["JOBENGINE_DATABASE_URL"] = database_url
    options = ["--data", str(data), "--port", str(port), "--finish-jobs"]
    process = subprocess.Popen(
        [sys.executable, "-m", "jobengine", "serve", *options],
        env=environment,
    )
    try:
        rig = ServiceRig(data, port)
        wait_until(rig.is_up, 30, "the service answers")
        yield rig
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """A TCP port of the loopback that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(client: EngineClient) -> bool:
    try:
        client.ask(ReadProgress)
    except UnavailableError:
        return False
    return True
