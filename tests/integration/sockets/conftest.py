"""Sockets in one process: a context, a folder for Unix sockets with short paths, stock pyzmq peers."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq


@pytest.fixture(scope="session", autouse=True)
def _buffers_go(zero_copy: None) -> None:
    """Every test here sends."""


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
