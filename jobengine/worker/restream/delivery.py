"""Handing elements to a sink: in order, each in time, with a note of how far it is safe."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from jobengine.clock import Clock
from jobengine.model.element import Element
from jobengine.ports.contents import Buffer
from jobengine.ports.sink import Sink
from jobengine.worker.restream.failures import DeliveryTimeout
from jobengine.worker.restream.ledger import Delivered, Ledger

RETRY_NS = 1_000_000
RETRY_MAX_NS = 20_000_000


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
        self._offered = 0
        self._attempt_ns: int | None = None
        self._retry_ns = RETRY_NS
        self._under_way: deque[tuple[int, int]] = deque()
        self._unsafe: deque[tuple[int, Delivered]] = deque()

    @property
    def under_way(self) -> int:
        """How many elements are handed over and not delivered."""
        return self._offered - self.sink.delivered

    def offer(self, element: Element, planes: Sequence[Buffer], now_ns: int) -> bool:
        """Hand over an element; False: the sink has no room, try again at `retry_ns`."""
        return self._take_note(self.sink.offer(element, planes), now_ns)

    def offer_end(self, labels: Sequence[str], element_id: bytes, now_ns: int) -> bool:
        """Hand over an end of stream, as an element."""
        return self._take_note(self.sink.offer_end(labels, element_id), now_ns)

    def record(self, record: Delivered) -> None:
        """What the ledger is to say once all that was handed over so far is safe."""
        self._unsafe.append((self._offered, record))
        if self.sink.safe >= self._unsafe[0][0]:
            self._note_safe()

    def retry_ns(self, now_ns: int) -> int:
        """When to try again what was refused: soon at first, then less often."""
        wait_ns = self._retry_ns
        self._retry_ns = min(2 * wait_ns, RETRY_MAX_NS)
        return now_ns + wait_ns

    def settle(self, now_ns: int) -> None:
        """Take note of what has arrived. Raises DeliveryTimeout for what has not in time."""
        self.sink.poll()
        self._note_safe()
        delivered = self.sink.delivered
        while self._under_way and self._under_way[0][0] <= delivered:
            self._under_way.popleft()
        oldest_ns = self._under_way[0][1] if self._under_way else self._attempt_ns
        if oldest_ns is not None and now_ns - oldest_ns > self.limit_ns:
            self._overdue((now_ns - oldest_ns) / 1e6)

    def _overdue(self, waited_ms: float) -> None:
        if not self.skips:
            left = self.under_way
            behind = f"; {left} are not delivered" if left > 1 else ""
            raise DeliveryTimeout(f"the sink did not take an element within {waited_ms:.0f} ms{behind}")
        self._give_up()

    def _give_up(self) -> None:
        """What the sink has not taken is not sent; the ledger goes on as if it had never been offered."""
        lost = self.sink.give_up()
        self.dead_letters += lost
        self._offered -= lost
        self._under_way = deque(entry for entry in self._under_way if entry[0] <= self._offered)
        self._unsafe = deque((min(count, self._offered), record) for count, record in self._unsafe)
        self._note_safe()

    def _note_safe(self) -> None:
        safe, unsafe, record = self.sink.safe, self._unsafe, None
        while unsafe and unsafe[0][0] <= safe:
            record = unsafe.popleft()[1]
        if record is not None and self._ledger is not None:
            self._ledger.note(record, self.sink.mark)

    def _take_note(self, is_taken: bool, now_ns: int) -> bool:
        if is_taken:
            self._offered += 1
            if self.sink.delivered < self._offered:
                self._under_way.append((self._offered, self._attempt_ns or now_ns))
            self._attempt_ns, self._retry_ns = None, RETRY_NS
        else:
            self._attempt_ns = self._attempt_ns or now_ns
            if self.skips and self.sink.has_open_circuit:
                self._give_up()
            self.settle(now_ns)
        return is_taken
