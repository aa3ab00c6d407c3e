"""Heads of requests and answers, as far as the proxy has to understand them.

Strict: whatever is not surely a plain GET without a body is handed through unread, so nobody can make the
proxy and the http process see the bounds of requests differently.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from jobengine.model.file_span import ASK, TELL, BodyInFile

END = b"\r\n\r\n"
_REQUEST = re.compile(
    rb"GET /beams/[!\"$->@-~]+ HTTP/1\.1\r\n"  # visible characters without # and ?
    rb"(?P<headers>(?:[!#$%&'*+.^`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*\r\n)+)\r\n"
)
_CONNECTION = b"connection"
_NOT_PLAIN = (
    b"content-",
    b"transfer-",
    b"if-",
    b"te",
    b"trailer",
    b"upgrade",
    b"expect",
    b"range",
    b"x-request-id",
)
"""Beginnings of names of headers with which a request may mean more, or have an answer of its own."""
_OK = b"HTTP/1.1 200 OK"
_TELL = TELL.encode() + b": "
_REQUEST_ID = b"x-request-id: "
_NO_BODY = b"content-length: 0"


def is_plain_get(head: bytes) -> bool:
    """Whether a request with this head has no body, and nothing but its head tells what the answer is."""
    request = _REQUEST.fullmatch(head)
    if request is None:
        return False
    hosts = 0
    for line in request["headers"].splitlines():
        name, _, value = line.partition(b":")
        name = name.lower()
        if name.startswith(_NOT_PLAIN) or (name == _CONNECTION and value.strip().lower() != b"keep-alive"):
            return False
        hosts += name == b"host"
    return hosts == 1


def asking_for_file(head: bytes, secret: str) -> bytes:
    """The head with the mark of the proxy that knows ``secret``."""
    line_end = head.index(b"\r\n") + 2
    return b"%b%b: %b\r\n%b" % (head[:line_end], ASK.encode(), secret.encode(), head[line_end:])


@dataclass(frozen=True, slots=True)
class ToldHead:
    """The head of an answer whose body is in a file. Each answer with it gets an id of its own, which stands
    between ``before`` and ``behind``."""

    before: bytes
    behind: bytes
    request_id: bytes
    body: BodyInFile


def read_told(head: bytes, secret: str) -> ToldHead | None:
    """The answer that the head tells of; None if it is that of an ordinary answer.

    Recipes may set headers of answers, so only one with the ``secret`` counts.
    """
    lines = head.split(b"\r\n")
    mark = b"%b%b " % (_TELL, secret.encode())
    told = next((line for line in lines if line.startswith(mark)), None)
    if told is None or lines[0] != _OK:
        return None
    body = BodyInFile.from_header(told[len(mark) :].decode("ascii"))
    lines[lines.index(told)] = b"content-length: %d" % body.span.length
    lines.remove(_NO_BODY)
    at = next(at for at, line in enumerate(lines) if line.startswith(_REQUEST_ID))
    request_id = lines[at][len(_REQUEST_ID) :]
    before = b"\r\n".join((*lines[:at], _REQUEST_ID))
    return ToldHead(before, b"\r\n".join((b"", *lines[at + 1 :])), request_id, body)
