"""How packed messages travel between the engine and workers: over a DEALER socket of each process.

A worker process with one job is known by the job and its process id. One that many jobs share is known by
``shared`` and its process id; each of its messages names the job's worker in a frame of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import zmq

BEAT_NS: Final = 500_000_000
BEATS_APART_NS: Final = 5_000_000
"""Where many jobs share a process each speaks less often: together, no more often than this."""
_WAIT_FOR_EVER = 2_000_000_000
_EVENTS, _POLLIN = int(zmq.EVENTS), int(zmq.POLLIN)


class DealerChannel:
    """The channel of a process with one job. Used by one thread."""

    beat_ns = BEAT_NS

    def __init__(self, context: zmq.Context[Any], address: str, identity: str) -> None:
        self._socket = _dealer(context, address, identity)
        self._poller: zmq.Poller | None = None
        self._others: Sequence[int] = ()

    def send(self, packed: bytes) -> bool:
        try:
            self._socket.send(packed, zmq.DONTWAIT)
        except zmq.Again:
            return False
        return True

    def receive(self, timeout_ms: float, others: Sequence[int] = ()) -> list[bytes]:
        """Waits in whole milliseconds, rounded up."""
        arrived: list[bytes] = []
        ready = self._poll(others).poll(max(0, min(math.ceil(timeout_ms), _WAIT_FOR_EVER)))
        while (self._socket, _POLLIN) in ready:
            try:
                arrived.append(self._socket.recv(zmq.DONTWAIT))
            except zmq.Again:
                break
        return arrived

    def _poll(self, others: Sequence[int]) -> zmq.Poller:
        """A poller of the socket and the others, made anew where they are others than before."""
        if self._poller is None or others != self._others:
            self._poller, self._others = zmq.Poller(), others
            for each in (self._socket, *others):
                self._poller.register(each, zmq.POLLIN)
        return self._poller

    def close(self) -> None:
        self._socket.close()


class SharedChannel:
    """The socket of a process that many jobs share. Used by one thread."""

    def __init__(self, context: zmq.Context[Any], address: str, process_id: int) -> None:
        self._socket = _dealer(context, address, f"shared:{process_id}")
        backend: Any = super(zmq.Socket, self._socket)
        self._events = backend.get
        self._jobs: dict[bytes, JobChannel] = {}
        self.descriptor = int(self._socket.getsockopt(zmq.FD))

    @property
    def beat_ns(self) -> int:
        """How far heartbeats of each job should be apart."""
        return max(BEAT_NS, len(self._jobs) * BEATS_APART_NS)

    def open(self, identity: str) -> JobChannel:
        """The channel of one job's worker."""
        channel = JobChannel(self, identity.encode())
        self._jobs[channel.identity] = channel
        return channel

    def forget(self, channel: JobChannel) -> None:
        """Its job is over."""
        self._jobs.pop(channel.identity, None)

    def send(self, identity: bytes, packed: bytes) -> bool:
        """Send for a job, or say False when no engine is connected."""
        try:
            self._socket.send_multipart((identity, packed), zmq.DONTWAIT)
        except zmq.Again:
            return False
        return True

    def distribute(self) -> list[JobChannel]:
        """Hand out what has arrived; the channels that have something now."""
        reached: dict[bytes, JobChannel] = {}
        while self._events(_EVENTS) & _POLLIN:
            identity, packed = self._socket.recv_multipart(zmq.DONTWAIT)
            channel = self._jobs.get(identity)
            if channel is not None:
                channel.arrived.append(packed)
                reached[identity] = channel
        return list(reached.values())

    def close(self) -> None:
        self._socket.close()


class JobChannel:
    """The channel of one job among many; never waits."""

    def __init__(self, shared: SharedChannel, identity: bytes) -> None:
        self._shared = shared
        self.identity = identity
        self.arrived: list[bytes] = []

    @property
    def beat_ns(self) -> int:
        return self._shared.beat_ns

    def send(self, packed: bytes) -> bool:
        return self._shared.send(self.identity, packed)

    def receive(self, timeout_ms: float, others: Sequence[int] = ()) -> list[bytes]:
        """What was handed out since last asked."""
        arrived, self.arrived = self.arrived, []
        return arrived

    def close(self) -> None:
        self._shared.forget(self)


def _dealer(context: zmq.Context[Any], address: str, identity: str) -> zmq.Socket[bytes]:
    socket: zmq.Socket[bytes] = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.IDENTITY, identity.encode())
    socket.setsockopt(zmq.LINGER, 200)
    socket.setsockopt(zmq.IMMEDIATE, 1)
    socket.setsockopt(zmq.RECONNECT_IVL, 50)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, 500)
    socket.connect(address)
    return socket
