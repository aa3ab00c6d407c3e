"""Writers against stock pyzmq peers: order, confirmation, back-pressure, repetition, sharing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import zmq

from jobengine.errors import SinkError
from jobengine.messaging.sockets.lane import Lane
from jobengine.messaging.sockets.pool import SinkPool
from jobengine.model.socket_options import SinkOptions
from jobengine.model.socket_url import writer_url
from jobengine.ports.contents import Buffer
from jobengine.testing import ManualClock
from tests.waiting import PATIENCE_MS, wait_until

Peer = Callable[[int], "zmq.Socket[bytes]"]
BRIEF = SinkOptions(send_timeout_ms=100, send_retries=1, receive_timeout_ms=100, receive_retries=1)
OVER = timedelta(milliseconds=201)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def endpoint(folder: Path) -> str:
    return f"ipc://{folder}/peer"


@pytest.fixture
def peer(zeromq: zmq.Context[Any], endpoint: str) -> Iterator[Peer]:
    """Binds a stock socket at the endpoint."""
    sockets: list[zmq.Socket[bytes]] = []

    def bind(kind: int) -> zmq.Socket[bytes]:
        socket: zmq.Socket[bytes] = zeromq.socket(kind)
        sockets.append(socket)
        socket.setsockopt(zmq.RCVTIMEO, PATIENCE_MS)
        if kind == zmq.SUB:
            socket.setsockopt(zmq.SUBSCRIBE, b"")
        socket.bind(endpoint)
        return socket

    yield bind
    for socket in sockets:
        socket.close(linger=0)


@pytest.fixture
def pool(zeromq: zmq.Context[Any], clock: ManualClock) -> Iterator[SinkPool]:
    pool = SinkPool(zeromq, clock, ttl_s=60.0)
    yield pool
    pool.close()


Open = Callable[..., Lane]


@pytest.fixture
def open_lane(pool: SinkPool, endpoint: str) -> Open:
    """Opens a lane on a connecting socket of a type, for a topic of its own, and waits for its peer if there
    should be one."""

    topics = map("cam-{}".format, count())

    def open_(kind: str, options: SinkOptions = BRIEF, is_there: bool = True) -> Lane:
        lane = pool.acquire(writer_url(f"{kind}+connect:{endpoint}"), options, next(topics))
        if is_there:
            wait_until(lambda: lane.is_ready, "a peer")
        return lane

    return open_


def test_what_waits_for_a_peer_that_is_away_is_taken_back_and_the_next_one_arrives(
    open_lane: Open, peer: Peer, clock: ManualClock
) -> None:
    lane = open_lane("dealer", is_there=False)
    other = open_lane("dealer", is_there=False)
    for number in range(5):
        assert offer(lane, [b"topic", b"%d" % number])
    assert offer(other, [b"topic", b"other"])
    for _ in range(4):
        clock.advance(OVER)
        lane.poll()
    assert lane.has_open_circuit
    assert (lane.take_back(), lane.take_back()) == (5, 0)
    assert (lane.offered, lane.delivered) == (0, 0)
    assert offer(lane, [b"topic", b"next"])
    receiver = peer(zmq.ROUTER)
    poll_until(lane, clock, 1)
    assert [receiver.recv_multipart()[2] for _ in range(2)] == [b"other", b"next"]
    assert not lane.has_open_circuit


def test_an_answer_that_nobody_waits_for_any_more_is_no_answer(
    open_lane: Open, peer: Peer, clock: ManualClock
) -> None:
    receiver = peer(zmq.ROUTER)
    lane = open_lane("req")
    assert offer(lane, [b"topic", b"first"])
    asked = receiver.recv_multipart()
    assert lane.take_back() == 1
    receiver.send_multipart([*asked[:-2], b"OK"])
    assert offer(lane, [b"topic", b"second"])
    assert receiver.recv_multipart()[-1] == b"second"
    lane.poll()
    assert lane.delivered == 0


def offer(lane: Lane, frames: Sequence[Buffer], is_end: bool = False) -> bool:
    """Whether the lane has room for a message; then it has it."""
    if not lane.room:
        return False
    lane.offer((frames,), is_end)
    return True


def poll_until(lane: Lane, clock: ManualClock, delivered: int) -> None:
    """Drive a lane; the clock goes on by less than any limit."""

    def step() -> bool:
        clock.advance(timedelta(microseconds=100))
        lane.poll()
        return lane.delivered >= delivered

    wait_until(step, f"{delivered} delivered")


def test_a_dealer_delivers_in_order_and_waits_for_the_answer_to_an_end(
    peer: Peer, open_lane: Open, clock: ManualClock
) -> None:
    router = peer(zmq.ROUTER)
    lane = open_lane("dealer")
    assert offer(lane, (b"cam", b"meta", b"one"))
    assert offer(lane, (b"cam", b"meta", memoryview(b"x" * 100_000)))
    assert lane.delivered == 2
    assert offer(lane, (b"cam", b"end"), is_end=True)
    assert not offer(lane, (b"cam", b"more"))
    received = [router.recv_multipart() for _ in range(3)]
    assert [frames[1:] for frames in received] == [
        [b"cam", b"meta", b"one"],
        [b"cam", b"meta", b"x" * 100_000],
        [b"cam", b"end"],
    ]
    assert lane.delivered == 2
    router.send_multipart([received[-1][0], b"OK"])
    poll_until(lane, clock, 3)
    assert (lane.offered, lane.delivered, lane.safe) == (3, 3, 3)
    assert offer(lane, (b"cam", b"more"))


def test_an_end_without_an_answer_is_sent_again(peer: Peer, open_lane: Open, clock: ManualClock) -> None:
    router = peer(zmq.ROUTER)
    lane = open_lane("dealer")
    offer(lane, (b"cam", b"end"), is_end=True)
    assert router.recv_multipart()[1:] == [b"cam", b"end"]
    clock.advance(OVER)
    lane.poll()
    again = router.recv_multipart()
    assert again[1:] == [b"cam", b"end"]
    assert lane.retries == 1
    router.send_multipart([again[0], b"OK"])
    poll_until(lane, clock, 1)


def test_a_wrong_answer_fails_the_lane_and_no_other(peer: Peer, open_lane: Open, clock: ManualClock) -> None:
    router = peer(zmq.ROUTER)
    lane, other = open_lane("dealer"), open_lane("dealer")
    offer(lane, (b"cam", b"end"), is_end=True)
    router.send_multipart([router.recv_multipart()[0], b"NO"])
    with pytest.raises(SinkError, match="answered b'NO'"):
        poll_until(lane, clock, 1)
    other.poll()
    assert offer(other, (b"cam", b"more"))


def test_a_request_waits_for_every_answer(peer: Peer, open_lane: Open, clock: ManualClock) -> None:
    rep = peer(zmq.REP)
    lane = open_lane("req")
    assert offer(lane, (b"cam", b"one"))
    assert offer(lane, (b"cam", b"two"))
    assert lane.delivered == 0
    assert rep.recv_multipart() == [b"cam", b"one"]
    rep.send(b"whatever")
    poll_until(lane, clock, 1)
    assert rep.recv_multipart() == [b"cam", b"two"]
    rep.send(b"OK")
    poll_until(lane, clock, 2)
    assert lane.safe == 2


def test_a_request_without_an_answer_is_sent_again_to_whoever_comes(
    zeromq: zmq.Context[Any], endpoint: str, peer: Peer, open_lane: Open, clock: ManualClock
) -> None:
    deaf = peer(zmq.REP)
    lane = open_lane("req")
    assert offer(lane, (b"cam", b"one"))
    assert deaf.recv_multipart() == [b"cam", b"one"]
    deaf.close(linger=0)
    wait_until(lambda: not lane.is_ready, "the peer to go")
    rep = peer(zmq.REP)
    wait_until(lambda: lane.is_ready, "the next peer")
    clock.advance(OVER)
    lane.poll()
    assert rep.recv_multipart() == [b"cam", b"one"]
    rep.send(b"OK")
    poll_until(lane, clock, 1)
    assert lane.retries == 1


def test_nothing_is_taken_beyond_the_bound_while_no_peer_is_there(
    peer: Peer, open_lane: Open, clock: ManualClock
) -> None:
    options = SinkOptions(send_timeout_ms=100, send_retries=1, inflight_ops=3)
    lane = open_lane("dealer", options, is_there=False)
    taken = [offer(lane, (b"cam", b"%d" % n)) for n in range(5)]
    assert taken == [True, True, True, False, False]
    assert lane.delivered == 0
    clock.advance(OVER)
    lane.poll()
    assert lane.retries == 1
    router = peer(zmq.ROUTER)
    poll_until(lane, clock, 3)
    assert [router.recv_multipart()[-1] for _ in range(3)] == [b"0", b"1", b"2"]


def test_a_peer_that_stops_reading_holds_the_lane_up_and_nothing_is_lost(
    zeromq: zmq.Context[Any], peer: Peer, open_lane: Open, clock: ManualClock
) -> None:
    options = SinkOptions(send_hwm=2, inflight_ops=1)
    router = peer(zmq.ROUTER)
    router.setsockopt(zmq.RCVHWM, 2)
    lane = open_lane("dealer", options)
    payload = bytes(1 << 20)
    taken = 0
    while taken < 1000 and offer(lane, (b"cam", b"%d" % taken, payload)):
        taken += 1
    assert taken < 1000
    for n in range(taken):
        assert router.recv_multipart()[2] == b"%d" % n
        clock.advance(timedelta(milliseconds=5))
        lane.poll()
    assert lane.delivered == taken


def test_a_publisher_is_ready_when_somebody_has_subscribed(
    peer: Peer, open_lane: Open, clock: ManualClock
) -> None:
    lane = open_lane("pub", is_there=False)
    assert not lane.is_ready
    sub = peer(zmq.SUB)
    wait_until(lambda: sub.poll(1) or lane.is_ready, "a subscriber")
    for n in range(10):
        assert offer(lane, (b"cam", b"%d" % n))
    assert offer(lane, (b"cam", b"end"), is_end=True)
    assert lane.delivered == 11
    assert [sub.recv_multipart()[1] for _ in range(11)] == [b"%d" % n for n in range(10)] + [b"end"]


def test_a_closed_lane_takes_back_what_was_not_sent(open_lane: Open, peer: Peer, clock: ManualClock) -> None:
    gone, stays = open_lane("dealer", is_there=False), open_lane("dealer", is_there=False)
    offer(gone, (b"gone", b"1"))
    offer(stays, (b"stays", b"2"))
    gone.close()
    router = peer(zmq.ROUTER)
    poll_until(stays, clock, 1)
    assert router.recv_multipart()[1] == b"stays"


def test_equal_sinks_share_a_socket_until_it_was_unused_for_long(pool: SinkPool, clock: ManualClock) -> None:
    url = writer_url("dealer+connect:tcp://127.0.0.1:9")
    first, second = pool.acquire(url, BRIEF, "cam-1"), pool.acquire(url, BRIEF, "cam-2")
    other = pool.acquire(url, SinkOptions(), "cam-3")
    assert first.descriptors == second.descriptors
    assert first.descriptors != other.descriptors
    descriptors = first.descriptors
    first.close()
    clock.advance(timedelta(seconds=3600))
    pool.sweep()
    assert pool.acquire(url, BRIEF, "cam-4").descriptors == descriptors, "one lane still used it"
    second.close()
    clock.advance(timedelta(seconds=59))
    third = pool.acquire(url, BRIEF, "cam-5")
    assert third.descriptors == descriptors


@pytest.mark.parametrize("kind", ["dealer", "req", "pub"])
def test_a_dealer_that_was_superseded_for_a_topic_is_not_used_for_it_again(pool: SinkPool, kind: str) -> None:
    url = writer_url(f"{kind}+connect:tcp://127.0.0.1:9")
    first = pool.acquire(url, BRIEF, "cam")
    pool.acquire(url, SinkOptions(), "cam")
    assert pool.acquire(url, BRIEF, "another").descriptors == first.descriptors
    is_used_again = pool.acquire(url, BRIEF, "cam").descriptors == first.descriptors
    assert is_used_again is (kind != "dealer")


def test_a_topic_whose_end_was_confirmed_goes_over_another_dealer_next_time(
    pool: SinkPool, peer: Peer, open_lane: Open, endpoint: str
) -> None:
    """Another process may have sent it in between, and the router would refuse the first one from then on."""
    router, lane = peer(zmq.ROUTER), open_lane("dealer")
    offer(lane, (b"cam", b"end"), is_end=True)
    sender = router.recv_multipart()[0]
    router.send_multipart((sender, b"OK"))

    def is_confirmed() -> bool:
        lane.poll()
        return lane.has_ended

    wait_until(is_confirmed, "the end is confirmed")
    lane.close()
    url = writer_url(f"dealer+connect:{endpoint}")
    assert pool.acquire(url, BRIEF, "another").descriptors == lane.descriptors
    assert pool.acquire(url, BRIEF, lane.topic).descriptors != lane.descriptors


def test_a_topic_that_did_not_end_goes_over_the_same_dealer_at_once_and_another_later(
    pool: SinkPool, clock: ManualClock
) -> None:
    """What was sent last may not be read yet: over another connection the next would overtake it."""
    url = writer_url("dealer+connect:tcp://127.0.0.1:9")
    first = pool.acquire(url, BRIEF, "cam")
    first.close()
    second = pool.acquire(url, BRIEF, "cam")
    assert second.descriptors == first.descriptors
    second.close()
    clock.advance(timedelta(seconds=5))
    assert pool.acquire(url, BRIEF, "cam").descriptors != first.descriptors


def test_a_failing_peer_is_left_alone_for_a_while(open_lane: Open, clock: ManualClock) -> None:
    lane = open_lane("dealer", is_there=False)
    offer(lane, (b"cam", b"one"))
    for _ in range(3):
        assert not lane.has_open_circuit
        clock.advance(OVER)
        lane.poll()
    assert lane.has_open_circuit


def test_what_has_left_the_process_is_known(peer: Peer, open_lane: Open, clock: ManualClock) -> None:
    router = peer(zmq.ROUTER)
    lane = open_lane("dealer")
    payload = bytes(10_000)
    for n in range(5):
        assert offer(lane, (b"cam", b"%d" % n, payload))
        clock.advance(timedelta(milliseconds=101))

    def is_safe() -> bool:
        clock.advance(timedelta(milliseconds=6))
        lane.poll()
        return lane.safe >= 3

    wait_until(is_safe, "the first ones to have left")
    assert lane.safe < lane.delivered == 5
    assert [router.recv_multipart()[2] for _ in range(5)] == [b"%d" % n for n in range(5)]


def test_a_file_in_the_place_of_a_socket_is_not_removed(zeromq: zmq.Context[Any], folder: Path) -> None:
    (folder / "file").write_text("precious")
    with pytest.raises(Exception, match="is not a socket"):
        SinkPool(zeromq, ManualClock()).acquire(writer_url(f"dealer+bind:ipc://{folder}/file"), BRIEF, "cam")
    assert (folder / "file").read_text() == "precious"
