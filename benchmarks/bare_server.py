"""The least that a durable POST can be: Flask under granian that reads the JSON and inserts one row.

One writer behind a lock and one commit per call, with the same durability as ours; nothing is validated,
nothing is decided, nothing is read back.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from flask import Flask, Response, request
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server.mp import MPServer

from benchmarks.http_load import post_many
from benchmarks.rigs import free_port
from tests.waiting import wait_until

THREADS = 96
"""As many as ours has by default."""


@contextmanager
def bare_server(database_url: str) -> Iterator[int]:
    """The server over a database of its own; its port."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.bare_server", str(port), database_url]
    process = subprocess.Popen(command, cwd=Path(__file__).parent.parent)
    try:
        wait_until(partial(_is_up, port), "the bare server answers")
        yield port
    finally:
        process.terminate()
        process.wait(20)


def load(database_url: str) -> Callable[..., Any]:
    """The application."""
    insert = _sqlite(database_url) if database_url.startswith("sqlite") else _postgresql(database_url)
    application = Flask(__name__)
    lock = threading.Lock()

    @application.post("/jobs")
    def submit() -> Response:
        document = request.get_json()
        job_id = str(uuid.uuid4())
        with lock:
            insert((job_id, document.get("name", ""), request.get_data(as_text=True)))
        return Response(f'{{"jobId": "{job_id}"}}', 201, mimetype="application/json")

    return application


def _sqlite(url: str) -> Callable[[tuple[str, ...]], Any]:
    connection = sqlite3.connect(
        url.removeprefix("sqlite:///"), isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE IF NOT EXISTS jobs (job_id TEXT PRIMARY KEY, name TEXT, document TEXT)")
    return partial(connection.execute, "INSERT INTO jobs VALUES (?, ?, ?)")


def _postgresql(url: str) -> Callable[[tuple[str, ...]], Any]:
    connection = psycopg.connect(url, autocommit=True)
    connection.execute("CREATE TABLE IF NOT EXISTS jobs (job_id TEXT PRIMARY KEY, name TEXT, document TEXT)")
    return partial(connection.execute, "INSERT INTO jobs VALUES (%s, %s, %s)")


def _is_up(port: int) -> bool:
    try:
        post_many(port, "/jobs", b"{}", 1, 1)
    except (OSError, RuntimeError):
        return False
    return True


def main() -> None:
    """Serve on the given port until terminated."""
    port, url = sys.argv[1:]
    server = MPServer(
        "bare",
        address="127.0.0.1",
        port=int(port),
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=THREADS,
        log_level=LogLevels.error,
    )
    server.serve(target_loader=partial(load, url), wrap_loader=False)


if __name__ == "__main__":
    main()
