"""Elements that are planned in one go and handed on as they fall due.

What the job is to say of each of them - the stream clock, the ledger - is found out when it is asked for, so
that at its moment little more than sending is left.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass

import msgspec

from jobengine.model.condition import Milestone
from jobengine.model.element import Element
from jobengine.ports.contents import Buffer
from jobengine.worker.restream.counts import StreamClock
from jobengine.worker.restream.ledger import Delivered
from jobengine.worker.restream.reader import AHEAD_ELEMENTS, Run


@dataclass(slots=True)
class Stretch:
    """Plain media in order, all of it short of ``milestone``.

    ``elements`` and ``planes`` are what leaves for each of the ``run``, ``due_ns`` when; empty: all of it at
    once. ``safe_clock`` is the stream clock and ``record`` what the ledger says behind the first ``safe``
    of them, none to begin with. So many have been ``sent``, and so many of these ``noted`` by the job. Up to
    ``look`` of them can be sent without a look at anything else.
    """

    run: Run
    elements: Sequence[Element]
    planes: Sequence[Sequence[Buffer]]
    due_ns: Sequence[int]
    milestone: Milestone | None
    safe_clock: StreamClock
    record: Delivered
    safe: int = 0
    sent: int = 0
    noted: int = 0
    look: int = 0
    sent_ns: int = 0

    @property
    def is_over(self) -> bool:
        """Whether all was sent."""
        return self.sent == len(self.elements)

    def due(self, now_ns: int) -> int:
        """How many from the first one on are due by now."""
        due_ns = self.due_ns
        return bisect_right(due_ns, now_ns, self.sent) if due_ns else len(self.elements)

    def look_again(self) -> None:
        """All was looked at: that is needed again where few elements are left to send, and at the end."""
        end = len(self.elements)
        few = end - AHEAD_ELEMENTS + 1
        self.look = few if self.sent < few else end

    def let_go(self) -> None:
        """Nothing more of it is sent. Until all of it is safe only what the ledger may have to say is kept:
        thousands of elements may be on their way, and what lives that long has left the processor's caches
        when it is dropped."""
        self.elements = self.planes = ()
        self.run.let_go()

    def record_behind(self, count: int) -> Delivered:
        """What the ledger says behind the first ``count`` of them, no fewer than when last asked."""
        begin, clock, run = self.safe, self.safe_clock, self.run
        if begin >= count:
            return self.record
        first, last = run.timestamps[begin], run.timestamps[count - 1]
        clock.handed_on_in_order(run.elements[begin:count], first, last)
        self.safe = count
        self.record = msgspec.structs.replace(
            self.record,
            sequence=run.sequence + count,
            elements=clock.elements,
            key_elements=clock.key_elements,
            position=clock.position,
            timestamp=clock.timestamp,
            last_id=clock.last_id,
        )
        return self.record


def short_of(milestone: Milestone, clock: StreamClock, run: Run) -> int:
    """How many of these leave the stream clock before the milestone."""
    clock = copy(clock)
    for count, (element, timestamp) in enumerate(zip(run.elements, run.timestamps, strict=True)):
        clock.handed_on(element, timestamp)
        if milestone.is_reached(clock):
            return count
    return len(run)
