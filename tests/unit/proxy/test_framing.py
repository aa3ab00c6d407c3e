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


def seen(*pieces: bytes) -> Framing:
    framing = Framing()
    for piece in pieces:
        framing.see(memoryview(piece))
    return framing


@given(st.lists(st.sampled_from(WHOLE), min_size=1, max_size=4), st.data())
def test_it_is_owed_from_the_end_of_the_head_to_the_end_of_the_body(
    requests: list[bytes], data: st.DataObject
) -> None:
    text = b"".join(requests)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=6)))
    framing, at = Framing(), 0
    for cut in [*cuts, len(text)]:
        framing.see(text[at:cut])
        at = cut
        assert framing.owes_body == _owes(requests, cut)


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
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"GET / HTTP/1.1\r\nUpgrade: h2c\r\nContent-Length: 9\r\n\r\n",
        b"GET /" + b"a" * MAX_LINE_BYTES + b" HTTP/1.1\r\nContent-Length: 9\r\n\r\n",
    ],
)
def test_of_what_can_not_be_read_nothing_is_said(head: bytes) -> None:
    assert not seen(head, POST[:-1]).owes_body
