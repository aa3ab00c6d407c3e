"""Pushing to another service: what it answers decides whether a batch comes again, and who may be reached."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from jobengine.errors import MediaError, SinkError
from jobengine.ids import new_element_id
from jobengine.model.element import Element, ElementKind
from jobengine.model.push import PushPlace, PushTarget, is_below, push_place
from jobengine.model.sink import SinkTerms
from jobengine.ports.sink import SinkStream
from jobengine.testing import ManualClock
from jobengine.worker.restream.grouped_sink import GroupedSink, Offered, TryAgain
from jobengine.worker.restream.push_pool import PushPool
from jobengine.worker.restream.push_writer import PushWriter
from tests.waiting import PATIENCE_MS, wait_until

PATIENT = SinkTerms(send_timeout_ms=PATIENCE_MS, receive_timeout_ms=PATIENCE_MS)
STREAM = SinkStream("vod", {"type": "demuxer"}, {"type": "Stream", "time_base": [1, 1000]})
GROUP = [Offered(Element(ElementKind.PACKET, 0, plane_sizes=(4,), element_id=new_element_id()), [b"data"])]


@dataclass
class Peer:
    """A service that answers by a script: for each method the next (status, headers, body), then 200."""

    url: str = ""
    answers: dict[str, list[tuple[int, dict[str, str], bytes]]] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)

    def answer(self, method: str, status: int, body: bytes = b"", **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers.setdefault(method, []).append((status, named, body))


class _Handler(BaseHTTPRequestHandler):
    peer: Peer

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.peer.asked.append((self.command, self.path, dict(self.headers), body))
        script = self.peer.answers.get(self.command)
        status, headers, said = script.pop(0) if script else (200, {}, b"{}")
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(said))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_PUT = do_POST = _answer

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def peer() -> Iterator[Peer]:
    peer = Peer()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"peer": peer}))
    server.daemon_threads = False
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    peer.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield peer
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def pool() -> Iterator[PushPool]:
    pool = PushPool(ManualClock())
    yield pool
    pool.close()


Open = Callable[..., GroupedSink]


@pytest.fixture
def open_sink(pool: PushPool, peer: Peer) -> Open:
    def open_(key_file: str = "", allowed: str = "") -> GroupedSink:
        targets = (PushTarget(allowed or peer.url, key_file),)
        return pool.open(place(peer), targets, PATIENT, STREAM)

    return open_


def place(peer: Peer, content: str = "a%2Fb") -> PushPlace:
    found = push_place(f"{peer.url}/beams/{content}/0")
    assert found is not None
    return found


def writer(sink: GroupedSink) -> PushWriter:
    assert isinstance(sink._writer, PushWriter)
    return sink._writer


def test_a_batch_is_put_with_the_key_of_the_operator(open_sink: Open, peer: Peer, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("je_key\n")
    writer(open_sink(str(key))).write(GROUP)
    (_, path, headers, _), (method, put, _, body) = peer.asked
    assert (path, method, put) == ("/beams/a%2Fb/0", "PUT", "/beams/a%2Fb/0/elements?mode=append")
    assert headers["Authorization"] == "Bearer je_key"
    assert b"data" in body


def test_a_content_that_is_not_there_is_made_and_one_without_the_stream_gets_it(
    open_sink: Open, peer: Peer
) -> None:
    peer.answer("GET", 404)
    peer.answer("POST", 409)
    writer(open_sink()).write(GROUP)
    methods = [(method, path) for method, path, _, _ in peer.asked]
    assert methods == [
        ("GET", "/beams/a%2Fb/0"),
        ("POST", "/beams"),
        ("PUT", "/beams/a%2Fb/0"),
        ("PUT", "/beams/a%2Fb/0/elements?mode=append"),
    ]
    assert b'"url":"a/b"' in peer.asked[1][3]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(open_sink: Open, peer: Peer, status: int) -> None:
    peer.answer("PUT", status, Retry_After="7")
    with pytest.raises(TryAgain, match=f"answers {status}") as refusal:
        writer(open_sink()).write(GROUP)
    assert refusal.value.after_s == 7


@pytest.mark.parametrize("status", [301, 307, 400, 401, 403, 404, 409, 413, 422])
def test_what_will_not_pass_fails_with_the_words_of_the_service(
    open_sink: Open, peer: Peer, status: int
) -> None:
    peer.answer("PUT", status, b'{"detail": "this is why"}', Location="http://169.254.169.254/")
    with pytest.raises(SinkError, match=f"answers {status}: this is why"):
        writer(open_sink()).write(GROUP)
    assert len(peer.asked) == 2


def test_nobody_there_is_tried_again_and_then_left_alone() -> None:
    dead = push_place("http://127.0.0.1:9/beams/copy/0")
    assert dead is not None
    clock = ManualClock()
    pool = PushPool(clock)
    sink = pool.open(dead, (PushTarget("http://127.0.0.1:9"),), PATIENT, STREAM)
    assert sink.offer([GROUP[0].element], [GROUP[0].planes])

    def refused(times: int) -> bool:
        sink.poll()
        return sink.retries >= times

    for times in (1, 2, 3):
        wait_until(partial(refused, times), f"{times} refusals")
        clock.advance(timedelta(milliseconds=150))
    assert sink.has_open_circuit
    sink.poll()
    assert sink.retries == 3
    assert (sink.give_up(), sink.delivered) == (1, 0)
    sink.close()
    pool.close()


def test_a_key_that_can_not_be_read_fails_the_job_before_anything_is_sent(
    open_sink: Open, peer: Peer
) -> None:
    with pytest.raises(MediaError, match=r"engine\.push_targets can't be read"):
        open_sink("/nowhere/key")
    assert peer.asked == []


def test_a_worker_looks_at_the_list_again(open_sink: Open, peer: Peer) -> None:
    with pytest.raises(MediaError, match=r"not below a URL of engine\.push_targets"):
        open_sink(allowed="http://elsewhere")
    assert peer.asked == []


@pytest.mark.parametrize(
    ("url", "base", "expected"),
    [
        ("http://a:1/beams/x/0", "http://a:1", True),
        ("http://A:1/beams/x/0", "http://a:1/beams", True),
        ("http://a:1/beams/x/0", "http://a:1/beams/x", True),
        ("http://a:1/beams/xy/0", "http://a:1/beams/x", False),
        ("http://a:10/beams/x/0", "http://a:1", False),
        ("https://a:1/beams/x/0", "http://a:1", False),
        ("http://a:1@b/beams/x/0", "http://a:1", False),
        ("http://a:1/beams/../x/0", "http://a:1", False),
        ("http://a:1/beams/%2e%2e/x/0", "http://a:1/beams", False),
        ("http://a:1.evil/beams/x/0", "http://a:1", False),
    ],
)
def test_only_what_lies_below_is_below(url: str, base: str, expected: bool) -> None:
    assert is_below(url, base) is expected
