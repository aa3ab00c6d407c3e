"""The guard around every test sees what a test could leave behind."""

from __future__ import annotations

import socket
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest
import sqlalchemy
import zmq

from tests import leaks
from tests.waiting import wait_until


@contextmanager
def a_process() -> Iterator[None]:
    with subprocess.Popen(["sleep", "60"]) as process:
        yield
        process.kill()


@contextmanager
def a_thread() -> Iterator[None]:
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    yield
    end.set()
    thread.join()


@contextmanager
def a_listener() -> Iterator[None]:
    with socket.create_server(("127.0.0.1", 0)):
        yield


@contextmanager
def a_zeromq_context() -> Iterator[None]:
    with zmq.Context() as context, context.socket(zmq.PUB):
        yield


@contextmanager
def a_connection() -> Iterator[None]:
    engine = sqlalchemy.create_engine("sqlite://")
    leaks.watch_pools()
    with engine.connect():
        yield
    engine.dispose()


@pytest.mark.parametrize(
    ("thing", "words"),
    [
        (a_process, "child process"),
        (a_thread, "thread"),
        (a_listener, "listening socket"),
        (a_zeromq_context, "ZeroMQ context"),
        (a_connection, "database connection"),
    ],
)
def test_what_is_still_there_is_seen(thing: Callable[[], AbstractContextManager[None]], words: str) -> None:
    before = leaks.footprint()
    with thing():
        wait_until(lambda: any(words in name for name in leaks.footprint() - before), f"{words} is seen")
    assert set() == leaks.leaked(before, leaks.NOTHING)


def test_an_open_file_of_the_test_is_seen(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        connection.execute("CREATE TABLE a (b)")
        assert {str(tmp_path / "a.db")} <= leaks.open_files(tmp_path)

    assert set() == leaks.open_files(tmp_path)


def test_what_a_wider_fixture_owns_is_no_leak() -> None:
    before = leaks.footprint()
    with a_listener():
        assert set() == leaks.leaked(before, leaks.footprint())
