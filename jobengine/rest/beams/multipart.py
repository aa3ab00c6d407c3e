"""Taking ``multipart/mixed`` bodies apart (RFC 2046) without copying their parts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from jobengine.errors import MalformedError

_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{1,70}")
_MAX_HEAD_BYTES = 8_192


def read_parts(body: bytes, boundary: str | None) -> Iterator[tuple[str, memoryview]]:
    """Each part's media type, in lower case, and its bytes. Raises MalformedError with the byte at fault."""
    if boundary is None or not _BOUNDARY.fullmatch(boundary):
        raise MalformedError("multipart/mixed needs a boundary of 1 to 70 characters in its Content-Type")
    delimiter = b"\r\n--" + boundary.encode()
    view, at = memoryview(body), len(delimiter) - 2
    if not body.startswith(delimiter[2:]):
        at = body.find(delimiter) + len(delimiter)
        if at < len(delimiter):
            raise MalformedError(f"the body does not begin with --{boundary}")
    while not body.startswith(b"--", at):
        head = body.find(b"\r\n", at)
        end = body.find(delimiter, max(head, at))
        if head < 0 or end < 0 or (head > at and body[at:head].strip()):
            raise MalformedError(f"the part at byte {at} is not ended by --{boundary}")
        begin, media_type = _head(body, head + 2, end)
        yield media_type, view[begin:end]
        at = end + len(delimiter)


def _head(body: bytes, at: int, end: int) -> tuple[int, str]:
    """Where the bytes of a part begin, and its media type."""
    if body.startswith(b"\r\n", at):
        return at + 2, "text/plain"
    stop = body.find(b"\r\n\r\n", at, min(end, at + _MAX_HEAD_BYTES))
    if stop < 0:
        raise MalformedError(f"the part at byte {at} has no empty line after its headers")
    return stop + 4, _media_type(body[at:stop])


@lru_cache(maxsize=64)
def _media_type(head: bytes) -> str:
    """What the headers of a part say that it is; most parts of a body have the same."""
    for line in head.decode("latin-1").split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-type":
            return value.partition(";")[0].strip().lower()
    return "text/plain"
