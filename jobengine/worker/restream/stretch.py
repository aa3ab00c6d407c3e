"""Elements handed on in one go: where the stream clock stands within them is found out if asked for."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass

import msgspec

from jobengine.model.condition import Milestone
from jobengine.worker.restream.counts import StreamClock
from jobengine.worker.restream.ledger import Delivered
from jobengine.worker.restream.reader import Entry


@dataclass(frozen=True, slots=True)
class Stretch:
    """``before`` is the stream clock before its ``entries``, ``record`` what the ledger says behind them."""

    before: StreamClock
    entries: Sequence[Entry]
    record: Delivered

    def record_behind(self, count: int) -> Delivered:
        """What the ledger says behind the first ``count`` entries."""
        clock = _behind(self.before, self.entries[:count])
        return msgspec.structs.replace(
            self.record,
            sequence=self.entries[count - 1].stored.sequence + 1,
            elements=clock.elements,
            key_elements=clock.key_elements,
            position=clock.position,
            timestamp=clock.timestamp,
            last_id=clock.last_id,
        )


def short_of(milestone: Milestone, clock: StreamClock, entries: Sequence[Entry]) -> int:
    """How many of these leave the stream clock before the milestone."""
    clock = copy(clock)
    for count, entry in enumerate(entries):
        clock.handed_on(entry.stored.element, entry.timestamp)
        if milestone.is_reached(clock):
            return count
    return len(entries)


def _behind(clock: StreamClock, entries: Sequence[Entry]) -> StreamClock:
    clock = copy(clock)
    for entry in entries:
        clock.handed_on(entry.stored.element, entry.timestamp)
    return clock
