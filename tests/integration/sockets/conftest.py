"""Sockets in one process: a context, a folder for Unix sockets with short paths, stock pyzmq peers."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq
from zmq.utils.garbage import gc


@pytest.fixture(scope="session", autouse=True)
def zero_copy() -> Iterator[None]:
    """pyzmq lets buffers that were sent without a copy go in one thread for the whole process."""
    with zmq.Context() as context, context.socket(zmq.PAIR) as one, context.socket(zmq.PAIR) as other:
        one.bind("inproc://first")
        other.connect("inproc://first")
        tracker = one.send(zmq.Frame(b"", track=True, copy=False, copy_threshold=0), copy=False, track=True)
        other.recv()
        assert tracker is not None
        tracker.wait(5)
    yield
    gc.stop()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose paths fit into Unix socket addresses."""
    path = Path(tempfile.mkdtemp(prefix="je-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def zeromq() -> Iterator[zmq.Context[Any]]:
    """A context; it can only end when all its sockets are closed."""
    context: zmq.Context[Any] = zmq.Context()
    yield context
    context.term()
