"""A proxy in a thread, before a stand-in for the http process whose answers a test decides."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from jobengine.clock import Clock
from jobengine.model.file_span import TELL, BodyInFile
from jobengine.proxy.heads import END
from jobengine.proxy.kept import KeptAnswers
from jobengine.proxy.server import MAX_CONNECTIONS, Proxy
from jobengine.proxy.shared import Shared
from tests.waiting import PATIENCE_S

SECRET = "s3"
VERSION = 9
Behave = Callable[[socket.socket], None]
"""Serves one connection; it is closed when this returns."""


class Running:
    """A proxy that runs. ``count``: how many answers were known."""

    def __init__(self, listener: socket.socket, upstream: Path) -> None:
        self.listener = listener
        self.port: int = listener.getsockname()[1]
        self.shared = Shared(str(upstream), SECRET, KeptAnswers(lambda: VERSION), self._add)
        self.count = 0

    @property
    def clients(self) -> int:
        """How many were accepted and have not been let go."""
        return len(self.shared.connections)

    def _add(self) -> None:
        self.count += 1


@contextmanager
def http_process(path: Path, behave: Behave) -> Iterator[None]:
    """Listens at ``path``, and serves each connection in a thread."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        accepting = threading.Thread(target=_accept, args=(listener, behave))
        accepting.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join(PATIENCE_S)


@contextmanager
def proxy(upstream: Path, clock: Clock, max_connections: int = MAX_CONNECTIONS) -> Iterator[Running]:
    """A proxy before ``upstream``, stopped at the end if it was not before."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        running = Running(listener, upstream)
        terminated = os.eventfd(0)
        server = Proxy(listener.dup(), running.shared, clock, max_connections)
        thread = threading.Thread(target=server.run, args=(terminated,))
        thread.start()
        try:
            yield running
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(PATIENCE_S)
            os.close(terminated)
            assert not thread.is_alive()


def told(body: BodyInFile) -> bytes:
    """What the http process says of a body in a file."""
    lines = (
        "HTTP/1.1 200 OK",
        f"{TELL}: {SECRET} {body.to_header()}",
        "x-request-id: first",
        "content-length: 0",
        "",
        "",
    )
    return "\r\n".join(lines).encode()


def ordinary(body: bytes) -> bytes:
    """An answer with its body."""
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


def read_head(connection: socket.socket) -> bytes:
    """Everything up to the end of a head; empty when the connection ends."""
    received = b""
    while END not in received:
        data = connection.recv(1)
        if not data:
            return b""
        received += data
    return received


def _accept(listener: socket.socket, behave: Behave) -> None:
    threads = []
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            break
        connection.settimeout(PATIENCE_S)
        threads.append(threading.Thread(target=_serve, args=(connection, behave)))
        threads[-1].start()
    for thread in threads:
        thread.join(PATIENCE_S)


def _serve(connection: socket.socket, behave: Behave) -> None:
    with connection, suppress(ConnectionError):
        behave(connection)
