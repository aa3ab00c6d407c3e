"""What the connections of one proxy share."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from jobengine.proxy.flow import CHUNK_BYTES
from jobengine.proxy.kept import KeptAnswers
from jobengine.proxy.poller import Poller


class Open(Protocol):
    """A client's connection, in whatever way it is served now."""

    def look_after(self, now_ns: int, is_stopping: bool) -> None:
        """Called now and then: end what has waited too long, or has no more to wait for."""
        ...

    def close(self) -> None:
        """End it at once. Idempotent."""
        ...


@dataclass(slots=True)
class Shared:
    """``upstream``: path of the http process's socket. ``now_ns``: the monotonic clock, of this round.
    ``count``: called for every answer that was known."""

    upstream: str
    secret: str
    kept: KeptAnswers
    count: Callable[[], None]
    poller: Poller = field(default_factory=Poller)
    buffer: bytearray = field(default_factory=lambda: bytearray(CHUNK_BYTES))
    connections: set[Open] = field(default_factory=set)
    now_ns: int = 0
    is_stopping: bool = False

    def connect(self) -> socket.socket:
        """A new connection to the http process. Raises OSError."""
        upstream = socket.socket(socket.AF_UNIX)
        try:
            upstream.setblocking(False)
            upstream.connect(self.upstream)
        except OSError:
            upstream.close()
            raise
        return upstream
