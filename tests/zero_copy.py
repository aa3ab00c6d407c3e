"""pyzmq lets buffers that were sent without a copy go in one thread for the whole process.

Tests that send over sockets of ours start it with a fixture of the session: else the first of them would
seem to leave it behind.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import zmq
from zmq.utils.garbage import gc

from tests.waiting import PATIENCE_S


@pytest.fixture(scope="session")
def zero_copy() -> Iterator[None]:
    """The thread runs as long as the session."""
    with zmq.Context() as context, context.socket(zmq.PAIR) as one, context.socket(zmq.PAIR) as other:
        one.bind("inproc://first")
        other.connect("inproc://first")
        tracker = one.send(zmq.Frame(b"", track=True, copy=False, copy_threshold=0), copy=False, track=True)
        other.recv()
        assert tracker is not None
        tracker.wait(PATIENCE_S)
    yield
    gc.stop()
