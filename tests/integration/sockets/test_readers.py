"""Readers against stock pyzmq peers: confirmation, filters, fencing, blocking, and what is no message."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zmq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobengine.messaging.sockets.codec import UnreadableRecord
from jobengine.messaging.sockets.native import NativeDecoder, NativeEncoder
from jobengine.messaging.sockets.reader import Outcome, Received, SocketReader
from jobengine.model.element import Element, ElementKind
from jobengine.model.socket_options import SourceOptions
from jobengine.model.socket_url import reader_url
from jobengine.model.topic_filter import TopicFilter
from jobengine.ports.sink import SinkStream
from jobengine.testing import ManualClock
from tests.waiting import PATIENCE_MS

Socket = zmq.Socket[bytes]
EVERYTHING = TopicFilter()
ELEMENT = Element(ElementKind.PACKET, 40, dts=20, duration=40, is_key=True, plane_sizes=(3,))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


Open = Callable[..., SocketReader]
Peer = Callable[[int], Socket]


@pytest.fixture
def open_reader(zeromq: zmq.Context[Any], folder: Path, clock: ManualClock) -> Iterator[Open]:
    readers: list[SocketReader] = []

    def open_(kind: str, topics: TopicFilter = EVERYTHING) -> SocketReader:
        url = reader_url(f"{kind}+bind:ipc://{folder}/in")
        readers.append(SocketReader(zeromq, url, SourceOptions(), topics, NativeDecoder(), clock))
        return readers[-1]

    yield open_
    for reader in readers:
        reader.close()


@pytest.fixture
def peer(zeromq: zmq.Context[Any], folder: Path) -> Iterator[Peer]:
    sockets: list[Socket] = []

    def connect(kind: int) -> Socket:
        socket: Socket = zeromq.socket(kind)
        socket.setsockopt(zmq.RCVTIMEO, PATIENCE_MS)
        socket.connect(f"ipc://{folder}/in")
        sockets.append(socket)
        return socket

    yield connect
    for socket in sockets:
        socket.close(linger=0)


def encoder(name: str = "cam") -> NativeEncoder:
    return NativeEncoder(SinkStream(name, {"iformat": "x"}, {"type": "Stream"}))


def receive(reader: SocketReader, count: int) -> list[Received]:
    received: list[Received] = []
    while len(received) < count:
        assert reader.wait(PATIENCE_MS), f"{count} messages, but there were only {received}"
        received += reader.receive(100)
    return received


def outcomes(received: list[Received]) -> list[Outcome]:
    return [message.outcome for message in received]


def test_a_router_confirms_an_end_once_it_is_told_to(open_reader: Open, peer: Peer) -> None:
    reader, dealer, codec = open_reader("router"), peer(zmq.DEALER), encoder()
    dealer.send_multipart(codec.element(ELEMENT, [b"abc"]))
    dealer.send_multipart(codec.end(["label"]))
    element, end = receive(reader, 2)
    assert (element.outcome, element.topic, [bytes(part) for part in element.parts]) == (
        Outcome.TAKEN,
        b"cam",
        [b"abc"],
    )
    assert end.outcome is Outcome.END
    assert not element.reply_to, "a confirmation is due, which a writer would take for that of the end"
    for message in (element, end):
        reader.confirm(message)
    assert dealer.recv_multipart() == [b"OK"]


def test_a_rep_confirms_many_requests_together(open_reader: Open, peer: Peer) -> None:
    reader = open_reader("rep")
    peers = [peer(zmq.REQ) for _ in range(3)]
    peers[2].setsockopt(zmq.REQ_CORRELATE, 1)
    for requester in peers:
        requester.send_multipart(encoder().element(ELEMENT, [b"abc"]))
    received = receive(reader, 3)
    assert outcomes(received) == [Outcome.TAKEN] * 3
    for message in received:
        reader.confirm(message)
    assert [requester.recv() for requester in peers] == [b"OK"] * 3


@pytest.mark.parametrize(
    ("topics", "expected"),
    [
        (TopicFilter(source=b"topic2"), [Outcome.OTHER_TOPIC, Outcome.OTHER_TOPIC, Outcome.TAKEN]),
        (TopicFilter(prefix=b"topic2"), [Outcome.OTHER_TOPIC, Outcome.TAKEN, Outcome.TAKEN]),
        (TopicFilter(), [Outcome.TAKEN] * 3),
    ],
)
def test_topics_are_filtered(
    open_reader: Open, peer: Peer, topics: TopicFilter, expected: list[Outcome]
) -> None:
    reader, dealer = open_reader("router", topics), peer(zmq.DEALER)
    for name in ("topic", "topic22", "topic2"):
        dealer.send_multipart(encoder(name).element(ELEMENT, [b"abc"]))
    assert outcomes(receive(reader, 3)) == expected


def test_an_end_of_another_topic_is_confirmed_all_the_same(open_reader: Open, peer: Peer) -> None:
    reader, dealer = open_reader("router", TopicFilter(source=b"other")), peer(zmq.DEALER)
    dealer.send_multipart(encoder().end([]))
    assert outcomes(receive(reader, 1)) == [Outcome.OTHER_TOPIC]
    assert dealer.recv_multipart() == [b"OK"]


def test_the_newest_of_two_writers_on_one_topic_wins(open_reader: Open, peer: Peer) -> None:
    reader, first, second = open_reader("router"), peer(zmq.DEALER), peer(zmq.DEALER)
    seen = []
    for writer in (first, second, first, second):
        writer.send_multipart(encoder().element(ELEMENT, [b"abc"]))
        seen += outcomes(receive(reader, 1))
    assert seen == [Outcome.TAKEN, Outcome.TAKEN, Outcome.FENCED, Outcome.TAKEN]
    first.send_multipart(encoder("another").element(ELEMENT, [b"abc"]))
    assert outcomes(receive(reader, 1)) == [Outcome.TAKEN]


def test_another_version_blocks_its_topic_for_a_while_and_is_answered(
    open_reader: Open, peer: Peer, clock: ManualClock
) -> None:
    reader, requester = open_reader("rep"), peer(zmq.REQ)
    strange = msgspec.msgpack.encode({"version": 2, "message": "end", "source": "cam"})
    frames = encoder().element(ELEMENT, [b"abc"])
    seen = []
    for message, wait_s in (([b"cam", strange], 9.9), (frames, 0.2), (frames, 0)):
        requester.send_multipart(message)
        seen += (received := receive(reader, 1))
        reader.confirm(received[0])
        assert requester.recv() == b"OK"
        clock.advance(timedelta(seconds=wait_s))
    assert outcomes(seen) == [Outcome.OTHER_VERSION, Outcome.BLOCKED, Outcome.TAKEN]


def test_what_is_no_message_is_counted_and_answered(open_reader: Open, peer: Peer) -> None:
    reader, requester = open_reader("rep"), peer(zmq.REQ)
    for frames, outcome in (([b"cam"], Outcome.TOO_SHORT), ([b"cam", b"\xc1"], Outcome.UNREADABLE)):
        requester.send_multipart(frames)
        assert outcomes(receive(reader, 1)) == [outcome]
        assert requester.recv() == b"OK"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(frames=st.lists(st.binary(max_size=64), min_size=1, max_size=5))
def test_any_frames_are_survived(open_reader: Open, peer: Peer, frames: list[bytes]) -> None:
    reader, dealer = open_reader("router"), peer(zmq.DEALER)
    dealer.send_multipart(frames)
    (received,) = receive(reader, 1)
    assert received.outcome in (Outcome.TOO_SHORT, Outcome.UNREADABLE)
    reader.close()
    dealer.close()


def test_an_element_comes_back_as_it_was_sent() -> None:
    element = Element(
        ElementKind.FRAME,
        -5,
        dts=None,
        duration=7,
        is_key=False,
        plane_sizes=(4, 2),
        attributes=msgspec.msgpack.encode({"labels": ["a"]}),
        element_id=bytes(range(16)),
    )
    topic, record, *planes = encoder().element(element, [b"luma", b"uv"])
    record_read = NativeDecoder().read(bytes(record), planes)
    assert (topic, record_read.source, record_read.element) == (b"cam", "cam", element)
    assert record_read.planes == [b"luma", b"uv"]
    assert (record_read.format, record_read.stream) == ({"iformat": "x"}, {"type": "Stream"})


def test_sequences_count_from_1_and_anew_after_an_end() -> None:
    codec, decoder = encoder(), NativeDecoder()
    records = [codec.element(ELEMENT, [])[1] for _ in range(2)] + [codec.end([])[1]]
    records += [codec.element(ELEMENT, [])[1]]
    assert [decoder.read(bytes(record), ()).sequence for record in records] == [1, 2, 3, 1]


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(record: bytes) -> None:
    NativeDecoder().glance(record)
    with pytest.raises(UnreadableRecord):
        NativeDecoder().read(record, ())


@pytest.mark.parametrize(
    "member",
    [{"message": "pause"}, {"id": b"short"}, {"pts": 2**63}, {"version": "one"}, {"sizes": [-1, "x"]}],
)
def test_a_record_that_says_what_can_not_be_is_unreadable(member: dict[str, Any]) -> None:
    record = {"version": 1, "message": "packet", "source": "cam"} | member
    with pytest.raises(UnreadableRecord):
        NativeDecoder().read(msgspec.msgpack.encode(record), ())
