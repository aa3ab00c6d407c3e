"""How packed messages travel between the engine and workers: over a DEALER socket of each process.

A worker process with one job is known by the job and its process id. One that many jobs share is known by
``shared`` and its process id; each of its messages names the job's worker in a frame of its own.
"""

from __future__ import annotations

import select
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import zmq

BEAT_NS: Final = 500_000_000
BEATS_APART_NS: Final = 10_000_000
"""Where many jobs share a process each speaks less often: together, no more often than this."""
_WAIT_FOR_EVER_MS = 2_000_000_000
_EVENTS, _POLLIN = int(zmq.EVENTS), int(zmq.POLLIN)


class DealerChannel:
    """The channel of a process with one job. Used by one thread."""

    beat_ns = BEAT_NS

    def __init__(self, context: zmq.Context[Any], address: str, identity: str) -> None:
        self._socket = _dealer(context, address, identity)
        self._descriptor = int(self._socket.getsockopt(zmq.FD))
        self._watch(())
        self._is_emptied = False
        """Whether nothing had come when the socket was last used: its descriptor tells only of what comes
        behind that, and to send takes note of what has come as to receive does."""

    def send(self, packed: bytes) -> bool:
        self._is_emptied = False
        try:
            self._socket.send(packed, zmq.DONTWAIT)
        except zmq.Again:
            return False
        return True

    def receive(self, timeout_ms: float, others: Sequence[int] = ()) -> list[bytes]:
        """Waits in whole milliseconds, rounded up."""
        if not self._is_emptied and (arrived := self._take()):
            return arrived
        if others != self._others:
            self._watch(others)
        return self._take() if self._poll(max(0.0, min(timeout_ms, _WAIT_FOR_EVER_MS))) else []

    def _take(self) -> list[bytes]:
        """Everything that has come."""
        arrived: list[bytes] = []
        with suppress(zmq.Again):
            while True:
                arrived.append(self._socket.recv(zmq.DONTWAIT))
        self._is_emptied = True
        return arrived

    def _watch(self, others: Sequence[int]) -> None:
        """Have these end a wait, beside what comes over the socket."""
        poller = select.poll()
        for each in (self._descriptor, *others):
            poller.register(each, select.POLLIN)
        self._poll, self._others = poller.poll, others

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
