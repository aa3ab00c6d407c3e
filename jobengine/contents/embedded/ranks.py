"""How many elements stand before a time: counters over ever longer prefixes of pts.

LMDB can't say how many keys lie before one. So for each stream there are counters of the elements whose pts
are in one bucket, a power of two of ticks; of 64 buckets each, of 64 of those, five levels in all. Counters
of 64 neighbours are one row. Finding the n-th reads one row of each level and then walks the keys of one
bucket, however large the stream is (the uppermost level has one row for about 2^35 elements).
How large buckets are is settled by the duration of a stream's first element; it is a matter of speed only.

Elements mostly come in order of time, so the bucket that the last one came into is open: what came since is
counted in the stream's row, and put into the counters of all levels once an element of another bucket comes.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import Any, Final

from jobengine.contents.embedded.keys import BIAS, LAST, number, to_number
from jobengine.contents.embedded.transaction import Cursor, Transaction

SMALLEST_BUCKET: Final = 10
LARGEST_BUCKET: Final = 24
_ELEMENTS_IN_A_BUCKET: Final = 32
_FAN_OUT: Final = 6
_IN_A_ROW: Final = 1 << _FAN_OUT
_LEVELS: Final = 5
_ROW_AT: Final = 9
_COUNT: Final = struct.Struct("<Q")
_COUNTS: Final = struct.Struct(f"<{_IN_A_ROW}Q")
_NO_COUNTS: Final = bytes(_COUNTS.size)


def bucket_bits(duration: int) -> int:
    """Buckets hold about 32 elements of this duration, or 1024 ticks if it is unknown (0) or small."""
    bits = (max(duration, 0) * _ELEMENTS_IN_A_BUCKET).bit_length()
    return min(max(bits, SMALLEST_BUCKET), LARGEST_BUCKET)


def count_changes(
    transaction: Transaction, table: Any, changes: Mapping[tuple[bytes, int, int], int]
) -> None:
    """Add to the counters, given how many elements (life, bits, bucket) got or lost."""
    if not changes:
        return
    by_row: dict[bytes, list[tuple[int, int]]] = {}
    for (life, bits, bucket), change in changes.items():
        for further in range(0, _LEVELS * _FAN_OUT, _FAN_OUT):
            row, column = divmod(bucket >> further, _IN_A_ROW)
            by_row.setdefault(_key(life, bits + further, row), []).append((column * _COUNT.size, change))
    with transaction.cursor(db=table) as cursor:
        before = dict(cursor.getmulti(list(by_row)))
        rows = [(key, _changed(before.get(key, _NO_COUNTS), several)) for key, several in by_row.items()]
        cursor.putmulti(rows)
    for key, counts in rows:
        if counts == _NO_COUNTS:
            transaction.delete(key, db=table)


def _changed(row: bytes, changes: list[tuple[int, int]]) -> bytes:
    """A row of counters after something was added to those at some offsets."""
    counts = bytearray(row)
    for offset, change in changes:
        _COUNT.pack_into(counts, offset, _COUNT.unpack_from(counts, offset)[0] + change)
    return bytes(counts)


@dataclass(frozen=True, slots=True)
class Ranks:
    """The counters and times of one stream as a transaction sees them."""

    transaction: Transaction
    table: Any
    times: Any
    life: bytes
    bits: int
    open_bucket: int
    open_count: int

    def before(self, pts: int) -> int:
        """How many elements have a smaller pts."""
        value = pts + BIAS
        total = 0
        with self.transaction.cursor(db=self.table) as cursor:
            for level, bits in enumerate(self._levels()):
                last, column = divmod(value >> bits, _IN_A_ROW)
                for row, counts in self._rows(cursor, bits, last if level else 0, last):
                    total += sum(counts if row < last else counts[:column])
        with self.transaction.cursor(db=self.times) as cursor:
            end = self.life + number(value)
            if cursor.set_range(self.life + number(value >> self.bits << self.bits)):
                for key in cursor.iternext(values=False):
                    if key >= end:
                        break
                    total += 1
        return total

    def find(self, rank: int) -> bytes | None:
        """The key in ``times`` of the element with so many before it, None beyond the last."""
        first, last = 0, LAST
        with self.transaction.cursor(db=self.table) as cursor:
            for bits in self._levels():
                for row, counts in self._rows(cursor, bits, first, last):
                    sums = list(accumulate(counts))
                    if rank < sums[-1]:
                        column = bisect_right(sums, rank)
                        rank -= sums[column - 1] if column else 0
                        first = last = row * _IN_A_ROW + column
                        break
                    rank -= sums[-1]
                else:
                    return None
        with self.transaction.cursor(db=self.times) as cursor:
            cursor.set_range(self.life + number(first << self.bits))
            return next(islice(cursor.iternext(values=False), rank, None), None)

    def _rows(self, cursor: Cursor, bits: int, first: int, last: int) -> Iterator[tuple[int, list[int]]]:
        """Rows of one level and how many elements are in each of their buckets, the open one among them."""
        own, column = divmod(self.open_bucket >> bits - self.bits, _IN_A_ROW)
        is_missing = self.open_count > 0 and first <= own <= last
        end = _key(self.life, bits, last)
        if cursor.set_range(_key(self.life, bits, first)):
            for key, value in cursor.iternext():
                if key > end:
                    break
                row, counts = to_number(key[_ROW_AT:]), list(_COUNTS.unpack(value))
                if is_missing and own < row:
                    yield own, self._only_open(column)
                elif is_missing and own == row:
                    counts[column] += self.open_count
                is_missing = is_missing and row < own
                yield row, counts
        if is_missing:
            yield own, self._only_open(column)

    def _only_open(self, column: int) -> list[int]:
        """A row in which no bucket is counted but the open one."""
        counts = [0] * _IN_A_ROW
        counts[column] = self.open_count
        return counts

    def _levels(self) -> Iterator[int]:
        """Bits of the buckets' ticks, from the largest buckets on."""
        return reversed([self.bits + level * _FAN_OUT for level in range(_LEVELS)])


def _key(life: bytes, bits: int, row: int) -> bytes:
    return life + bits.to_bytes(1, "big") + number(row)
