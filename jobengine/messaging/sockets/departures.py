"""What has left the process: how far the death of a sender would lose nothing that it had sent.

libzmq queues messages in the process. Now and then one is sent with a tracker, which says when libzmq
has let it go; as it keeps their order, all before it have then gone too, but for the last
`BATCH_BYTES`, which may still wait in its output buffer.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from zmq import MessageTracker

from jobengine.messaging.sockets.lane import Lane

BATCH_BYTES: Final = 8192
PERIOD_NS: Final = 100_000_000
PERIOD_BYTES: Final = 4 << 20
CREDIT_BYTES: Final = 64 << 20
"""What may be queued in the process; high-water marks only count messages. When it is used up there is none
until half of it has left, so that a sender is not woken for every few messages."""


@dataclass(frozen=True, slots=True)
class _Mark:
    tracker: MessageTracker
    before_bytes: int
    lanes: dict[Lane, int]


class Departures:
    """The marks of one socket."""

    def __init__(self) -> None:
        self._marks: deque[_Mark] = deque()
        self._moved: dict[Lane, int] = {}
        self._sent_bytes = 0
        self._gone_bytes = 0
        self._next_ns = 0
        self._next_bytes = 0
        self.has_credit = True
        """Whether more bytes may be queued."""

    def wants_mark(self, now_ns: int) -> bool:
        """Whether the next message should be sent with a tracker."""
        return self._sent_bytes >= self._next_bytes or now_ns >= self._next_ns

    def mark(self, tracker: MessageTracker, now_ns: int) -> None:
        """The message that is about to be noted was sent with this tracker."""
        self._marks.append(_Mark(tracker, self._sent_bytes, self._moved))
        self._moved = {}
        self._next_ns = now_ns + PERIOD_NS
        self._next_bytes = self._sent_bytes + PERIOD_BYTES

    def sent(self, lane: Lane, size: int) -> None:
        """The next message of a lane, of so many bytes, was given to libzmq."""
        self._moved[lane] = lane.delivered + 1
        self._sent_bytes += size
        if self._sent_bytes - self._gone_bytes >= CREDIT_BYTES:
            self.has_credit = False

    def look(self) -> None:
        """Tell the lanes what has left."""
        gone = -1
        for place, mark in enumerate(self._marks):
            if not mark.tracker.done:
                break
            gone = place
        if gone < 0:
            return
        self._gone_bytes = self._marks[gone].before_bytes
        if self._sent_bytes - self._gone_bytes <= CREDIT_BYTES // 2:
            self.has_credit = True
        safe_bytes = self._gone_bytes - BATCH_BYTES
        while self._marks and self._marks[0].before_bytes <= safe_bytes:
            for lane, count in self._marks.popleft().lanes.items():
                lane.safe = max(lane.safe, min(count, lane.delivered))
