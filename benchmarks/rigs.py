"""The real thing, started for a benchmark: an engine process alone, or a whole service over HTTP."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import zmq

from benchmarks.processes import cpu_seconds
from jobengine.app.targets import run_engine
from jobengine.app.template import TemplateFork
from jobengine.errors import UnavailableError
from jobengine.history.database import Database
from jobengine.messaging.addresses import addresses
from jobengine.messaging.engine_client import EngineClient
from jobengine.messaging.engine_messages import Accepted, AnyRequest, ReadProgress, answer_decoder, encode
from jobengine.ready_word import ReadyWords
from jobengine.settings import EngineSettings, LogSettings, Settings
from tests.waiting import wait_until

HOST = "bench"
QUIET_S = 0.5
"""So long what is at rest uses no more than `QUIET_SHARE` of a core."""
QUIET_SHARE = 0.05


def accepted(packed: bytes) -> Accepted:
    """The engine's answer. Raises RuntimeError if it refuses."""
    answer = answer_decoder.decode(packed)
    if not isinstance(answer, Accepted):
        raise RuntimeError(f"refused: {answer}")
    return answer


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
        self._socket.setsockopt(zmq.RCVTIMEO, 30_000)
        self._socket.connect(self._address)

    def wait_ready(self) -> None:
        """Until it answers; at most 60 s."""
        client = EngineClient(self._context, self._address, 60_000)
        wait_until(partial(_answers, client), "the engine answers")
        client.close()

    def wait_quiet(self) -> None:
        """Until what the engine starts beside itself has begun, whose imports would share the cores with what
        is measured; at most 60 s.
        """
        wait_until(self._is_quiet, "the engine and its nursery rest")

    def drive(self, requests: Sequence[bytes], window: int) -> list[bytes]:
        """Send everything with ``window`` requests in flight; the packed answers, each after its commit."""
        answers: list[bytes] = []
        for number, request in enumerate(requests):
            if number >= window:
                answers.append(self._take())
            self._socket.send(request)
        while len(answers) < len(requests):
            answers.append(self._take())
        return answers

    def close(self) -> None:
        self._socket.close()
        self._context.destroy(linger=0)

    def _take(self) -> bytes:
        try:
            return self._socket.recv()
        except zmq.Again:
            raise RuntimeError("the engine has not answered for 30 s") from None

    def _is_quiet(self) -> bool:
        engine = psutil.Process(self.process_id)
        before = cpu_seconds([engine.pid, *(child.pid for child in engine.children(recursive=True))])
        time.sleep(QUIET_S)
        after = cpu_seconds([engine.pid, *(child.pid for child in engine.children(recursive=True))])
        return after - before < QUIET_S * QUIET_SHARE


@contextmanager
def engine_process(data: Path, database_url: str | None = None) -> Iterator[EngineRig]:
    """A migrated database and an engine in a process of its own, with its nursery at rest."""
    settings = bench_settings(data, database_url)
    (data / "media").mkdir(parents=True, exist_ok=True)
    with Database(settings.database) as database:
        database.upgrade()
    with started_engine(settings) as rig:
        rig.wait_quiet()
        yield rig


@contextmanager
def started_engine(settings: Settings) -> Iterator[EngineRig]:
    """An engine over a database that is there, forked from a template as in a service."""
    words = ReadyWords()
    process = TemplateFork(target=run_engine, args=(settings, False, words.mouth), name="engine")
    process.start()
    rig = EngineRig(settings, process.pid or 0)
    try:
        rig.wait_ready()
        yield rig
    finally:
        rig.close()
        waiting = _children_of(rig.process_id)
        process.terminate()
        process.join(20)
        if process.is_alive():
            process.kill()
            process.join()
        psutil.wait_procs(waiting, timeout=20)  # until then they may write into the folder
        words.close()


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

    def wait_state(self, job_id: str, state: str) -> dict[str, Any]:
        """The job once it is in ``state``."""

        def look() -> Any:
            job = self.call("GET", f"/api/jobs/{job_id}")
            if job["currentState"] in ("Error", "Terminated") and job["currentState"] != state:
                raise RuntimeError(f"the job ended: {job['statusMessage']}")
            return job if job["currentState"] == state else None

        found: dict[str, Any] = wait_until(look, f"job {job_id} is {state}")
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
        wait_until(rig.is_up, "the service answers")
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


def _children_of(process_id: int) -> list[psutil.Process]:
    """Of a process that may have ended: its nursery, and the workers that wait for jobs."""
    try:
        return psutil.Process(process_id).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _answers(client: EngineClient) -> bool:
    try:
        client.ask(ReadProgress)
    except UnavailableError:
        return False
    return True
