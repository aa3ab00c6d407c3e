"""The sockets of one process: sinks with the same URL and the same options share one.

A socket that nobody uses stays open for a while, counted from its last use, so that the next job needs
no new connection. Of two dealers that send one topic to one router the newest is heard, and the other one is
refused from then on, and nobody is told. Whether another process has sent a topic is not known here, so a
dealer is used for each topic but once, and for others meanwhile.
"""

from __future__ import annotations

from typing import Any, Final
from weakref import WeakValueDictionary

import zmq

from jobengine.clock import Clock
from jobengine.messaging.sockets.lane import Lane
from jobengine.messaging.sockets.writer import SocketWriter
from jobengine.model.socket_options import SinkOptions
from jobengine.model.socket_url import SocketType, SocketUrl

TOPICS_MAX: Final = 10_000
"""So many topics are remembered with their dealers; then all are forgotten."""


class SinkPool:
    """Owns the sockets. ``ttl_s``: how long an unused one stays; ``capacity``: how many of them.
    Used by one thread."""

    def __init__(
        self, context: zmq.Context[Any], clock: Clock, ttl_s: float = 60.0, capacity: int = 1000
    ) -> None:
        self._context = context
        self._clock = clock
        self._ttl_ns = int(ttl_s * 1e9)
        self._capacity = capacity
        self._writers: dict[tuple[SocketUrl, SinkOptions], SocketWriter] = {}
        self._superseded: list[SocketWriter] = []
        self._newest: WeakValueDictionary[tuple[str, str], SocketWriter] = WeakValueDictionary()

    def acquire(self, url: SocketUrl, options: SinkOptions, topic: str) -> Lane:
        """A lane for ``topic`` on the socket of this sink, opened if there is none. Raises MediaError."""
        writer, place = self._writers.get((url, options)), (url.endpoint, topic)
        is_fenced = url.type is SocketType.DEALER
        is_newest = self._newest.get(place, writer) is writer
        if is_fenced and writer is not None and not (is_newest and writer.is_fresh(topic)):
            self._superseded.append(self._writers.pop((url, options)))
            writer = None
        if writer is None:
            writer = SocketWriter(self._context, url, options, self._clock)
            self._writers[url, options] = writer
        lane = writer.join(topic)
        if is_fenced:
            if len(self._newest) >= TOPICS_MAX:
                self._newest.clear()
            self._newest[place] = writer
        self.sweep()
        return lane

    def sweep(self) -> None:
        """Close sockets that nobody uses any more."""
        now_ns = self._clock.monotonic_ns()
        for writer in [each for each in self._superseded if not each.users]:
            self._superseded.remove(writer)
            writer.close()
        unused = sorted(
            ((writer.idle_since_ns, key) for key, writer in self._writers.items() if not writer.users),
            key=lambda item: item[0],
        )
        surplus = len(unused) - self._capacity
        for place, (since_ns, key) in enumerate(unused):
            if place < surplus or now_ns - since_ns >= self._ttl_ns:
                self._writers.pop(key).close()

    def close(self) -> None:
        """Close every socket; what libzmq has queued is still sent within the limits of each."""
        for writer in [*self._writers.values(), *self._superseded]:
            writer.close()
        self._writers.clear()
        self._superseded.clear()
