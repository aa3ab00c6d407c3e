"""Messages sent on as they came. It never holds the recording up: what can't be sent in time is left out."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from jobengine.errors import SinkError
from jobengine.messaging.sockets.lane import Lane
from jobengine.messaging.sockets.reader import Outcome, Received
from jobengine.ports.contents import Buffer


class Passing:
    """Sends on over a lane. At most ``bound`` messages wait beside those that the lane holds."""

    def __init__(self, lane: Lane, bound: int, metadata_only: bool) -> None:
        self._lane = lane
        self._waiting: deque[tuple[Sequence[Buffer], bool]] = deque()
        self._bound = bound
        self._metadata_only = metadata_only
        self.passed = 0
        self.dropped = 0

    @property
    def is_waiting(self) -> bool:
        """Whether something has not been sent on, or not been confirmed."""
        return bool(self._waiting) or self._lane.delivered < self._lane.offered

    def take(self, message: Received) -> None:
        """Send a message on, or let it wait, or drop it."""
        parts = () if self._metadata_only else message.parts
        if len(self._waiting) >= self._bound:
            self.dropped += 1
            return
        self._waiting.append(((message.topic, message.record, *parts), message.outcome is Outcome.END))
        self.go_on()

    def go_on(self) -> None:
        """Send what waits, as far as the sink takes it. A sink that answers wrongly gets nothing more."""
        try:
            self._lane.poll()
        except SinkError:
            self.dropped += len(self._waiting)
            self._waiting.clear()
            self._bound = 0
        while self._waiting and self._lane.room:
            frames, is_end = self._waiting.popleft()
            self._lane.offer((frames,), is_end)
            self.passed += 1

    def close(self) -> None:
        """Leave the lane. Idempotent."""
        self._lane.close()
