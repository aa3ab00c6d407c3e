"""Reads a stored stream in order of arrival, some elements ahead of what is sent.

What is in use is pinned, a stretch ahead at a time, so that limits of the stream don't take it away
between being found and being sent; a job that stands still for long lets its pin run out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import msgspec

from jobengine.clock import Clock
from jobengine.errors import JobEngineError
from jobengine.model.element import PTS_MIN, Element, ElementKind, Gap, PayloadState, StoredElement
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

    ``message`` says what it is if it is no media, ``timestamp`` is the time that counts (dts, or pts where
    there is none) in ticks.
    """

    stored: StoredElement
    planes: Sequence[Buffer] | None
    message: Message | None
    timestamp: int

    @property
    def payload_bytes(self) -> int:
        """Those that are stored, read or not."""
        return sum(self.stored.planes)


@dataclass(slots=True)
class Run:
    """Plain media in order, their times not falling back: of each what an `Entry` says, column by column, as
    hundreds are sent together. ``sequence`` is that of the first; there is no gap between them."""

    sequence: int
    elements: Sequence[Element]
    timestamps: Sequence[int]
    stored: Sequence[StoredElement]
    planes: Sequence[Sequence[Buffer] | None]

    def __len__(self) -> int:
        return len(self.elements)

    def payload_bytes(self, begin: int, end: int) -> int:
        """Those that are stored of some of them, read or not."""
        return sum(map(sum, [stored.planes for stored in self.stored[begin:end]]))

    def first(self, count: int) -> Run:
        """So many of them."""
        if count == len(self):
            return self
        elements, timestamps = self.elements[:count], self.timestamps[:count]
        return Run(self.sequence, elements, timestamps, self.stored[:count], self.planes[:count])

    def let_go(self) -> None:
        """Keep only what the ledger may have to say of it."""
        self.stored = self.planes = ()


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
        self._ahead: list[StoredElement | Gap] = []
        self._planes: list[Sequence[Buffer] | None] = []
        self._taken = 0
        """So many of what is ahead, and of its planes, are taken."""
        self._elements = FIRST_BATCH
        self._mean_bytes = 1
        self._version = -1
        self._may_get_ahead = True
        self._pin: Pin | None = None

    def take(self) -> Entry | Gap | None:
        """The next entry; None at the live end."""
        self._look_ahead(BATCH)
        place = self._taken
        if place == len(self._ahead):
            return None
        self._taken = place + 1
        stored = self._ahead[place]
        if isinstance(stored, Gap):
            return stored
        element = stored.element
        timestamp = element.dts if element.dts is not None else element.pts or 0
        return Entry(stored, self._planes[place], message_of(element), timestamp)

    def plain(self, kind: ElementKind, batch: Batch) -> Run:
        """What comes next, as far as it was read and is plain media of a kind, its times not falling back:
        media that has what was to be read of it. If nothing was read, at most so much is."""
        self._look_ahead(batch)
        begin = self._taken
        elements: list[Element] = []
        timestamps: list[int] = []
        latest = PTS_MIN
        for entry, planes in zip(self._ahead[begin:], self._planes[begin:], strict=True):
            if isinstance(entry, Gap) or (planes is None and not self._is_whole(entry)):
                break
            element = entry.element
            if element.kind is not kind or (element.attributes and message_of(element) is not None):
                break
            timestamp = element.dts if element.dts is not None else element.pts or 0
            if timestamp < latest:
                break
            latest = timestamp
            elements.append(element)
            timestamps.append(timestamp)
        end = begin + len(elements)
        stored = cast("list[StoredElement]", self._ahead[begin:end])
        sequence = stored[0].sequence if stored else 0
        return Run(sequence, elements, timestamps, stored, self._planes[begin:end])

    def pass_over(self, count: int) -> None:
        """So many entries are taken."""
        self._taken += count

    @property
    def is_short(self) -> bool:
        """Whether few elements are left of what was read, and more are likely to be there."""
        return self._may_get_ahead and len(self._ahead) - self._taken < AHEAD_ELEMENTS

    def get_ahead(self) -> None:
        """Read on before more is wanted. What goes wrong is met again by whoever wants it."""
        try:
            self._read_on(min(self._elements, 4 * AHEAD_ELEMENTS), BATCH)
        except JobEngineError:
            self._may_get_ahead = False

    def close(self) -> None:
        """Read no further."""
        self._taken = len(self._ahead)
        self._drop_taken()
        if self._pin is not None:
            self._pins.release(self._pin)
            self._pin = None

    def _look_ahead(self, batch: Batch) -> None:
        """Read on if all that was read is taken."""
        if self._taken == len(self._ahead):
            self._drop_taken()
            self._may_get_ahead = True
            self._read_on(self._elements, batch)

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
        planes: list[Sequence[Buffer] | None] = [None] * len(elements)
        if self._with_payload:
            planes = self._store.payloads(elements)
        if len(elements) < len(entries):
            of_elements = iter(planes)
            planes = [next(of_elements) if isinstance(entry, StoredElement) else None for entry in entries]
        self._drop_taken()
        self._ahead += entries
        self._planes += planes
        last = entries[-1]
        self._next = (last.last_sequence if isinstance(last, Gap) else last.sequence) + 1
        self._mean_bytes = sum(map(sum, [element.planes for element in elements])) // len(entries) + 1

    def _drop_taken(self) -> None:
        del self._ahead[: self._taken], self._planes[: self._taken]
        self._taken = 0

    def _is_whole(self, stored: StoredElement) -> bool:
        """Whether an element without planes has all that was to be read of it."""
        return stored.payload is PayloadState.NEVER or not self._with_payload

    def _keep_pinned(self, elements: int) -> None:
        """See that so many elements more are pinned."""
        former, now_ns = self._pin, self._clock.monotonic_ns()
        if not self._with_payload or (former and former.reaches(self._next, elements, now_ns)):
            return
        self._pin = self._pins.hold(self._stream, self._next, max(PIN_ELEMENTS, PINNED_BATCHES * elements))
        if former is not None:
            self._pins.release(former)
