"""Letting the oldest go of what a whole store holds beyond its capacity.

What is oldest is looked for in a snapshot, beside those who write; one write of a commit then lets it go, as
far as it is still there and not pinned. Age is when elements were stored, whatever became of them since.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from jobengine.contents.embedded import keys
from jobengine.contents.embedded.deciding import Deciding, lose_payload
from jobengine.contents.embedded.expiring import StepDone
from jobengine.contents.embedded.index import Index
from jobengine.contents.embedded.record import RecordType
from jobengine.contents.embedded.row import Row, decode_row
from jobengine.contents.embedded.tables import STATE_KEY, PinRow, SegmentRow, StateRow, StreamRow
from jobengine.contents.embedded.transaction import Transaction
from jobengine.contents.eviction import Aged, choose
from jobengine.ports.contents import Capacity

_FIRST_ROWS: Final = 4
_ROWS_AT_ONCE: Final = 64
_LOOKED_AT: Final = 20
"""How many rows are looked at for one that may go, at most."""


@dataclass(frozen=True, slots=True)
class EvictStep:
    """Let these go. ``fronts``: streams whose first payloads are gone, which is to be noted; ``is_last``:
    nothing else may go."""

    payloads: Sequence[Aged]
    elements: Sequence[Aged]
    fronts: Sequence[int]
    capacity: Capacity
    rows: int
    is_last: bool


def find_oldest(index: Index, capacity: Capacity, at_most: int) -> EvictStep | None:
    """What to let go, ``at_most`` so many; None if all is as it should be."""
    with index.read() as transaction:
        state = transaction.get(STATE_KEY, db=index.table["state"])
        was_full = bool(state and StateRow.decode(state).is_full)
        excess, more = _beyond(transaction, index, capacity)
        if excess <= 0 and more <= 0 and not was_full:
            return None
        search = _Search(transaction, index, at_most * _LOOKED_AT)
        payloads = choose(search.payloads(), excess, at_most)
        elements = choose(search.elements(), more, at_most)
        is_last = (
            not search.is_cut and len(payloads) < at_most and sum(each.size for each in payloads) < excess
        )
        if payloads or elements or search.fronts or was_full != (is_last and excess > 0):
            rows = at_most * _LOOKED_AT
            return EvictStep(payloads, elements, sorted(search.fronts), capacity, rows, is_last)
    return None


def do_evict_step(step: EvictStep, deciding: Deciding, index: Index) -> StepDone:
    """Let go what is still there."""
    return _Eviction(step, deciding, index).run()


def is_full(index: Index) -> bool:
    """Whether payloads are refused."""
    with index.read() as transaction:
        state = transaction.get(STATE_KEY, db=index.table["state"])
    return bool(state and StateRow.decode(state).is_full)


def _beyond(transaction: Transaction, index: Index, capacity: Capacity) -> tuple[int, int]:
    """How many bytes of payload and how many elements there are too many."""
    excess = more = 0
    if capacity.payload_bytes is not None:
        with transaction.cursor(db=index.table["segments"]) as cursor:
            taken = sum(SegmentRow.decode(data).payload_bytes for _, data in cursor.iternext())
        excess = taken - capacity.payload_bytes
    if capacity.elements is not None:
        more = transaction.stat(index.table["rows"])["entries"] - capacity.elements
    return excess, more


class _Search:
    """Rows of a snapshot, those of each stream in order of arrival, ``left`` of them at most."""

    def __init__(self, transaction: Transaction, index: Index, left: int) -> None:
        self._transaction = transaction
        self._table = index.table
        self._left = left
        self._pins: defaultdict[int, list[PinRow]] = defaultdict(list)
        self.fronts: set[int] = set()
        self.is_cut = False
        with transaction.cursor(db=self._table["pins"]) as cursor:
            for _, data in cursor.iternext():
                pin = PinRow.decode(data)
                self._pins[pin.life].append(pin)

    def payloads(self) -> list[Iterator[Aged]]:
        """Those that may go of each stream."""
        return [self._payloads(number, stream) for number, stream in self._streams() if stream.payload_bytes]

    def elements(self) -> list[Iterator[Aged]]:
        """The same with elements."""
        return [self._elements(number, stream) for number, stream in self._streams() if stream.count]

    def _streams(self) -> list[tuple[int, StreamRow]]:
        with self._transaction.cursor(db=self._table["streams"]) as cursor:
            return [(keys.to_number(key), StreamRow.decode(data)) for key, data in cursor.iternext()]

    def _payloads(self, number: int, stream: StreamRow) -> Iterator[Aged]:
        is_front = True
        for sequence, row in self._rows(stream, stream.first_payload):
            if not row.is_here:
                if is_front:
                    self.fronts.add(number)
                continue
            is_front = False
            if not self._is_pinned(stream, sequence):
                yield Aged(row.stored_us, number, sequence, row.payload_bytes)

    def _elements(self, number: int, stream: StreamRow) -> Iterator[Aged]:
        for sequence, row in self._rows(stream, 0):
            if not self._is_pinned(stream, sequence):
                yield Aged(row.stored_us, number, sequence, 1)

    def _rows(self, stream: StreamRow, first: int) -> Iterator[tuple[int, Row]]:
        size, life = _FIRST_ROWS, keys.number(stream.life)
        while self._left > 0:
            rows = self._page(life, first, size)
            self._left -= len(rows)
            yield from rows
            if len(rows) < size:
                return
            first, size = rows[-1][0] + 1, _ROWS_AT_ONCE
        self.is_cut = True

    def _page(self, life: bytes, first: int, size: int) -> list[tuple[int, Row]]:
        found: list[tuple[int, Row]] = []
        with self._transaction.cursor(db=self._table["rows"]) as cursor:
            if cursor.set_range(life + keys.number(first)):
                for key, data in cursor.iternext():
                    if len(found) == size or not key.startswith(life):
                        break
                    found.append((keys.to_number(key[8:]), decode_row(data)))
        return found

    def _is_pinned(self, stream: StreamRow, sequence: int) -> bool:
        return any(pin.holds(sequence) for pin in self._pins.get(stream.life, ()))


class _Eviction:
    """One step within a commit."""

    def __init__(self, step: EvictStep, deciding: Deciding, index: Index) -> None:
        self._step = step
        self._deciding = deciding
        self._changes = deciding.changes
        self._index = index
        self._done = StepDone()
        self._pins = [pin for _, pin in self._changes.pins()]

    def run(self) -> StepDone:
        """Payloads, then elements."""
        for kind, chosen in (
            (RecordType.PAYLOADS_GONE, self._step.payloads),
            (RecordType.DELETED, self._step.elements),
        ):
            gone: defaultdict[tuple[int, int], list[list[int]]] = defaultdict(list)
            for aged in chosen:
                life = self._let_go(aged, kind)
                if life is not None:
                    gone[aged.stream, life].append([aged.sequence, aged.sequence])
            for (number, life), runs in gone.items():
                self._deciding.write_runs(kind, number, life, runs)
        self._note_fronts()
        self._changes.flush()
        excess, _ = _beyond(self._changes.transaction, self._index, self._step.capacity)
        self._changes.state.is_full = int(self._step.is_last and excess > 0)
        return self._done

    def _let_go(self, aged: Aged, kind: RecordType) -> int | None:
        """The life of the stream, if the element was as it was found."""
        stream = self._changes.stream(aged.stream)
        row = self._changes.row(stream, aged.sequence) if stream is not None else None
        if stream is None or row is None or row.stored_us != aged.stored_us:
            return None
        if any(pin.life == stream.life and pin.holds(aged.sequence) for pin in self._pins):
            return None
        if kind is RecordType.DELETED:
            self._done.elements += 1
            self._changes.remove(stream, aged.sequence, row)
        elif row.is_here:
            lose_payload(self._changes, stream, aged.sequence, row)
        else:
            return None
        self._done.payloads += row.is_here
        self._done.payload_bytes += row.payload_bytes
        return stream.life

    def _note_fronts(self) -> None:
        """Where the first payload of each stream is by now: what is before it is not looked through again."""
        left = self._step.rows
        touched = {aged.stream for aged in self._step.payloads}
        for number in sorted({*self._step.fronts, *touched}):
            stream = self._changes.stream(number)
            while stream is not None and left > 0:
                rows = self._changes.rows_between(stream, stream.first_payload, keys.LAST, _ROWS_AT_ONCE)
                left -= len(rows)
                here = next((sequence for sequence, row in rows if row.is_here), None)
                if here is None and rows:
                    stream.first_payload = rows[-1][0] + 1
                    continue
                stream.first_payload = stream.next_sequence if here is None else here
                break
