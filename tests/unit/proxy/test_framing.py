"""What is told of requests that pass: who owes a body, however the bytes come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobengine.proxy.framing import MAX_LINE_BYTES, Framing

GET = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 12\r\n\r\nabc\r\n\r\ndef\r\n"
EMPTY = b"POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n"
CHUNKED = (
    b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"A;x=y\r\n0\r\n\r\n56789\r\n1\r\n\n\r\n0\r\nTrailer: x\r\n\r\n"
)
WHOLE = (GET, POST, EMPTY, CHUNKED)


SECRET = "s3"
MARKED = CHUNKED.replace(b"0\r\nTrailer", b"2\r\ns3\r\n0\r\nTrailer")
BEGIN = b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"


def seen(*pieces: bytes) -> Framing:
    framing = Framing(SECRET)
    for piece in pieces:
        framing.pass_on(memoryview(piece))
    return framing


@given(st.lists(st.sampled_from(WHOLE), min_size=1, max_size=4), st.data())
def test_a_body_is_owed_from_the_end_of_the_head_and_the_end_of_chunks_is_marked(
    requests: list[bytes], data: st.DataObject
) -> None:
    text = b"".join(requests)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=6)))
    framing, at, passed = Framing(SECRET), 0, b""
    for cut in [*cuts, len(text)]:
        passed += framing.pass_on(text[at:cut])
        at = cut
        assert framing.owes_body == _owes(requests, cut)
    assert passed == b"".join(MARKED if each is CHUNKED else each for each in requests)


def _owes(requests: list[bytes], count: int) -> bool:
    """The same by where each request begins and ends."""
    for request in requests:
        if count < len(request):
            return count >= request.index(b"\r\n\r\n") + 4
        count -= len(request)
    return False


@pytest.mark.parametrize(
    "head",
    [
        b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"GET /" + b"a" * MAX_LINE_BYTES + b" HTTP/1.1\r\nContent-Length: 9\r\n\r\n",
    ],
)
def test_of_what_can_not_be_read_nothing_is_said(head: bytes) -> None:
    framing = seen(head)

    assert framing.pass_on(POST[:-1]) == POST[:-1]
    assert not framing.owes_body


@pytest.mark.parametrize(
    "chunks",
    [
        b"xyz\r\n",
        b"0x3\r\nabc\r\n",
        b"+3\r\nabc\r\n",
        b"3\nabc\n",
        b"\r\n",
        b"-1\r\n",
        b"3;" + b"a" * MAX_LINE_BYTES,
        b"0\r\nTrailer: x\n",
        b"0\r\n" + b"Trailer: x\r\n" * (MAX_LINE_BYTES // 12),
    ],
)
def test_nothing_goes_through_behind_chunks_that_make_no_sense(chunks: bytes) -> None:
    framing = Framing(SECRET)
    sent = BEGIN + b"3\r\nabc\r\n"

    assert framing.pass_on(sent + chunks) == sent
    assert framing.is_broken
    assert framing.pass_on(b"0\r\n\r\n") == b""
    assert not framing.owes_body


@pytest.mark.parametrize("rest", [b"", b"\r", b"\r\n", b"\r\nTrailer: x\r\n"])
def test_the_end_goes_through_when_it_is_whole(rest: bytes) -> None:
    framing = seen(BEGIN)

    assert framing.pass_on(b"0") == framing.pass_on(rest) == b""
    assert framing.owes_body
