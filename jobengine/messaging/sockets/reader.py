"""A socket that receives messages, and confirms them as Savant's writers expect it.

``rep`` confirms every message, ``router`` the ends of streams, ``sub`` none. What is not wanted is
confirmed at once, the rest by `SocketReader.confirm`, when it is safe. A ``rep`` is a ROUTER socket that
keeps the envelopes, so that many requests can be made safe together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import zmq

from jobengine.clock import Clock
from jobengine.messaging.sockets.codec import Decoder, Glance
from jobengine.messaging.sockets.endpoint import Endpoint
from jobengine.messaging.sockets.gate import Gate
from jobengine.messaging.sockets.writer import CONFIRMATION
from jobengine.model.socket_options import SourceOptions
from jobengine.model.socket_url import SocketType, SocketUrl
from jobengine.model.topic_filter import TopicFilter

_KINDS = {SocketType.SUB: zmq.SUB, SocketType.ROUTER: zmq.ROUTER, SocketType.REP: zmq.ROUTER}
_ENVELOPE_MAX = 3
_LINGER_MS = 1000


class Outcome(Enum):
    """What became of a message before anything was read of it but its kind."""

    TAKEN = "taken"
    END = "end"
    OTHER_TOPIC = "other-topic"
    BLOCKED = "blocked"
    FENCED = "fenced"
    OTHER_VERSION = "other-version"
    UNREADABLE = "unreadable"
    TOO_SHORT = "too-short"


@dataclass(frozen=True, slots=True)
class Received:
    """One message. ``reply_to`` is the envelope of the confirmation that is due, empty if none is."""

    outcome: Outcome
    topic: bytes
    record: bytes = b""
    parts: Sequence[memoryview] = ()
    reply_to: Sequence[bytes] = ()


class SocketReader:
    """Used by one thread. Raises MediaError if the socket can't be opened."""

    def __init__(
        self,
        context: zmq.Context[Any],
        url: SocketUrl,
        options: SourceOptions,
        topics: TopicFilter,
        decoder: Decoder,
        clock: Clock,
    ) -> None:
        settings: dict[int, Any] = {zmq.RCVHWM: options.receive_hwm, zmq.LINGER: _LINGER_MS}
        if url.type is SocketType.SUB:
            settings[zmq.SUBSCRIBE] = topics.subscription
        self._endpoint = Endpoint(context, url, _KINDS[url.type], settings, options.ipc_mode)
        self._socket = self._endpoint.socket
        self._type = url.type
        self._topics = topics
        self._decoder = decoder
        self._gate = Gate(options, clock)
        self.descriptors = (int(self._socket.getsockopt(zmq.FD)), self._endpoint.descriptor)
        """Become readable when there may be something to receive, or peers have come or gone, until `receive`
        finds nothing."""

    @property
    def peers(self) -> int:
        """How many writers are connected."""
        self._endpoint.look()
        return self._endpoint.peers

    def wait(self, timeout_ms: int) -> bool:
        """Block until there is something to receive, at most ``timeout_ms``; whether there is."""
        return bool(self._socket.poll(timeout_ms))

    def receive(self, limit: int) -> list[Received]:
        """At most ``limit`` messages that are there now."""
        received: list[Received] = []
        while len(received) < limit and (frames := self._endpoint.receive()):
            message = self._judge(frames)
            if message.outcome not in (Outcome.TAKEN, Outcome.END):
                self.confirm(message)
            received.append(message)
        if not received:
            self._endpoint.look()
        return received

    def confirm(self, message: Received) -> None:
        """Send the confirmation that is due; dropped if the writer has gone."""
        if message.reply_to:
            self._endpoint.send(((*message.reply_to, CONFIRMATION),), 1)

    def close(self) -> None:
        """Close the socket. Idempotent."""
        self._endpoint.close()

    def _judge(self, frames: Sequence[zmq.Frame]) -> Received:
        envelope = self._envelope_of(frames)
        if len(frames) < len(envelope) + 2:
            return Received(Outcome.TOO_SHORT, b"", reply_to=self._reply_to(envelope, is_end=False))
        topic, record = frames[len(envelope)].bytes, frames[len(envelope) + 1].bytes
        glance = self._decoder.glance(record)
        return Received(
            self._outcome(topic, glance, envelope),
            topic,
            record,
            [frame.buffer for frame in frames[len(envelope) + 2 :]],
            self._reply_to(envelope, glance is Glance.END),
        )

    def _outcome(self, topic: bytes, glance: Glance, envelope: Sequence[bytes]) -> Outcome:
        if glance is Glance.UNREADABLE:
            return Outcome.UNREADABLE
        if self._gate.is_blocked(topic):
            return Outcome.BLOCKED
        if glance is Glance.OTHER_VERSION:
            self._gate.block(topic)
            return Outcome.OTHER_VERSION
        if not self._topics.passes(topic):
            return Outcome.OTHER_TOPIC
        if self._type is SocketType.ROUTER and self._gate.is_fenced(topic, envelope[0]):
            return Outcome.FENCED
        return Outcome.END if glance is Glance.END else Outcome.TAKEN

    def _envelope_of(self, frames: Sequence[zmq.Frame]) -> list[bytes]:
        if self._type is SocketType.SUB:
            return []
        if self._type is SocketType.ROUTER:
            return [frames[0].bytes]
        head = [frame.bytes for frame in frames[:_ENVELOPE_MAX]]
        return head[: head.index(b"", 1) + 1] if b"" in head[1:] else head[:1]

    def _reply_to(self, envelope: Sequence[bytes], is_end: bool) -> Sequence[bytes]:
        return envelope if self._type is SocketType.REP or (envelope and is_end) else ()
