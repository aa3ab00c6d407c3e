"""A socket that sends, shared by any number of lanes: in order, with bounds, time limits and answers.

What makes a message delivered depends on the type of socket: ``pub`` when it is queued, ``dealer`` too
but for the end of a stream, which the peer confirms, ``req`` when the peer has answered. What is not
taken or not answered in time is tried again until its lane is closed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, Final

import zmq

from jobengine.clock import Clock
from jobengine.messaging.sockets.breaker import Breaker
from jobengine.messaging.sockets.departures import Departures
from jobengine.messaging.sockets.endpoint import Endpoint
from jobengine.messaging.sockets.lane import Lane
from jobengine.model.socket_options import SinkOptions
from jobengine.model.socket_url import SocketType, SocketUrl
from jobengine.ports.contents import Buffer

CONFIRMATION: Final = b"OK"
LOOK_PERIOD_NS: Final = 5_000_000
SETTLED_NS: Final = 5_000_000_000
"""Behind a user that has left, what it sent last is on its way for no longer."""
TOPICS_MAX: Final = 10_000
"""So many topics one socket carries at most."""
_MS: Final = 1_000_000
_IPC_MODE: Final = 0o777


@dataclass(frozen=True, slots=True)
class _Rules:
    """How a type of socket sends. ``is_serial``: one message at a time, each with its answer."""

    kind: int
    options: dict[int, int] = field(default_factory=dict)
    confirms_ends: bool = True
    is_serial: bool = False


_RULES = {
    SocketType.PUB: _Rules(zmq.XPUB, {zmq.XPUB_NODROP: 1}, confirms_ends=False),
    SocketType.DEALER: _Rules(zmq.DEALER),
    SocketType.REQ: _Rules(zmq.REQ, {zmq.REQ_RELAXED: 1, zmq.REQ_CORRELATE: 1}, is_serial=True),
}
"""A publisher is an XPUB socket, so that it sees its subscribers, and waits for a slow one instead of
dropping. Relaxed requests may be repeated when no answer comes; the correlation drops late answers."""


@dataclass(slots=True)
class _Entry:
    """A message on its way. ``since_ns``: when it was taken, and when it was sent once it was."""

    lane: Lane
    frames: Sequence[Buffer]
    is_end: bool
    since_ns: int


class SocketWriter:
    """Sends for its lanes. Used by one thread. Raises MediaError if the socket can't be opened."""

    def __init__(self, context: zmq.Context[Any], url: SocketUrl, options: SinkOptions, clock: Clock) -> None:
        self._rules = _RULES[url.type]
        self._clock = clock
        self._inflight = options.inflight_ops
        self._send_limit_ns = options.send_timeout_ms * (options.send_retries + 1) * _MS
        self._answer_limit_ns = options.receive_timeout_ms * (options.receive_retries + 1) * _MS
        settings = {
            zmq.SNDHWM: options.send_hwm,
            zmq.RCVHWM: options.receive_hwm,
            zmq.LINGER: self._send_limit_ns // _MS,
        }
        self._endpoint = Endpoint(context, url, self._rules.kind, settings | self._rules.options, _IPC_MODE)
        self._socket = self._endpoint.socket
        self._queue: deque[_Entry] = deque()
        self._unanswered: deque[_Entry] = deque()
        self._subscriptions: set[bytes] = set()
        self._departures = Departures()
        self._breaker = Breaker()
        self._look_ns = 0
        self.descriptors = (
            int(self._socket.getsockopt(zmq.FD)),
            self._endpoint.descriptor,
            self._departures.descriptor,
        )
        self.users = 0
        self._left_ns: dict[str, int] = {}
        """By topics: since when what was sent of them may be superseded by others."""
        self.idle_since_ns = clock.monotonic_ns()

    @property
    def is_ready(self) -> bool:
        """Whether a peer is connected, and for a publisher whether one has subscribed."""
        self._look(self._clock.monotonic_ns())
        return bool(self._subscriptions) if self._rules.kind == zmq.XPUB else self._endpoint.peers > 0

    @property
    def has_open_circuit(self) -> bool:
        """Whether the peer failed so often that it is left alone for a while."""
        return self._breaker.is_open

    def join(self, topic: str) -> Lane:
        """A new lane, for ``topic``."""
        self.users += 1
        return Lane(self, topic)

    def is_fresh(self, topic: str) -> bool:
        """Whether a router hears a topic from this socket, whoever else sent it in between.

        Of the sockets that have sent a topic it hears the newest only, so each is good for one user of it.
        The next one may follow at once where nobody knows that all of the first has been read: on another
        socket it would overtake the rest, which would be refused.
        """
        left_ns = self._left_ns.get(topic)
        if left_ns is None:
            return len(self._left_ns) < TOPICS_MAX
        return self._clock.monotonic_ns() - left_ns < SETTLED_NS

    def leave(self, lane: Lane) -> None:
        """A lane is not used any more: what it has not sent is dropped."""
        self.users -= 1
        self.idle_since_ns = now_ns = self._clock.monotonic_ns()
        self._left_ns[lane.topic] = now_ns - SETTLED_NS if lane.has_ended else now_ns
        self._queue = deque(entry for entry in self._queue if entry.lane is not lane)

    def take_back(self, lane: Lane) -> int:
        """Drop what a lane has not sent, and what nobody has answered; how many messages."""
        before = len(self._queue) + len(self._unanswered)
        self._queue = deque(entry for entry in self._queue if entry.lane is not lane)
        self._unanswered = deque(entry for entry in self._unanswered if entry.lane is not lane)
        return before - len(self._queue) - len(self._unanswered)

    def room(self, lane: Lane) -> int:
        """How many messages of a lane are taken for certain; what waits is sent before, if it can be."""
        if self._queue:
            self.poll()
        return 0 if lane.awaits_end else self._inflight - len(self._queue)

    def offer(self, lane: Lane, messages: Sequence[Sequence[Buffer]], is_end: bool = False) -> None:
        """Send messages, or keep them until they can be sent; no more than there is `room` for.

        ``is_end``: there is one, and it is the end of a stream.
        """
        now_ns = self._clock.monotonic_ns()
        if now_ns >= self._look_ns:
            self._look(now_ns)
        sent = 0
        if not self._queue and self._may_send(now_ns):
            sent = self._send(lane, messages, is_end, now_ns)
        if sent < len(messages):
            self._queue.extend([_Entry(lane, frames, is_end, now_ns) for frames in messages[sent:]])
        lane.offered += len(messages)
        lane.awaits_end = is_end and self._rules.confirms_ends

    def poll(self) -> None:
        """Take note of peers and answers, send what waits, try again what took too long."""
        now_ns = self._clock.monotonic_ns()
        if self._unanswered or self._queue or now_ns >= self._look_ns:
            self._look(now_ns)
            self._try_again(now_ns)
            while self._queue and self._may_send(now_ns):
                run = self._first_run()
                sent = self._send(run[0].lane, [entry.frames for entry in run], run[0].is_end, now_ns)
                for _ in range(sent):
                    self._queue.popleft()
                if sent < len(run):
                    break

    def close(self) -> None:
        """Close the socket; what is queued in it is still sent within the send limit. Idempotent."""
        self._endpoint.close()
        self._departures.close()

    def _first_run(self) -> list[_Entry]:
        """What waits at the head of the queue and can be sent together: elements of one lane, or one end."""
        first = self._queue[0]
        if first.is_end:
            return [first]
        return list(takewhile(lambda entry: entry.lane is first.lane and not entry.is_end, self._queue))

    def _look(self, now_ns: int) -> None:
        self._look_ns = now_ns + LOOK_PERIOD_NS
        if self._endpoint.look():
            self._breaker.succeeded()
        while self._endpoint.has_arrivals() and (frames := self._endpoint.receive()):
            self._receive([frame.bytes for frame in frames])
        self._departures.look()

    def _receive(self, frames: list[bytes]) -> None:
        if self._rules.kind == zmq.XPUB:
            change = self._subscriptions.add if frames[0][:1] == b"\x01" else self._subscriptions.discard
            change(frames[0][1:])
        elif self._unanswered:
            self._breaker.succeeded()
            entry = self._unanswered.popleft()
            if frames[-1] == CONFIRMATION or not entry.is_end:
                entry.lane.delivered += 1
                entry.lane.safe = entry.lane.delivered
                entry.lane.awaits_end, entry.lane.has_ended = False, entry.is_end
            else:
                entry.lane.fail(f"{self._endpoint.url} answered {frames[-1][:40]!r} to the end of a stream")

    def _may_send(self, now_ns: int) -> bool:
        """Whether anybody is there, and not left alone."""
        if not self._endpoint.peers and self._rules.kind != zmq.XPUB:
            return False
        return not self._breaker.failures or self._breaker.admits(now_ns)

    def _send(self, lane: Lane, messages: Sequence[Sequence[Buffer]], is_end: bool, now_ns: int) -> int:
        """How many messages libzmq took now, from the first one on."""
        rules, departures, sent = self._rules, self._departures, 0
        if rules.is_serial or (is_end and rules.confirms_ends):
            return self._ask(lane, messages[0], is_end, now_ns)
        while sent < len(messages):
            count, size_bytes = self._send_some(messages[sent:] if sent else messages, now_ns)
            if not count:
                break
            lane.delivered += count
            departures.sent(lane, lane.delivered, size_bytes)
            sent += count
        if sent and self._breaker.failures:
            self._breaker.succeeded()
        return sent

    def _ask(self, lane: Lane, frames: Sequence[Buffer], is_end: bool, now_ns: int) -> int:
        """Send one message that the peer answers."""
        if self._rules.is_serial and self._unanswered:
            return 0
        count, size_bytes = self._send_some((frames,), now_ns)
        if count:
            self._departures.sent(lane, lane.delivered + 1, size_bytes)
            self._unanswered.append(_Entry(lane, frames, is_end, now_ns))
        return count

    def _send_some(self, messages: Sequence[Sequence[Buffer]], now_ns: int) -> tuple[int, int]:
        """Send one with a mark, or those up to the next one; how many, and their bytes."""
        departures = self._departures
        if not departures.has_credit:
            return 0, 0
        if unmarked_bytes := departures.unmarked_bytes(now_ns):
            return self._endpoint.send(messages, unmarked_bytes)
        topic = memoryview(messages[0][0])
        marked = zmq.Frame(topic, copy=False, copy_threshold=0)
        count, size_bytes = self._endpoint.send(((marked, *messages[0][1:]),), 1)
        if count:
            departures.mark(topic, now_ns)
        return count, size_bytes

    def _try_again(self, now_ns: int) -> None:
        """What was not taken or not answered within its limit begins anew, at the head of the queue."""
        if self._queue and now_ns - self._queue[0].since_ns >= self._send_limit_ns:
            self._count_failure(self._queue[0], now_ns)
        while self._unanswered and now_ns - self._unanswered[0].since_ns >= self._answer_limit_ns:
            entry = self._unanswered.popleft()
            if not entry.lane.is_closed:
                self._queue.appendleft(entry)
            self._count_failure(entry, now_ns)

    def _count_failure(self, entry: _Entry, now_ns: int) -> None:
        entry.since_ns = now_ns
        entry.lane.retries += 1
        self._breaker.failed(now_ns)
