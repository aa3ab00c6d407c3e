"""A service for one demo: started on a free port, stopped at the end, its log in a file."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jobengine.cli.failure import CommandFailed
from jobengine.client import Client
from jobengine.client.deadline import Deadline
from jobengine.errors import UnavailableError

READY_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 60.0
_LOOK_AGAIN_S = 0.1


@contextmanager
def own_service(data: Path) -> Iterator[Client]:
    """A client of a service that lives as long as the block. Raises CommandFailed if it does not start."""
    data.mkdir(parents=True, exist_ok=True)
    log, port = data / "service.log", _free_port()
    command = [sys.executable, "-m", "jobengine", "serve", "--data", str(data), "--host", "127.0.0.1"]
    settings = {name: value for name, value in os.environ.items() if not name.startswith("JOBENGINE_")}
    with log.open("ab") as stderr, Client(f"http://127.0.0.1:{port}") as client:
        process = subprocess.Popen(
            [*command, "--port", str(port), "--finish-jobs"], stdout=stderr, stderr=stderr, env=settings
        )
        try:
            _wait_until_ready(client, process, log)
            yield client
        except UnavailableError as error:
            raise CommandFailed("the service went away", reasons=(error.detail, *_last_lines(log))) from error
        finally:
            _stop(process)


def _wait_until_ready(client: Client, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline, pause = Deadline(READY_TIMEOUT_S), threading.Event()
    while not deadline.is_over():
        if process.poll() is not None:
            raise CommandFailed("the service did not start", reasons=tuple(_last_lines(log)))
        try:
            if client.readiness()["ready"]:
                return
        except UnavailableError:
            pass  # not listening yet
        pause.wait(_LOOK_AGAIN_S)
    raise CommandFailed(
        f"the service was not ready in {READY_TIMEOUT_S:g} s", reasons=tuple(_last_lines(log))
    )


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _last_lines(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
