"""Accepts clients and serves them until it is told to stop."""

from __future__ import annotations

import os
import resource
import socket

import structlog

from jobengine.clock import Clock
from jobengine.proxy.connection import Connection
from jobengine.proxy.poller import HANGUP, READABLE
from jobengine.proxy.shared import Shared

MAX_CONNECTIONS = 1_000
"""Less than the backlog of the http process, so that connecting to it never has to wait."""
ROUND_S, STOPPING_ROUND_S = 1.0, 0.05
"""How often it is looked for what has waited too long."""
STOP_NS = 10_000_000_000
_FILES = 128
"""Open files beside the two of each connection."""


class Proxy:
    """One proxy over a socket that listens. Beyond ``max_connections`` clients wait to be accepted."""

    def __init__(
        self,
        listener: socket.socket,
        shared: Shared,
        clock: Clock,
        max_connections: int = MAX_CONNECTIONS,
    ) -> None:
        self._listener = listener
        self._shared = shared
        self._clock = clock
        self._max_connections = min(max_connections, (_open_files() - _FILES) // 2)
        self._is_paused = False
        self._terminated = -1
        self._stopped_ns: int | None = None
        self._log = structlog.get_logger("proxy")

    def run(self, terminated: int) -> None:
        """Serve until the listener is shut down or the descriptor ``terminated`` is readable, and what is
        under way then has ended. Blocks."""
        self._listener.setblocking(False)
        self._terminated = terminated
        self._shared.poller.watch(terminated, READABLE, self._stop)
        shared, poller, clock = self._shared, self._shared.poller, self._clock
        looked_ns = shared.now_ns = clock.monotonic_ns()
        self._welcome()
        while not self._has_ended():
            is_idle = not (shared.connections or shared.kept.count or self._is_paused)
            round_s = STOPPING_ROUND_S if shared.is_stopping else ROUND_S
            ready = poller.wait(None if is_idle else round_s)
            shared.now_ns = clock.monotonic_ns()
            for descriptor, events in ready:
                poller.call(descriptor, events)
            if shared.now_ns - looked_ns >= round_s * 1e9:
                looked_ns = shared.now_ns
                self._look_after()
        for connection in list(shared.connections):
            connection.close()
        shared.kept.forget_all()
        poller.close()

    def _has_ended(self) -> bool:
        if self._stopped_ns is None:
            return False
        return not self._shared.connections or self._shared.now_ns - self._stopped_ns > STOP_NS

    def _stop(self, events: int) -> None:
        """Take no further connection; those that wait for a request end now."""
        self._shared.poller.forget(self._terminated)
        self._stopped_ns = self._shared.now_ns
        self._shared.is_stopping = True
        self._shared.poller.forget(self._listener.fileno())
        self._listener.close()
        self._look_after()

    def _look_after(self) -> None:
        """End what has waited too long, forget what holds no longer, and accept again."""
        for connection in list(self._shared.connections):
            connection.look_after(self._shared.now_ns, self._shared.is_stopping)
        self._shared.kept.forget_old(self._shared.now_ns)
        self._welcome()

    def _welcome(self) -> None:
        """Have clients accepted as long as there is room."""
        if not self._shared.is_stopping:
            self._is_paused = len(self._shared.connections) >= self._max_connections
            mask = HANGUP if self._is_paused else READABLE
            self._shared.poller.watch(self._listener.fileno(), mask, self._accept)

    def _accept(self, events: int) -> None:
        if events & HANGUP:  # it was shut down
            self._stop(events)
            return
        try:
            while len(self._shared.connections) < self._max_connections:
                client, _ = self._listener.accept()
                client.setblocking(False)
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                Connection(client, self._shared)
        except BlockingIOError:
            return
        except OSError as error:
            self._log.warning("proxy.not_accepted", detail=os.strerror(error.errno or 0))
        self._is_paused = True  # until the next round
        self._shared.poller.watch(self._listener.fileno(), HANGUP, self._accept)


def _open_files() -> int:
    """How many files this process may have open, after raising that to what two thousand sockets need."""
    wanted = 2 * MAX_CONNECTIONS + _FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == resource.RLIM_INFINITY else soft
