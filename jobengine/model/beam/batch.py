"""Elements with their payload as the body of one request: ``multipart/mixed``."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

Json = Any
Buffer = bytes | bytearray | memoryview


class Body(Protocol):
    """The body of a request, and what it is."""

    @property
    def media_type(self) -> str:
        """As in ``Content-Type``."""
        ...

    def body(self) -> bytes:
        """The bytes."""
        ...


class Batch:
    """Documents, each with the planes of its payload. ``size_bytes`` is what the body will have."""

    def __init__(self) -> None:
        self._boundary = secrets.token_hex(24)
        self._parts: list[Buffer] = []
        self.size_bytes = len(self._end)
        self.elements = 0

    def add(self, document: Mapping[str, Json], planes: Sequence[Buffer] = ()) -> None:
        """Add an element; without planes only its description is sent."""
        self._part("application/json", json.dumps(document, separators=(",", ":")).encode())
        for plane in planes:
            self._part("application/octet-stream", plane)
        self.elements += 1

    @property
    def media_type(self) -> str:
        """What the body is."""
        return f"multipart/mixed; boundary={self._boundary}"

    def body(self) -> bytes:
        """The body; a copy of everything that was added."""
        return b"".join([*self._parts, self._end])

    @property
    def _end(self) -> bytes:
        return f"--{self._boundary}--\r\n".encode()

    def _part(self, media_type: str, value: Buffer) -> None:
        head = f"--{self._boundary}\r\nContent-Type: {media_type}\r\n\r\n".encode()
        self._parts += [head, value, b"\r\n"]
        self.size_bytes += len(head) + len(value) + 2
