"""What may be queued in the process is bounded in bytes, and room comes in pieces that are worth a waking."""

from __future__ import annotations

from threading import Event
from typing import Any

import pytest
import zmq

from jobengine.clock import SystemClock
from jobengine.messaging.sockets.departures import CREDIT_BYTES, PERIOD_BYTES, Departures
from jobengine.messaging.sockets.lane import Lane
from jobengine.messaging.sockets.pool import SinkPool
from jobengine.model.socket_options import SinkOptions
from jobengine.model.socket_url import writer_url


@pytest.fixture
def lane(zeromq: zmq.Context[Any]) -> Lane:
    """A lane that nobody receives from."""
    pool = SinkPool(zeromq, SystemClock())
    lane = pool.acquire(writer_url("dealer+connect:tcp://127.0.0.1:9"), SinkOptions(), "cam")
    pool.close()
    return lane


def test_credit_that_was_used_up_comes_back_when_half_has_left(lane: Lane) -> None:
    departures = Departures()
    left: list[Event] = []
    for _ in range(CREDIT_BYTES // PERIOD_BYTES):
        assert departures.has_credit
        assert departures.wants_mark(0)
        left.append(Event())
        departures.mark(zmq.MessageTracker(left[-1]), 0)
        departures.sent(lane, PERIOD_BYTES)
    assert not departures.has_credit
    seen: list[bool] = []
    for event in left:
        event.set()
        departures.look()
        seen.append(departures.has_credit)
    assert seen.index(True) == len(left) // 2
    assert all(seen[seen.index(True) :])
