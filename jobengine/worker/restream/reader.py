"""Reads a stored stream in order of arrival, some elements ahead of what is sent.

What is in use is pinned, a stretch ahead at a time, so that limits of the stream don't take it away
between being found and being sent; a job that stands still for long lets its pin run out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from jobengine.clock import Clock
from jobengine.errors import JobEngineError
from jobengine.model.element import PTS_MIN, ElementKind, Gap, PayloadState, StoredElement
from jobengine.model.message import Message, message_of
from jobengine.ports.contents import Buffer
from jobengine.worker.restream.pins import PIN_ELEMENTS, Pin
from jobengine.worker.restream.shared_store import SharedStore

FIRST_BATCH = 8
AHEAD_ELEMENTS = 16
"""Fewer than so many are few: a job that has time reads on then, in batches of four times as many."""


class Batch(NamedTuple):
    """How much is read at once, at most."""

    elements: int
    size_bytes: int


BATCH = Batch(64, 4 << 20)
FAST_BATCH = Batch(256, 32 << 20)
"""What is read at once where elements are sent when they are due, and where they are sent as fast as it
goes: a look at the store takes as long as sending several elements, and a socket may have more than that
under way."""
PINNED_BATCHES = 16
"""So many batches are pinned at once, and no fewer elements than `PIN_ELEMENTS`."""


class Entry(msgspec.Struct, frozen=True, gc=False):
    """An element with its payload; ``planes`` None: it was never stored, or is gone.

    What is asked of every element when it is due is found out while a batch is read: ``message`` says what it
    is if it is no media, ``timestamp`` is the time that counts (dts, or pts where there is none) in ticks.
    ``is_plain``: it is media, and has what was to be read of it.
    """

    stored: StoredElement
    planes: Sequence[Buffer] | None
    message: Message | None
    timestamp: int
    payload_bytes: int
    is_plain: bool


class Reader:
    """Reads on from ``sequence``. Used by one thread; `close` lets go of the pin."""

    def __init__(
        self, shared: SharedStore, stream: int, sequence: int, clock: Clock, with_payload: bool
    ) -> None:
        self._shared = shared
        self._store = shared.store
        self._pins = shared.pins
        self._stream = stream
        self._clock = clock
        self._with_payload = with_payload
        self._next = sequence
        self._ahead: deque[Entry | Gap] = deque()
        self._elements = FIRST_BATCH
        self._mean_bytes = 1
        self._version = -1
        self._may_get_ahead = True
        self._pin: Pin | None = None

    def take(self) -> Entry | Gap | None:
        """The next entry; None at the live end."""
        ahead = self._ahead
        if not ahead:
            self._may_get_ahead = True
            self._read_on(self._elements, BATCH)
        return ahead.popleft() if ahead else None

    def plain(self, kind: ElementKind, batch: Batch) -> list[Entry]:
        """What comes next, as far as it was read and is plain media of a kind, its times not falling back. If
        nothing was read, at most so much is."""
        if not self._ahead:
            self._may_get_ahead = True
            self._read_on(self._elements, batch)
        found: list[Entry] = []
        timestamp = PTS_MIN
        for entry in self._ahead:
            if isinstance(entry, Gap) or not entry.is_plain or entry.stored.element.kind is not kind:
                break
            if entry.timestamp < timestamp:
                break
            timestamp = entry.timestamp
            found.append(entry)
        return found

    def pass_over(self, count: int) -> None:
        """So many entries are taken."""
        for _ in range(count):
            self._ahead.popleft()

    @property
    def is_short(self) -> bool:
        """Whether few elements are left of what was read, and more are likely to be there."""
        return self._may_get_ahead and len(self._ahead) < AHEAD_ELEMENTS

    def get_ahead(self) -> None:
        """Read on before more is wanted. What goes wrong is met again by whoever wants it."""
        try:
            self._read_on(min(self._elements, 4 * AHEAD_ELEMENTS), BATCH)
        except JobEngineError:
            self._may_get_ahead = False

    def close(self) -> None:
        """Read no further."""
        self._ahead.clear()
        if self._pin is not None:
            self._pins.release(self._pin)
            self._pin = None

    def _read_on(self, elements: int, batch: Batch) -> None:
        """Fetch so many elements, or a batch, unless nothing can have come since there was none.

        Its size is told by the elements before; those of the first one are few.
        """
        version = self._shared.version()
        if version == self._version:
            self._may_get_ahead = False
            return
        limit = max(1, min(elements, batch.elements, batch.size_bytes // self._mean_bytes))
        entries = self._store.scan(self._stream, self._next, limit)
        self._may_get_ahead = len(entries) == limit
        if not entries:
            self._version = version
            return
        self._keep_pinned(limit)
        self._add(entries)
        self._elements = min(batch.elements, 2 * self._elements)

    def _add(self, entries: Sequence[StoredElement | Gap]) -> None:
        elements = [entry for entry in entries if isinstance(entry, StoredElement)]
        planes = iter(self._store.payloads(elements) if self._with_payload else [None] * len(elements))
        read_bytes = 0
        for entry in entries:
            if isinstance(entry, Gap):
                self._ahead.append(entry)
                self._next = entry.last_sequence + 1
                continue
            element, payload_bytes = entry.element, sum(entry.planes)
            message = message_of(element) if element.attributes else None
            timestamp = element.dts if element.dts is not None else element.pts or 0
            payload = next(planes)
            is_whole = payload is not None or entry.payload is PayloadState.NEVER or not self._with_payload
            is_plain = is_whole and message is None
            self._ahead.append(Entry(entry, payload, message, timestamp, payload_bytes, is_plain))
            self._next = entry.sequence + 1
            read_bytes += payload_bytes
        self._mean_bytes = read_bytes // len(entries) + 1

    def _keep_pinned(self, elements: int) -> None:
        """See that so many elements more are pinned."""
        former, now_ns = self._pin, self._clock.monotonic_ns()
        if not self._with_payload or (former and former.reaches(self._next, elements, now_ns)):
            return
        self._pin = self._pins.hold(self._stream, self._next, max(PIN_ELEMENTS, PINNED_BATCHES * elements))
        if former is not None:
            self._pins.release(former)
