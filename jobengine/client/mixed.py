"""Taking ``multipart/mixed`` answers apart whose parts tell their length."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx

from jobengine.errors import UnavailableError

Json = Any
Buffer = bytes | bytearray | memoryview


def read_mixed(response: httpx.Response) -> Iterator[tuple[Json, list[Buffer]]]:
    """Each document with the planes after it; none: its payload is not there. Raises UnavailableError."""
    document: Json = None
    planes: list[Buffer] = []
    for media_type, value in _parts(response.content):
        if media_type == b"application/json":
            if document is not None:
                yield document, planes
            document, planes = json.loads(bytes(value)), []
        else:
            planes.append(value)
    if document is not None:
        yield document, planes


def _parts(body: bytes) -> Iterator[tuple[bytes, memoryview]]:
    view, at = memoryview(body), 0
    while (head := body.find(b"\r\n\r\n", at)) >= 0:
        said = dict(line.split(b": ", 1) for line in body[at:head].split(b"\r\n")[1:])
        try:
            length = int(said[b"Content-Length"])
        except (KeyError, ValueError) as error:
            raise UnavailableError("the service's answer has a part without a length") from error
        begin = head + 4
        yield said.get(b"Content-Type", b""), view[begin : begin + length]
        at = begin + length + 2
