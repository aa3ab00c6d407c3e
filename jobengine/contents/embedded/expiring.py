"""Letting payloads go in bounded steps: those past their time, beyond their stream's limits, or of no stream.

A step looks at a bounded number of elements and is one write of a commit. Metadata stays, except that of
dropped streams. Freeing disk space is not here (`moving`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from jobengine.contents.embedded import keys
from jobengine.contents.embedded.deciding import Deciding, lose_payload
from jobengine.contents.embedded.index import Index
from jobengine.contents.embedded.record import RecordType
from jobengine.contents.embedded.row import Row
from jobengine.contents.embedded.tables import PinRow, StreamRow


@dataclass(frozen=True, slots=True)
class ExpireStep:
    """Let go what is due at a moment, looking at ``elements`` at most."""

    now_us: int
    elements: int


@dataclass(slots=True)
class StepDone:
    """What a step let go (``elements`` as a whole), and whether it ended before it had seen everything."""

    payloads: int = 0
    payload_bytes: int = 0
    elements: int = 0
    is_unfinished: bool = False

    def add(self, other: StepDone) -> None:
        """Count another step too."""
        self.payloads += other.payloads
        self.payload_bytes += other.payload_bytes
        self.elements += other.elements


@dataclass(slots=True)
class _Step:
    deciding: Deciding
    index: Index
    now_us: int
    left: int
    done: StepDone = field(default_factory=StepDone)
    gone: defaultdict[tuple[int, int], list[int]] = field(default_factory=lambda: defaultdict(list))
    pins: defaultdict[int, list[PinRow]] = field(default_factory=lambda: defaultdict(list))

    def run(self) -> StepDone:
        """Everything that is due, until nothing is left to look at."""
        self._drop_past_pins()
        self._expire_by_time()
        self._expire_by_limits()
        self._sweep_dropped_streams()
        for (number, life), sequences in self.gone.items():
            self.deciding.write_runs(
                RecordType.PAYLOADS_GONE, number, life, ([each, each] for each in sequences)
            )
        self.done.is_unfinished = self.left <= 0
        return self.done

    def _drop_past_pins(self) -> None:
        changes = self.deciding.changes
        for name, pin in list(changes.pins()):
            if pin.until_us <= self.now_us:
                changes.remove_pin(name)
            else:
                self.pins[pin.life].append(pin)

    def _expire_by_time(self) -> None:
        for key, first, last in self._due_runs():
            changes = self.deciding.changes
            changes.transaction.delete(key, db=self.index.table["expiries"])
            life = key[8:16]
            number = changes.transaction.get(life, db=self.index.table["lives"])
            stream = changes.stream(keys.to_number(number)) if number else None
            if number is None or stream is None:
                continue
            rows = changes.rows_between(stream, first, last, self.left)
            for sequence, row in rows:
                self._let_go_if_past(keys.to_number(number), stream, sequence, row)
            if len(rows) == self.left and rows[-1][0] < last:
                changes.expire_again(keys.to_signed(key[:8]), stream.life, rows[-1][0] + 1, last)
            self.left -= len(rows)
            changes.flush()

    def _due_runs(self) -> Iterator[tuple[bytes, int, int]]:
        """Runs that are due, each as the table's first; the caller removes it before it asks for the next."""
        table, end = self.index.table["expiries"], keys.signed(self.now_us) + keys.LAST_8
        self.deciding.changes.flush()
        while self.left > 0:
            with self.deciding.changes.transaction.cursor(db=table) as cursor:
                if not cursor.first() or cursor.key() > end:
                    return
                key, value = cursor.item()
            yield key, keys.to_number(key[16:]), keys.to_number(value)

    def _let_go_if_past(self, number: int, stream: StreamRow, sequence: int, row: Row) -> None:
        if not row.is_here or row.expiry_us is None or row.expiry_us > self.now_us:
            return
        pin = self._pinned(stream.life, sequence)
        if pin is None:
            self._let_go(number, stream, sequence, row)
        else:
            self.deciding.changes.expire_again(pin.until_us, stream.life, sequence, sequence)

    def _expire_by_limits(self) -> None:
        changes = self.deciding.changes
        with changes.transaction.cursor(db=self.index.table["limited"]) as cursor:
            lives = [bytes(life) for life in cursor.iternext(values=False)]
        for life in lives:
            number = changes.transaction.get(life, db=self.index.table["lives"])
            stream = changes.stream(keys.to_number(number)) if number else None
            if number is not None and stream is not None and self.left > 0:
                self._limit(keys.to_number(number), stream)

    def _limit(self, number: int, stream: StreamRow) -> None:
        """From the oldest payload on, until one is young enough and the rest is not too much."""
        at, before_all = stream.first_payload, True
        while self.left > 0 and at < stream.next_sequence and self._may_be_beyond(stream):
            rows = self.deciding.changes.rows_between(stream, at, keys.LAST, self.left)
            if not rows:
                at = stream.next_sequence
            for sequence, row in rows:
                if row.is_here:
                    if not self._is_beyond(stream, row):
                        self._oldest_is(stream, sequence, before_all)
                        return
                    if self._pinned(stream.life, sequence) is None:
                        self._let_go(number, stream, sequence, row)
                    elif before_all:
                        self._oldest_is(stream, sequence, before_all)
                        before_all = False
                at = sequence + 1
                self.left -= 1
        self._oldest_is(stream, at, before_all)

    def _may_be_beyond(self, stream: StreamRow) -> bool:
        """Whether there may be something to let go; rows decide."""
        return stream.limit_age_us >= 0 or stream.payload_bytes > stream.limit_bytes

    def _is_beyond(self, stream: StreamRow, row: Row) -> bool:
        if 0 <= stream.limit_age_us <= self.now_us - row.stored_us:
            return True
        return 0 <= stream.limit_bytes < stream.payload_bytes

    @staticmethod
    def _oldest_is(stream: StreamRow, sequence: int, before_all: bool) -> None:
        if before_all:
            stream.first_payload = sequence

    def _pinned(self, life: int, sequence: int) -> PinRow | None:
        """The pin that holds it longest."""
        holding = [pin for pin in self.pins.get(life, ()) if pin.holds(sequence)]
        return max(holding, key=lambda pin: pin.until_us, default=None)

    def _let_go(self, number: int, stream: StreamRow, sequence: int, row: Row) -> None:
        self.done.payloads += 1
        self.done.payload_bytes += row.payload_bytes
        lose_payload(self.deciding.changes, stream, sequence, row)
        if stream.first_payload == sequence:
            stream.first_payload = sequence + 1
        self.gone[number, stream.life].append(sequence)

    def _sweep_dropped_streams(self) -> None:
        changes, table = self.deciding.changes, self.index.table["doomed"]
        while self.left > 0:
            with changes.transaction.cursor(db=table) as cursor:
                if not cursor.first():
                    return
                life, bits = cursor.item()
            stream = StreamRow(keys.to_number(life), bucket_bits=bits[0])
            rows = changes.rows_between(stream, 0, keys.LAST, self.left)
            _remove(self.deciding, stream, rows)
            self.left -= len(rows)
            if self.left > 0:
                changes.transaction.delete(life, db=table)


def do_expire_step(step: ExpireStep, deciding: Deciding, index: Index) -> StepDone:
    """Let go what is due, and lay out which payloads went."""
    return _Step(deciding, index, step.now_us, step.elements).run()


def _remove(deciding: Deciding, stream: StreamRow, rows: Sequence[tuple[int, Row]]) -> None:
    for sequence, row in rows:
        deciding.changes.remove(stream, sequence, row)
