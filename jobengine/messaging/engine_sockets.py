"""The engine's end of every socket: requests of http processes, control of workers, notices.

One thread polls. Descriptors of others (pidfds, the nursery) are polled along, and `wake` may be called
from any thread.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import structlog
import zmq

from jobengine.messaging.addresses import Addresses
from jobengine.messaging.engine_messages import Answer, AnyRequest, Committed, encode, request_decoder
from jobengine.messaging.worker_messages import UNREADABLE, FromWorker, Release, ToWorker, from_worker

REQUEST_QUEUE = 20_000
REPORT_QUEUE = 100_000


@dataclass(slots=True)
class Arrivals:
    """What one poll has brought."""

    requests: list[tuple[bytes, AnyRequest]] = field(default_factory=list)
    reports: list[tuple[str, FromWorker]] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.requests or self.reports or self.descriptors)


class EngineSockets:
    """Binds the endpoints of one service. The owner closes it."""

    def __init__(self, context: zmq.Context[Any], addresses: Addresses) -> None:
        self._log = structlog.get_logger("sockets")
        self._requests = _bind(context, zmq.ROUTER, addresses.requests, REQUEST_QUEUE)
        self._workers = _bind(context, zmq.ROUTER, addresses.workers, REPORT_QUEUE)
        self._notices = _bind(context, zmq.PUB, addresses.notices, REQUEST_QUEUE)
        self._is_closed = False
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poller = zmq.Poller()
        for ours in (self._requests, self._workers, self._wake):
            self._poller.register(ours, zmq.POLLIN)
        self._others: set[int] = set()
        self._routes: dict[bytes, bytes] = {}
        """Workers in a process that jobs share, each with the identity of that process."""

    def poll(self, timeout_ms: int, others: Sequence[int], limit: int) -> Arrivals:
        """Wait for something to arrive; at most ``limit`` messages of each kind.

        ``others`` are descriptors whose readiness is told in the answer. Messages that can't be read are
        dropped and logged: they come from another version of jobengine.
        """
        self._register(set(others))
        ready = dict(self._poller.poll(timeout_ms))
        arrivals = Arrivals()
        if self._wake in ready:
            os.eventfd_read(self._wake)
        if self._requests in ready:
            read = self._read(self._requests, request_decoder, limit)
            arrivals.requests = [(route[0], request) for route, request in read]
        if self._workers in ready:
            read = self._read(self._workers, from_worker, limit)
            arrivals.reports = [(self._sender(route), message) for route, message in read]
        arrivals.descriptors = [fd for fd in ready if fd in self._others]
        return arrivals

    def wake(self) -> None:
        """End a `poll` that waits. May be called from any thread, and when all is closed."""
        if not self._is_closed:
            os.eventfd_write(self._wake, 1)

    def answer(self, client: bytes, answer: Answer) -> None:
        """Answer a request; dropped when the client has gone."""
        packed = encode(answer)
        self._requests.send(client, zmq.SNDMORE)  # two calls cost half of what one of send_multipart does
        self._requests.send(packed)

    def command(self, identity: str, command: ToWorker) -> None:
        """Tell a worker; dropped when it is not connected, since a Sync will follow when it is."""
        worker = identity.encode()
        process = self._routes.get(worker)
        route = (worker,) if process is None else (process, worker)
        self._workers.send_multipart((*route, encode(command)))
        if isinstance(command, Release):
            self._routes.pop(worker, None)

    def notify(self, job_ids: tuple[str, ...]) -> None:
        """Tell all http processes that there are new events to read."""
        self._notices.send(encode(Committed(job_ids)))

    def close(self) -> None:
        self._is_closed = True
        for socket in (self._requests, self._workers, self._notices):
            socket.close(linger=200)
        os.close(self._wake)

    def _register(self, others: set[int]) -> None:
        for fd in self._others - others:
            self._poller.unregister(fd)
        for fd in others - self._others:
            self._poller.register(fd, zmq.POLLIN)
        self._others = others

    def _sender(self, route: Sequence[bytes]) -> str:
        """Which worker speaks. One of many in its process names itself in a frame of its own."""
        if len(route) > 1:
            self._routes[route[1]] = route[0]
        return route[-1].decode(errors="replace")

    def _read(
        self, socket: zmq.Socket[bytes], decoder: msgspec.msgpack.Decoder[Any], limit: int
    ) -> list[Any]:
        messages: list[tuple[list[bytes], Any]] = []
        while len(messages) < limit:
            try:
                route, packed = _receive(socket)
            except zmq.Again:
                break
            try:
                messages.append((route, decoder.decode(packed.buffer)))
            except UNREADABLE as error:
                self._log.warning("message.unreadable", detail=str(error))
        return messages


def _receive(socket: zmq.Socket[bytes]) -> tuple[list[bytes], zmq.Frame]:
    """From whom, and the message itself. Raises zmq.Again when there is none.

    A frame knows whether another one follows: to ask the socket costs more than to receive.
    """
    route = [socket.recv(zmq.DONTWAIT)]
    frame = socket.recv(copy=False)
    while frame.more:
        route.append(frame.bytes)
        frame = socket.recv(copy=False)
    return route, frame


def _bind(context: zmq.Context[Any], kind: int, address: str, queue: int) -> zmq.Socket[bytes]:
    socket: zmq.Socket[bytes] = context.socket(kind)
    socket.setsockopt(zmq.SNDHWM, queue)
    socket.setsockopt(zmq.RCVHWM, queue)
    if kind == zmq.ROUTER:
        socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
    socket.bind(address)
    return socket
