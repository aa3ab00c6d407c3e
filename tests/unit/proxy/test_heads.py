"""What the proxy takes for a plain GET, and what it reads of an answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobengine.model.file_span import TELL, BodyInFile, FileSpan
from jobengine.proxy.heads import asking_for_file, is_plain_get, read_told

PLAIN = b"GET /beams/a/0/packet_1/data HTTP/1.1\r\nHost: here\r\n\r\n"
HEADERS = (
    b"Content-Length: 0",
    b"Transfer-Encoding: chunked",
    b"Connection: close",
    b"Connection: keep-alive, te",
    b"Upgrade: h2c",
    b"Expect: 100-continue",
    b"Range: bytes=0-1",
    b"If-None-Match: *",
    b"TE: trailers",
    b"X-Request-Id: mine",
    b"Host: other",
    b" folded",
    b"X_Range: bytes",
    b"Blank : x",
    b"Bare: a\nb",
    b"Zero: \0",
    b"Without",
    b": nameless",
)
BODY = BodyInFile(FileSpan("/where it/is ü", 8, 1000), 5, 77)


@pytest.mark.parametrize(
    "header", [b"Accept: */*", b"Connection: Keep-Alive", b"X-API-Key: je_a_b", b"Empty:"]
)
def test_headers_without_a_meaning_here_leave_it_plain(header: bytes) -> None:
    assert is_plain_get(_with(header))


@pytest.mark.parametrize("header", HEADERS)
def test_a_request_that_may_mean_more_is_not_plain(header: bytes) -> None:
    assert not is_plain_get(_with(header))


@pytest.mark.parametrize(
    "line",
    [
        b"HEAD /beams/a/0/packet_1/data HTTP/1.1",
        b"GET /beams/a/0/packet_1/data HTTP/1.0",
        b"GET /beams/a?x HTTP/1.1",
        b"GET /beams/a#x HTTP/1.1",
        b"GET /beams/a b HTTP/1.1",
        b"GET  /beams/a HTTP/1.1",
        b"GET http://here/beams/a HTTP/1.1",
        b"GET /api/jobs HTTP/1.1",
        b"PRI * HTTP/2.0",
    ],
)
def test_other_first_lines_are_not_plain(line: bytes) -> None:
    assert not is_plain_get(line + PLAIN[PLAIN.index(b"\r\n") :])


def test_a_request_without_a_host_is_not_plain() -> None:
    assert not is_plain_get(PLAIN.replace(b"Host", b"Most"))


@given(st.integers(0, len(PLAIN) - 1))
def test_half_a_head_is_not_plain(length: int) -> None:
    assert not is_plain_get(PLAIN[:length])


@given(st.integers(0, len(PLAIN)), st.sampled_from((b"\r", b"\n", b"\0", b"\r\n\r\n", b"\x7f")))
def test_no_head_with_a_stray_control_character_is_plain(at: int, stray: bytes) -> None:
    assert not is_plain_get(PLAIN[:at] + stray + PLAIN[at:])


def test_the_mark_is_one_more_header() -> None:
    first, _, rest = PLAIN.partition(b"\r\n")

    assert asking_for_file(PLAIN, "s3") == first + b"\r\nx-jobengine-ask-file: s3\r\n" + rest


def test_an_answer_that_is_told_gets_its_length_back() -> None:
    told = read_told(_told("s3"), "s3")

    assert told is not None
    assert told.body == BODY
    head = told.before + told.request_id + told.behind
    assert head.split(b"\r\n") == [
        b"HTTP/1.1 200 OK",
        b"etag: x",
        b"content-length: 1000",
        b"x-request-id: 1",
        b"date: z",
        b"",
        b"",
    ]


def test_an_answer_without_the_secret_is_an_ordinary_one() -> None:
    assert read_told(_told("guessed"), "s3") is None


def _with(header: bytes) -> bytes:
    return PLAIN.replace(b"\r\n\r\n", b"\r\n" + header + b"\r\n\r\n")


def _told(secret: str) -> bytes:
    lines = (
        "HTTP/1.1 200 OK",
        "etag: x",
        f"{TELL}: {secret} {BODY.to_header()}",
        "x-request-id: 1",
        "content-length: 0",
        "date: z",
        "",
        "",
    )
    return "\r\n".join(lines).encode()
