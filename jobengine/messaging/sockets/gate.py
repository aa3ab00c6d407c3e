"""Who may write a topic: the newest writer, unless the topic is shut out for a while.

Two writers on one topic would mix their streams. The one that came last wins; the others are refused
from then on. A topic whose records can't be understood is blocked for some seconds, so that it costs
little. Both memories are bounded: the topics used least recently are forgotten.
"""

from __future__ import annotations

from collections import OrderedDict

from jobengine.clock import Clock
from jobengine.model.socket_options import SourceOptions

_FORMER_MAX = 16


class Gate:
    """The memory of one reader."""

    def __init__(self, options: SourceOptions, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._writers: OrderedDict[bytes, list[bytes]] = OrderedDict()
        self._blocked: OrderedDict[bytes, int] = OrderedDict()

    def is_fenced(self, topic: bytes, writer: bytes) -> bool:
        """Whether this writer has been replaced on the topic by a newer one."""
        writers = self._writers.setdefault(topic, [])
        self._writers.move_to_end(topic)
        if len(self._writers) > self._options.routing_ids:
            self._writers.popitem(last=False)
        if writer in writers:
            return writers[-1] != writer
        writers.append(writer)
        del writers[:-_FORMER_MAX]
        return False

    def is_blocked(self, topic: bytes) -> bool:
        """Whether the topic is shut out now."""
        until_ns = self._blocked.get(topic)
        if until_ns is None:
            return False
        if self._clock.monotonic_ns() < until_ns:
            return True
        del self._blocked[topic]
        return False

    def block(self, topic: bytes) -> None:
        """Shut a topic out for the configured time."""
        self._blocked[topic] = self._clock.monotonic_ns() + int(self._options.block_s * 1e9)
        self._blocked.move_to_end(topic)
        if len(self._blocked) > self._options.blocked_topics:
            self._blocked.popitem(last=False)
