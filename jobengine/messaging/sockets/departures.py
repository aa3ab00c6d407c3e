"""What has left the process: how far the death of a sender would lose nothing that it had sent.

libzmq queues messages in the process. Now and then the topic of one is marked, and watched until libzmq
has let it go; as it keeps their order, all before it have then gone too, but for the last `BATCH_BYTES`,
which may still wait in its output buffer.
"""

from __future__ import annotations

import os
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Any, Final
from weakref import ref

from jobengine.messaging.sockets.lane import Lane

BATCH_BYTES: Final = 8192
PERIOD_NS: Final = 100_000_000
PERIOD_BYTES: Final = 8 << 20
LANE_NS: Final = 1_000_000
"""Those who use the lanes of a socket write down what is safe, so of many lanes each is told more seldom:
after so much for each of them."""
CREDIT_BYTES: Final = 64 << 20
"""What may be queued in the process; high-water marks only count messages. When it is used up there is none
until half of it has left, so that a sender is not woken for every few messages."""


@dataclass(frozen=True, slots=True)
class _Mark:
    topic: ref[memoryview]
    before_bytes: int
    lanes: dict[Lane, int]


class Departures:
    """The marks of one socket. ``descriptor`` becomes readable when there is credit again; `close` it."""

    def __init__(self) -> None:
        self._marks: deque[_Mark] = deque()
        self._moved: dict[Lane, int] = {}
        self._sent_bytes = 0
        self._gone_bytes = 0
        self._next_ns = 0
        self._next_bytes = 0
        self._tell_ns = 0
        self._closing = Lock()
        self.descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.has_credit = True
        """Whether more bytes may be queued."""

    def unmarked_bytes(self, now_ns: int) -> int:
        """Where there is credit: how many bytes may be sent until a mark is due or none is left. 0: the topic
        of the next message should be marked."""
        if now_ns >= self._next_ns or self._sent_bytes >= self._next_bytes:
            return 0
        return min(self._next_bytes, self._gone_bytes + CREDIT_BYTES) - self._sent_bytes

    def mark(self, topic: memoryview, now_ns: int) -> None:
        """The message that is about to be noted was sent with this topic, not copied; only libzmq holds it
        for long."""
        watched = ref(topic, partial(self._let_go, self._sent_bytes))
        lanes: dict[Lane, int] = {}
        if now_ns >= self._tell_ns:
            lanes, self._moved = self._moved, lanes
            self._tell_ns = now_ns + LANE_NS * len(lanes)
        self._marks.append(_Mark(watched, self._sent_bytes, lanes))
        self._next_ns = now_ns + PERIOD_NS
        self._next_bytes = self._sent_bytes + PERIOD_BYTES

    def sent(self, lane: Lane, count: int, size_bytes: int) -> None:
        """So many bytes were given to libzmq; with them, ``count`` messages of the lane in all are."""
        self._moved[lane] = count
        self._sent_bytes += size_bytes
        if self._sent_bytes - self._gone_bytes >= CREDIT_BYTES:
            self.has_credit = False
            self.look()  # a mark that left before would not ring

    def look(self) -> None:
        """Tell the lanes what has left."""
        gone = -1
        for place, mark in enumerate(self._marks):
            if mark.topic() is not None:
                break
            gone = place
        if gone < 0:
            return
        self._gone_bytes = self._marks[gone].before_bytes
        if not self.has_credit and self._is_credit_behind(self._gone_bytes):
            self.has_credit = True
            with suppress(BlockingIOError):  # it has not rung if this was looked at by chance
                os.eventfd_read(self.descriptor)
        safe_bytes = self._gone_bytes - BATCH_BYTES
        while self._marks and self._marks[0].before_bytes <= safe_bytes:
            for lane, count in self._marks.popleft().lanes.items():
                lane.safe = max(lane.safe, min(count, lane.delivered))

    def close(self) -> None:
        """Marks are not watched any more. Idempotent."""
        with self._closing:
            self._marks.clear()
            if self.descriptor >= 0:
                os.close(self.descriptor)
                self.descriptor = -1

    def _is_credit_behind(self, gone_bytes: int) -> bool:
        return self._sent_bytes - gone_bytes <= CREDIT_BYTES // 2

    def _let_go(self, before_bytes: int, _: Any) -> None:
        """A mark has left: called by the thread of pyzmq that drops buffers, or by the one that has sent."""
        if self.has_credit or not self._is_credit_behind(before_bytes):
            return
        with self._closing:
            if self.descriptor >= 0:
                os.eventfd_write(self.descriptor, 1)
