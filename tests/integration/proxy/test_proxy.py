"""The proxy between real sockets: what it sends itself, and what it hands through."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from jobengine.model.file_span import BodyInFile, FileSpan
from jobengine.proxy.relay import SILENCE_NS
from jobengine.testing.clock import ManualClock
from tests.integration.proxy.standins import (
    SECRET,
    VERSION,
    http_process,
    ordinary,
    proxy,
    read_head,
    told,
)
from tests.raw_http import exchange, get, read_answer, tcp
from tests.waiting import PATIENCE_S, wait_until

PLAIN = get("/beams/a/0/packet_1/data")
OTHER = get("/beams/a/0/packet_2/data")
UPLOAD = b"PUT /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n"
CHUNKS = b"PUT /x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
FOREVER_NS = 1 << 62


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def at(tmp_path: Path) -> Path:
    return tmp_path / "http.sock"


class InFile:
    """An http process whose answers all have the same body, which is in a file."""

    def __init__(self, folder: Path, body: bytes, version: int = VERSION, questions: int = 1 << 30) -> None:
        self._file = folder / "segment"
        self._file.write_bytes(b"before" + body + b"behind")
        self._body = BodyInFile(FileSpan(str(self._file), 6, len(body)), version, FOREVER_NS)
        self._questions = questions
        self.asked: list[bytes] = []

    def remove(self) -> None:
        self._file.unlink()

    def __call__(self, connection: socket.socket) -> None:
        for _ in range(self._questions):
            head = read_head(connection)
            if not head:
                return
            self.asked.append(head)
            is_marked = SECRET.encode() in head
            connection.sendall(told(self._body) if is_marked else ordinary(b"read anew"))


def test_an_answer_is_asked_for_once_and_each_has_its_own_id(
    tmp_path: Path, at: Path, clock: ManualClock
) -> None:
    behind = InFile(tmp_path, b"payload")
    with http_process(at, behind), proxy(at, clock) as running, tcp(running.port) as client:
        answers = [exchange(client, PLAIN) for _ in range(3)]

    assert [answer.body for answer in answers] == [b"payload"] * 3
    assert len({answer.header("x-request-id") for answer in answers}) == 3
    assert (len(behind.asked), running.count) == (1, 2)


def test_an_answer_of_another_version_is_asked_for_again(
    tmp_path: Path, at: Path, clock: ManualClock
) -> None:
    behind = InFile(tmp_path, b"payload", version=VERSION - 1)
    with http_process(at, behind), proxy(at, clock) as running, tcp(running.port) as client:
        assert [exchange(client, PLAIN).body for _ in range(3)] == [b"payload"] * 3

    assert (len(behind.asked), running.count) == (3, 0)


def test_requests_that_come_at_once_are_answered_in_their_order(
    tmp_path: Path, at: Path, clock: ManualClock
) -> None:
    behind = InFile(tmp_path, b"payload")
    with http_process(at, behind), proxy(at, clock) as running, tcp(running.port) as client:
        client.sendall(PLAIN + OTHER + PLAIN + get("/healthz"))
        bodies, rest = [], b""
        for _ in range(4):
            answer, rest = read_answer(client, received=rest)
            bodies.append(answer.body)

    assert bodies == [b"payload", b"payload", b"payload", b"read anew"]
    assert [head.split()[1] for head in behind.asked] == [
        b"/beams/a/0/packet_1/data",
        b"/beams/a/0/packet_2/data",
        b"/healthz",
    ]


def test_who_reads_slowly_gets_all_and_holds_nobody_up(tmp_path: Path, at: Path, clock: ManualClock) -> None:
    body = bytes(range(256)) * 100_000
    behind = InFile(tmp_path, body)
    with http_process(at, behind), proxy(at, clock) as running, tcp(running.port) as slow:
        slow.sendall(PLAIN)
        with tcp(running.port) as quick:
            assert exchange(quick, PLAIN).body == body
        assert read_answer(slow)[0].body == body


def test_a_connection_that_ended_while_it_was_silent_is_made_anew(
    tmp_path: Path, at: Path, clock: ManualClock
) -> None:
    behind = InFile(tmp_path, b"payload", version=VERSION - 1, questions=1)
    with http_process(at, behind), proxy(at, clock) as running, tcp(running.port) as client:
        assert [exchange(client, PLAIN).body for _ in range(5)] == [b"payload"] * 5


def test_a_file_that_was_removed_since_is_read_by_the_http_process(
    tmp_path: Path, at: Path, clock: ManualClock
) -> None:
    behind = InFile(tmp_path, b"payload")
    behind.remove()
    with http_process(at, behind), proxy(at, clock) as running, tcp(running.port) as client:
        assert exchange(client, PLAIN).body == b"read anew"


def test_what_is_not_plain_goes_through_unread_both_ways(at: Path, clock: ManualClock) -> None:
    def shout(connection: socket.socket) -> None:
        while data := connection.recv(1000):
            connection.sendall(data.upper())
        connection.sendall(b"THE END")

    with http_process(at, shout), proxy(at, clock) as running, tcp(running.port) as client:
        client.sendall(b"\x16\x03 no http at all")
        client.shutdown(socket.SHUT_WR)
        received = b""
        while data := client.recv(1000):
            received += data

    assert received == b"\x16\x03 NO HTTP AT ALLTHE END"


def test_who_takes_nothing_is_sent_no_more_and_holds_nobody_up(at: Path, clock: ManualClock) -> None:
    sent, gone = [0], threading.Event()

    def flood(connection: socket.socket) -> None:
        if b"flood" not in read_head(connection):
            connection.sendall(ordinary(b"well"))
            return
        connection.settimeout(0.5)
        try:
            while True:
                sent[0] += connection.send(bytes(1 << 16))
        except TimeoutError:
            gone.set()

    with http_process(at, flood), proxy(at, clock) as running, tcp(running.port) as lazy:
        lazy.sendall(get("/flood"))
        wait_until(gone.is_set, "the http process is held back")
        with tcp(running.port) as other:
            assert exchange(other, get("/healthz")).body == b"well"

    assert sent[0] < 32 << 20


def test_who_is_refused_while_sending_can_read_why(at: Path, clock: ManualClock) -> None:
    def refuse(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(ordinary(b"too large"))

    with http_process(at, refuse), proxy(at, clock) as running, tcp(running.port) as client:
        client.sendall(UPLOAD)
        client.sendall(bytes(1 << 20))
        assert read_answer(client)[0].body == b"too large"


def test_a_client_that_has_gone_ends_what_was_sent_to_it(at: Path, clock: ManualClock) -> None:
    ended = threading.Event()

    def follow(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        assert not connection.recv(1)
        ended.set()

    with http_process(at, follow), proxy(at, clock) as running:
        with tcp(running.port) as client:
            client.sendall(get("/api/events"))
            client.recv(1)
        wait_until(ended.is_set, "the http process sees the end")


def test_clients_beyond_the_bound_wait_until_one_has_gone(
    tmp_path: Path, at: Path, clock: ManualClock
) -> None:
    behind = InFile(tmp_path, b"payload")
    with http_process(at, behind), proxy(at, clock, max_connections=1) as running, tcp(running.port) as first:
        assert exchange(first, PLAIN).body == b"payload"
        with tcp(running.port) as second:
            second.sendall(PLAIN)
            first.close()
            wait_until(lambda: running.clients == 0, "the first has gone")
            clock.advance(timedelta(seconds=2))
            assert read_answer(second)[0].body == b"payload"


def test_a_client_that_asks_nothing_is_let_go(at: Path, clock: ManualClock) -> None:
    with proxy(at, clock) as running, tcp(running.port) as client, tcp(running.port):
        wait_until(lambda: running.clients == 2, "both are accepted")
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(1)
        clock.advance(timedelta(seconds=31))
        client.settimeout(PATIENCE_S)
        assert client.recv(1) == b""


@pytest.mark.parametrize(
    ("begin", "piece", "patience_s"), [(UPLOAD, b"a piece", 30), (CHUNKS, b"9\r\na piece", 300)]
)
def test_a_client_that_sends_no_more_of_its_body_is_taken_for_gone(
    at: Path, clock: ManualClock, begin: bytes, piece: bytes, patience_s: int
) -> None:
    heard, begun = bytearray(), threading.Event()

    def take(connection: socket.socket) -> None:
        read_head(connection)
        begun.set()
        while data := connection.recv(1 << 16):
            heard.extend(data)
        connection.sendall(ordinary(b"ended early"))

    with http_process(at, take), proxy(at, clock) as running, tcp(running.port) as client:
        client.sendall(begin)
        assert begun.wait(PATIENCE_S)
        clock.advance(timedelta(seconds=patience_s - 10))
        client.sendall(piece)
        wait_until(lambda: bytes(heard) == piece, "the piece comes through")
        clock.advance(timedelta(seconds=patience_s - 10))
        client.settimeout(1.5)
        with pytest.raises(TimeoutError):
            client.recv(1)
        clock.advance(timedelta(seconds=11))
        client.settimeout(PATIENCE_S)
        assert read_answer(client)[0].body == b"ended early"


def test_at_the_stop_what_is_under_way_ends_well_and_nobody_else_is_taken(
    tmp_path: Path, at: Path, clock: ManualClock
) -> None:
    body = bytes(20 << 20)
    behind = InFile(tmp_path, body)
    with http_process(at, behind), proxy(at, clock) as running, tcp(running.port) as idle:
        assert exchange(idle, PLAIN).body == body
        with tcp(running.port) as busy:
            busy.sendall(PLAIN)
            busy.recv(1, socket.MSG_PEEK)
            running.listener.shutdown(socket.SHUT_RDWR)
            assert idle.recv(1) == b""
            assert read_answer(busy)[0].body == body
            assert busy.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            tcp(running.port)


def test_at_the_stop_a_client_that_says_nothing_is_let_go_soon(at: Path, clock: ManualClock) -> None:
    stopped = threading.Event()

    def answer_until_the_stop(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(ordinary(b"well"))
        stopped.wait(PATIENCE_S)

    # The proxy is seen to end while the client is still there.
    with ExitStack() as clients, http_process(at, answer_until_the_stop), proxy(at, clock) as running:
        silent = clients.enter_context(tcp(running.port))
        assert exchange(silent, get("/healthz")).body == b"well"
        running.listener.shutdown(socket.SHUT_RDWR)
        stopped.set()
        assert silent.recv(1) == b""
        clock.advance(timedelta(microseconds=SILENCE_NS // 1000))
