"""Handing elements to a sink: in order, each in time, with a note of how far it is safe."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from jobengine.clock import Clock
from jobengine.model.element import Element
from jobengine.ports.contents import Buffer
from jobengine.ports.sink import Sink
from jobengine.worker.restream.failures import DeliveryTimeout
from jobengine.worker.restream.ledger import Delivered, Ledger
from jobengine.worker.restream.stretch import Stretch

RETRY_NS = 1_000_000
RETRY_MAX_NS = 20_000_000
NEWS_MAX_NS = 50_000_000
"""How often a job looks by itself for room, for a peer or an answer: more and more rarely. Where its sink has
descriptors, they wake it as soon as there is something to see, so it looks rarely from the start. There may
be hundreds of jobs that wait for one sink that is not there, beside others that have elements to send."""


@dataclass(slots=True)
class _Unsafe:
    """Offers from ``begin`` up to ``end``: one element with what the ledger says behind it, or the entries of
    a stretch from ``first`` up to ``behind``. To one that ``is_closed`` no more are added."""

    begin: int
    end: int
    what: Delivered | Stretch
    first: int = 0
    behind: int = 1
    is_closed: bool = False

    def record_at(self, safe: int) -> Delivered:
        """What the ledger says once so many offers are safe, one of these at least."""
        if isinstance(self.what, Delivered):
            return self.what
        return self.what.record_behind(self.behind if safe >= self.end else self.first + safe - self.begin)


class Delivery:
    """Feeds one sink. ``limit_ns``: how long one element may take, from the first attempt on; ``skips``: what
    takes longer is a dead letter, and not the end of the job. While the circuit of the sink is open, nothing
    waits that long.
    """

    def __init__(self, sink: Sink, ledger: Ledger | None, clock: Clock, limit_ns: int) -> None:
        self.sink = sink
        self.limit_ns = limit_ns
        self.skips = False
        self.dead_letters = 0
        self._ledger = ledger
        self._clock = clock
        self._offered = self._newest_end = 0
        self._attempt_ns: int | None = None
        self._retry_ns = self._first_retry_ns = RETRY_MAX_NS if sink.descriptors else RETRY_NS
        self._under_way: deque[tuple[int, int]] = deque()
        self._unsafe: deque[_Unsafe] = deque()
        self._noted = 0

    @property
    def under_way(self) -> int:
        """How many elements are handed over and not delivered."""
        return self._offered - self.sink.delivered

    def offer(self, elements: Sequence[Element], planes: Sequence[Sequence[Buffer]], now_ns: int) -> int:
        """Hand over elements; how many. None: the sink has no room, try again at `retry_ns`."""
        return self._take_note(self.sink.offer(elements, planes), now_ns)

    def offer_end(self, labels: Sequence[str], element_id: bytes, now_ns: int) -> bool:
        """Hand over an end of stream, as an element."""
        if not self._take_note(int(self.sink.offer_end(labels, element_id)), now_ns):
            return False
        self._newest_end = self._offered
        return True

    def record(self, record: Delivered) -> None:
        """What the ledger is to say once all that was handed over so far is safe."""
        self._unsafe.append(_Unsafe(self._offered - 1, self._offered, record))
        self._note_safe()

    def hand_on(self, stretch: Stretch, end: int, now_ns: int) -> bool:
        """Hand over a stretch up to its entry ``end``, as far as there is room, and say behind each what the
        ledger is to say. False: there is none, try again at `retry_ns`."""
        first = stretch.sent
        elements, planes = stretch.elements[first:end], stretch.planes[first:end]
        taken = self._take_note(self.sink.offer(elements, planes), now_ns)
        if not taken:
            return False
        behind = first + taken
        stretch.sent, stretch.sent_ns = behind, now_ns
        offered = self._offered
        last = self._unsafe[-1] if self._unsafe else None
        if last is not None and last.what is stretch and not last.is_closed:
            last.end, last.behind = offered, behind
        else:
            self._unsafe.append(_Unsafe(offered - taken, offered, stretch, first, behind))
        if self.sink.safe != self._noted:
            self._note_safe()
        return True

    def retry_ns(self, now_ns: int, max_ns: int = RETRY_MAX_NS) -> int:
        """When to try again what was refused: soon at first, then less often."""
        wait_ns = min(self._retry_ns, max_ns)
        self._retry_ns = 2 * wait_ns
        return now_ns + wait_ns

    def news_ns(self, now_ns: int) -> int:
        """When to look again for what the sink's descriptors tell, no later than it may take."""
        wake_ns, oldest_ns = self.retry_ns(now_ns, NEWS_MAX_NS), self._oldest_ns
        return wake_ns if oldest_ns is None else min(wake_ns, oldest_ns + self.limit_ns + 1)

    def settle(self, now_ns: int) -> None:
        """Take note of what has arrived. Raises DeliveryTimeout for what has not in time."""
        self.sink.poll()
        self._note_safe()
        delivered = self.sink.delivered
        while self._under_way and self._under_way[0][0] <= delivered:
            self._under_way.popleft()
        oldest_ns = self._oldest_ns
        if oldest_ns is not None and now_ns - oldest_ns > self.limit_ns:
            self._overdue((now_ns - oldest_ns) / 1e6)

    @property
    def _oldest_ns(self) -> int | None:
        """Since when what is not delivered has been on its way; None: all is delivered."""
        return self._under_way[0][1] if self._under_way else self._attempt_ns

    def _overdue(self, waited_ms: float) -> None:
        if not self.skips:
            left = self.under_way
            behind = f"; {left} are not delivered" if left > 1 else ""
            is_end = bool(self._under_way) and self._under_way[0][0] == self._newest_end
            failing = "confirm an end of stream" if is_end else "take an element"
            raise DeliveryTimeout(f"the sink did not {failing} within {waited_ms:.0f} ms{behind}")
        self._give_up()

    def _give_up(self) -> None:
        """What the sink has not taken is not sent; the ledger goes on as if it had never been offered."""
        lost = self.sink.give_up()
        self.dead_letters += lost
        self._offered -= lost
        self._under_way = deque((min(count, self._offered), ns) for count, ns in self._under_way)
        for each in self._unsafe:
            each.begin, each.end = min(each.begin, self._offered), min(each.end, self._offered)
            each.is_closed = True
        self._noted = -1
        self._note_safe()

    def _note_safe(self) -> None:
        safe, unsafe, last = self.sink.safe, self._unsafe, None
        if safe == self._noted:
            return
        self._noted = safe
        while unsafe and unsafe[0].end <= safe:
            last = unsafe.popleft()
        if unsafe and unsafe[0].begin < safe:
            last = unsafe[0]
        if last is not None and self._ledger is not None:
            self._ledger.note(last.record_at(safe), self.sink.mark)

    def _take_note(self, taken: int, now_ns: int) -> int:
        if taken:
            self._offered += taken
            if self.sink.delivered < self._offered:
                self._under_way.append((self._offered, self._attempt_ns or now_ns))
            self._attempt_ns, self._retry_ns = None, self._first_retry_ns
        else:
            self._attempt_ns = self._attempt_ns or now_ns
            if self.skips and self.sink.has_open_circuit:
                self._give_up()
            self.settle(now_ns)
        return taken
