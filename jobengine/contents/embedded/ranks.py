"""How many elements stand before a time: counters over ever longer prefixes of pts.

LMDB can't say how many keys lie before one. So for each stream there are counters of the elements whose pts
are in one bucket, a power of two of ticks; of 64 buckets each, of 64 of those, five levels in all. Finding
the n-th reads at most 64 counters of each level and then walks the keys of one bucket, however large the
stream is (beyond 2^35 elements the uppermost level grows). How large buckets are is settled by the duration
of a stream's first element; it is a matter of speed only.

Elements mostly come in order of time, so the bucket that the last one came into is open: what came since is
counted in the stream's row, and put into the counters of all levels once an element of another bucket comes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from jobengine.contents.embedded.keys import BIAS, LAST, number, to_number
from jobengine.contents.embedded.transaction import Cursor, Transaction

SMALLEST_BUCKET: Final = 10
LARGEST_BUCKET: Final = 24
_ELEMENTS_IN_A_BUCKET: Final = 32
_FAN_OUT: Final = 6
_LEVELS: Final = 5
_PREFIX_AT: Final = 9
_NONE: Final = bytes(8)


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
    by_key: Counter[bytes] = Counter()
    for (life, bits, bucket), change in changes.items():
        for further in range(0, _LEVELS * _FAN_OUT, _FAN_OUT):
            by_key[_key(life, bits + further, bucket >> further)] += change
    with transaction.cursor(db=table) as cursor:
        before = dict(cursor.getmulti(list(by_key)))
        counts = [
            (key, (to_number(before.get(key, b"")) + change).to_bytes(8, "big"))
            for key, change in by_key.items()
        ]
        cursor.putmulti(counts)
    for key, count in counts:
        if count == _NONE:
            transaction.delete(key, db=table)


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
                own = value >> bits
                first = own >> _FAN_OUT << _FAN_OUT if level else 0
                total += sum(count for _, count in self._counts(cursor, bits, first, own - 1))
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
                for key, count in self._counts(cursor, bits, first, last):
                    if rank < count:
                        bucket = to_number(key[_PREFIX_AT:])
                        first, last = bucket << _FAN_OUT, (bucket + 1 << _FAN_OUT) - 1
                        break
                    rank -= count
                else:
                    return None
        with self.transaction.cursor(db=self.times) as cursor:
            cursor.set_range(self.life + number(first >> _FAN_OUT << self.bits))
            return next(islice(cursor.iternext(values=False), rank, None), None)

    def _counts(self, cursor: Cursor, bits: int, first: int, last: int) -> Iterator[tuple[bytes, int]]:
        """Keys of one level's buckets and how many elements are in each, those of the open one among them."""
        own = self.open_bucket >> bits - self.bits
        more = self.open_count if first <= own <= last else 0
        open_key, end = _key(self.life, bits, own), _key(self.life, bits, last)
        if last >= first and cursor.set_range(_key(self.life, bits, first)):
            for key, value in cursor.iternext():
                if key > end:
                    break
                count = int.from_bytes(value, "big")
                if more and open_key <= key:
                    if open_key < key:
                        yield open_key, more
                    else:
                        count += more
                    more = 0
                yield key, count
        if more:
            yield open_key, more

    def _levels(self) -> Iterator[int]:
        """Bits of the buckets' ticks, from the largest buckets on."""
        return reversed([self.bits + level * _FAN_OUT for level in range(_LEVELS)])


def _key(life: bytes, bits: int, prefix: int) -> bytes:
    return life + bits.to_bytes(1, "big") + number(prefix)
