"""Socket URLs are read as Savant's peers write them, and refused with a sentence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobengine.model.socket_url import (
    SocketType,
    SocketUrl,
    SocketUrlRefused,
    reader_url,
    sink_url,
    writer_url,
)


@pytest.mark.parametrize(
    ("text", "kind", "is_bind", "endpoint", "source"),
    [
        ("pub+connect:tcp://127.0.0.1:6666", SocketType.PUB, False, "tcp://127.0.0.1:6666", ""),
        ("dealer+connect:ipc:///tmp/in", SocketType.DEALER, False, "ipc:///tmp/in", ""),
        ("req+bind:tcp://*:5555:cam-1", SocketType.REQ, True, "tcp://*:5555", "cam-1"),
        ("tcp://host.local:0443", SocketType.DEALER, True, "tcp://host.local:443", ""),
        ("ipc:/tmp/in:cam:2", SocketType.DEALER, True, "ipc:///tmp/in", "cam:2"),
        ("dealer+connect:tcp://[::1]:7000", SocketType.DEALER, False, "tcp://[::1]:7000", ""),
    ],
)
def test_a_writer_is_read(text: str, kind: SocketType, is_bind: bool, endpoint: str, source: str) -> None:
    assert writer_url(text) == SocketUrl(kind, is_bind, endpoint, source)


@pytest.mark.parametrize(
    ("text", "kind", "is_bind"),
    [
        ("tcp://127.0.0.1:5555", SocketType.ROUTER, True),
        ("sub+connect:tcp://127.0.0.1:5555", SocketType.SUB, False),
        ("rep+bind:tcp://127.0.0.1:5555", SocketType.REP, True),
    ],
)
def test_a_reader_is_read(text: str, kind: SocketType, is_bind: bool) -> None:
    assert reader_url(text) == SocketUrl(kind, is_bind, "tcp://127.0.0.1:5555")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is not a socket URL"),
        ("127.0.0.1:5555", "is not a socket URL"),
        ("pub+connect:udp://127.0.0.1:5555", "known are tcp and ipc"),
        ("push+connect:tcp://127.0.0.1:5555", "known are pub, dealer, req, sub, router, rep"),
        ("pub+listen:tcp://127.0.0.1:5555", "where bind or connect is expected"),
        ("pub+connect:tcp://127.0.0.1", "needs a host and a port"),
        ("pub+connect:tcp://127.0.0.1:0", "ports are 1 to 65535"),
        ("pub+connect:tcp://127.0.0.1:65536", "ports are 1 to 65535"),
        ("pub+connect:tcp://:5555", "give a name or an address"),
        ("pub+connect:tcp://a b:5555", "give a name or an address"),
        ("pub+connect:tcp://*:5555", "only for bind"),
        ("pub+connect:tcp://[::zz]:5555", "not an IPv6 address"),
        ("pub+connect:ipc:in", "has to be absolute"),
        ("pub+connect:ipc:///tmp/../etc/in", "without .."),
        ("pub+connect:ipc:///tmp/", "has to name a socket"),
        ("pub+connect:ipc:///" + "x" * 107, "more than 107 bytes"),
        ("pub+connect:tcp://127.0.0.1:5555:" + "x" * 256, "more than 255 bytes"),
        ("pub+connect:tcp://127.0.0.1:5555:a\nb", "control character"),
        ("rep+connect:tcp://127.0.0.1:5555", "is for reading"),
    ],
)
def test_a_wrong_writer_is_refused_with_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(SocketUrlRefused, match=sentence.replace(".", r"\.")):
        writer_url(text)


def test_a_reader_takes_no_source_and_no_writer_type() -> None:
    with pytest.raises(SocketUrlRefused, match="use a topic filter"):
        reader_url("sub+connect:tcp://127.0.0.1:5555:cam")
    with pytest.raises(SocketUrlRefused, match="is for writing"):
        reader_url("dealer+connect:tcp://127.0.0.1:5555")


def test_a_job_sink_connects() -> None:
    assert not sink_url("dealer+connect:tcp://127.0.0.1:5555").is_bind
    with pytest.raises(SocketUrlRefused, match=r"dealer\+connect:tcp://127\.0\.0\.1:5555"):
        sink_url("tcp://127.0.0.1:5555")


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        url = writer_url(text)
    except SocketUrlRefused:
        return
    assert writer_url(str(url)) == url
