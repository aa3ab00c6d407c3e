"""A process that receives elements with bare pyzmq, and tells when the first and the last of them came."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

import zmq

from benchmarks.beside import beside

PATIENCE_S = 120.0


class Sink:
    """A process that receives and tells when what came."""

    def __init__(self, connection: Connection, url: dict[str, str], process_id: int) -> None:
        self._connection = connection
        self.url = url
        self.process_id = process_id

    def expect(self, topic: str, count: int) -> None:
        """Count from now on."""
        self._connection.send((topic, count))
        self._connection.recv()

    def seconds(self) -> tuple[float, float]:
        """When the first and the last of the expected elements came, on the clock of this machine."""
        if not self._connection.poll(PATIENCE_S):
            raise RuntimeError("the sink has not received all that was sent")
        first, last = self._connection.recv()
        return first, last


@contextmanager
def receiver(rest_ms: float = 0.0) -> Iterator[Sink]:
    """A sink process. ``rest_ms``: how long it sleeps before it looks for more, where the moment of an
    arrival does not matter: to be woken for each element takes more than receiving it."""
    with beside(receive, rest_ms) as process:
        yield Sink(process.connection, process.word, process.process_id)


def receive(connection: Connection, rest_ms: float) -> None:
    """The sink's process."""
    context = zmq.Context()
    router, subscriber = context.socket(zmq.ROUTER), context.socket(zmq.SUB)
    subscriber.setsockopt(zmq.SUBSCRIBE, b"")
    ports = []
    for socket in (router, subscriber):
        socket.setsockopt(zmq.RCVHWM, 10_000)
        ports.append(socket.bind_to_random_port("tcp://127.0.0.1"))
    kinds = ("dealer", "pub")
    connection.send(
        {kind: f"{kind}+connect:tcp://127.0.0.1:{port}" for kind, port in zip(kinds, ports, strict=True)}
    )
    count = Count(connection)
    poller = zmq.Poller()
    for each in (router, subscriber, connection.fileno()):
        poller.register(each, zmq.POLLIN)
    while True:
        for ready, _ in poller.poll():
            if ready == connection.fileno():
                count.begin(*connection.recv())
            else:
                take(ready, ready is router, count)
        if rest_ms:
            time.sleep(rest_ms / 1e3)


def take(socket: zmq.Socket[bytes], is_router: bool, count: Count) -> None:
    """Some of what has arrived; ends of stream are confirmed."""
    for _ in range(200):
        frames = parts(socket)
        if not frames:
            return
        if is_router and len(frames) == 3:
            socket.send_multipart((frames[0], b"OK"))
        elif len(frames) > 2:
            count.element(frames[int(is_router)].bytes)


def parts(socket: zmq.Socket[bytes]) -> list[zmq.Frame]:
    """Those of a message, not copied; empty if there is none. In half the time of `recv_multipart`."""
    try:
        frames = [socket.recv(zmq.DONTWAIT, copy=False)]
        while frames[-1].more:
            frames.append(socket.recv(zmq.DONTWAIT, copy=False))
    except zmq.Again:
        return []
    return frames


class Count:
    """Elements whose topic begins with what is expected."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._topic = b""
        self._left = 0
        self._first = 0.0

    def begin(self, topic: str, count: int) -> None:
        self._topic, self._left, self._first = topic.encode(), count, 0.0
        self._connection.send(True)

    def element(self, topic: bytes) -> None:
        """One more; the last one is told."""
        if self._left and topic.startswith(self._topic):
            now = time.monotonic()
            self._first = self._first or now
            self._left -= 1
            if self._left == 0:
                self._connection.send((self._first, now))
