"""A connection that is handed through to the http process for the rest of its life, byte by byte.

Nothing of it is changed but the ends of bodies in chunks (`jobengine.proxy.framing`): uploads, event streams,
other methods, other versions of HTTP. The http process
keeps the time limits of its clients, but for bodies: a thread of it reads those, and would wait for ever. A
client that owes the rest of one and sends nothing for long is taken for one that has gone. When the http
process ends a connection, so does this.
"""

from __future__ import annotations

import socket

from jobengine.proxy.flow import Flow
from jobengine.proxy.framing import Framing
from jobengine.proxy.poller import READABLE, WRITABLE
from jobengine.proxy.shared import Shared

LINGER_NS = 2_000_000_000
"""How long a client that sends on gets to read the last answer: a socket that is closed with bytes unread
resets its connection, and the answer is lost."""
BODY_SILENCE_NS = 30_000_000_000
"""How long a client may send nothing in the middle of a body, as in the middle of a head."""
CHUNKS_SILENCE_NS = 300_000_000_000
"""The same in the middle of chunks, which are sent by who does not know yet what will come, or when."""
SILENCE_NS = 300_000_000
"""How long it must send nothing to be taken for one that doesn't send on: more than a way to it and back."""


class Relay:
    """Both directions, each stopped while its sink takes nothing. ``to_upstream`` and ``to_client`` are what
    was read before."""

    def __init__(
        self,
        client: socket.socket,
        upstream: socket.socket,
        shared: Shared,
        to_upstream: bytes,
        to_client: bytes = b"",
    ) -> None:
        self._client = client
        self._upstream = upstream
        self._shared = shared
        self._framing = Framing(shared.secret)
        self._up = Flow(client, upstream, to_upstream, shared.buffer, self._framing.pass_on)
        self._down = Flow(upstream, client, to_client, shared.buffer)
        self._ends_ns: int | None = None
        self._heard_ns = shared.now_ns
        """When the client sent last, or could; at least, when the last answer was sent."""
        shared.connections.add(self)

    def begin(self) -> None:
        """Take the sockets over."""
        self._on_upstream(WRITABLE if self._up.is_stuck else 0)

    def look_after(self, now_ns: int, is_stopping: bool) -> None:
        """End it if its last answer was sent long enough ago, or its body does not come; the http process's
        stopping ends others."""
        patience_ns = CHUNKS_SILENCE_NS if self._framing.is_chunked else BODY_SILENCE_NS
        if self._is_owed_a_body() and now_ns - self._heard_ns > patience_ns:
            self._up.end()
            self._go_on()
        if self._ends_ns is not None and now_ns >= min(self._ends_ns, self._heard_ns + SILENCE_NS):
            self.close()

    def close(self) -> None:
        """End both sides at once."""
        for end in (self._client, self._upstream):
            if end.fileno() >= 0:
                self._shared.poller.forget(end.fileno())
                end.close()
        self._shared.connections.discard(self)

    def _on_client(self, events: int) -> None:
        self._heard_ns = self._shared.now_ns
        self._move(self._down, self._up, events)

    def _is_owed_a_body(self) -> bool:
        """Whether the http process waits for the client and for nothing else."""
        return self._framing.owes_body and not (self._up.is_stuck or self._up.has_ended)

    def _on_upstream(self, events: int) -> None:
        if self._up.is_stuck:  # who could not send was not silent
            self._heard_ns = self._shared.now_ns
        self._move(self._up, self._down, events)

    def _move(self, inbound: Flow, outbound: Flow, events: int) -> None:
        """``inbound`` leads to the socket of which ``events`` are so, ``outbound`` away from it."""
        try:
            if events & WRITABLE and inbound.is_stuck:
                inbound.pump()
            if events & ~WRITABLE and not (outbound.is_stuck or outbound.has_ended):
                outbound.pump()
        except OSError:
            self.close()
            return
        self._go_on()

    def _go_on(self) -> None:
        up, down = self._up, self._down
        if self._framing.is_broken and not up.is_deaf:
            up.cut_off()
        if down.is_deaf or (up.has_ended and down.has_ended):
            self.close()
            return
        if down.has_ended and self._ends_ns is None:
            up.is_deaf = True
            self._heard_ns = self._shared.now_ns
            self._ends_ns = self._heard_ns + LINGER_NS
        watch = self._shared.poller.watch
        watch(self._client.fileno(), _mask(up, down), self._on_client)
        watch(self._upstream.fileno(), _mask(down, up), self._on_upstream)


def _mask(away: Flow, to: Flow) -> int:
    """What to wait for at a socket."""
    wants_more = not (away.is_stuck or away.has_ended)
    return (READABLE if wants_more else 0) | (WRITABLE if to.is_stuck else 0)
