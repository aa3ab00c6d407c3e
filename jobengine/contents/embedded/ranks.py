"""How many elements stand before a time: counters over ever longer prefixes of pts.

LMDB can't say how many keys lie before one. So for each stream there are counters of the elements whose
pts, shifted to sort, have the same upper 54, 46, 38, 30, 22, 14 and 6 bits. Finding the n-th reads at most
256 counters of each level and then walks the keys of one bucket, however large the stream is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

from jobengine.contents.embedded.keys import BIAS, number, to_number
from jobengine.contents.embedded.transaction import Cursor, Transaction

SHIFTS: Final = (58, 50, 42, 34, 26, 18, 10)
BUCKET_SHIFT: Final = SHIFTS[-1]
_FAN_OUT: Final = 8
_PREFIX_AT: Final = 9


def count_changes(transaction: Transaction, table: Any, changes: Mapping[tuple[bytes, int], int]) -> None:
    """Add to the counters, given how many elements (life, bucket) got or lost."""
    level_changes = dict(changes)
    for level in range(len(SHIFTS) - 1, -1, -1):
        upper: Counter[tuple[bytes, int]] = Counter()
        for (life, prefix), change in level_changes.items():
            key = _key(life, level, prefix)
            count = to_number(transaction.get(key, db=table) or b"") + change
            if count:
                transaction.put(key, number(count), db=table)
            else:
                transaction.delete(key, db=table)
            upper[life, prefix >> _FAN_OUT] += change
        level_changes = dict(upper)


def count_before(transaction: Transaction, ranks: Any, times: Any, life: bytes, pts: int) -> int:
    """How many elements have a smaller pts."""
    value = pts + BIAS
    total = 0
    with transaction.cursor(db=ranks) as cursor:
        for level, shift in enumerate(SHIFTS):
            own = value >> shift
            first = own >> _FAN_OUT << _FAN_OUT if level else 0
            total += sum(count for _, count in _counters(cursor, life, level, first, own - 1))
    with transaction.cursor(db=times) as cursor:
        end = life + number(value)
        if cursor.set_range(life + number(value >> BUCKET_SHIFT << BUCKET_SHIFT)):
            for key in cursor.iternext(values=False):
                if key >= end:
                    break
                total += 1
    return total


def find_rank(transaction: Transaction, ranks: Any, times: Any, life: bytes, rank: int) -> bytes | None:
    """The key in ``times`` of the element with so many before it, None beyond the last."""
    first, last = 0, (1 << (64 - SHIFTS[0])) - 1
    bucket = 0
    with transaction.cursor(db=ranks) as cursor:
        for level in range(len(SHIFTS)):
            for prefix, count in _counters(cursor, life, level, first, last):
                if rank < count:
                    bucket = prefix
                    break
                rank -= count
            else:
                return None
            first, last = bucket << _FAN_OUT, (bucket + 1 << _FAN_OUT) - 1
    with transaction.cursor(db=times) as cursor:
        cursor.set_range(life + number(bucket << BUCKET_SHIFT))
        return next(islice(cursor.iternext(values=False), rank, None), None)


def _key(life: bytes, level: int, prefix: int) -> bytes:
    return life + level.to_bytes(1, "big") + number(prefix)


def _counters(cursor: Cursor, life: bytes, level: int, first: int, last: int) -> Iterator[tuple[int, int]]:
    """Prefixes of one level from ``first`` to ``last`` with their counts."""
    if last < first or not cursor.set_range(_key(life, level, first)):
        return
    end = _key(life, level, last)
    for key, value in cursor.iternext():
        if key > end:
            return
        yield to_number(key[_PREFIX_AT:]), to_number(value)
