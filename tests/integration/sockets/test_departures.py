"""What may be queued in the process is bounded in bytes, and room comes in pieces that are worth a waking."""

from __future__ import annotations

from select import select
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


def test_credit_that_was_used_up_comes_back_when_half_has_left_and_that_rings(lane: Lane) -> None:
    departures = Departures()
    queued: list[memoryview] = []
    for count in range(CREDIT_BYTES // PERIOD_BYTES):
        assert departures.has_credit
        assert not departures.unmarked_bytes(0)
        queued.append(memoryview(b"topic"))
        departures.mark(queued[-1], 0)
        departures.sent(lane, count, PERIOD_BYTES)
    assert not departures.has_credit
    seen: list[bool] = []
    rings: list[bool] = []
    for _ in range(len(queued)):
        queued.pop(0)
        rings.append(is_readable(departures))
        departures.look()
        assert not is_readable(departures)
        seen.append(departures.has_credit)
    assert seen.index(True) == rings.index(True) == len(seen) // 2
    assert all(seen[seen.index(True) :])
    assert rings.count(True) == 1
    departures.close()


def test_credit_is_not_used_up_by_what_has_left_by_then(lane: Lane) -> None:
    departures = Departures()
    for count in (1, 2):
        topic = memoryview(b"topic")
        departures.mark(topic, 0)
        del topic
        departures.sent(lane, count, CREDIT_BYTES // 2)
    assert departures.has_credit
    departures.close()


def test_what_is_let_go_of_behind_the_closing_rings_nobody(lane: Lane) -> None:
    departures = Departures()
    topic = memoryview(b"topic")
    departures.mark(topic, 0)
    departures.sent(lane, 1, CREDIT_BYTES)
    departures.sent(lane, 2, 1)
    departures.close()
    departures.close()
    del topic
    assert not departures.has_credit


def is_readable(departures: Departures) -> bool:
    """Whether it rings."""
    return bool(select((departures.descriptor,), (), (), 0)[0])
