"""Ends of segments: what stands behind the last acknowledged group is cut, never served.

Cutting writes zeros: the file keeps its length, since readers may have mapped it.
"""

from __future__ import annotations

from typing import Final

from jobengine.contents.embedded import keys
from jobengine.contents.embedded.changes import Changes
from jobengine.contents.embedded.group import GROUP_HEADER_BYTES, decode_group, is_whole
from jobengine.contents.embedded.index import Index
from jobengine.contents.embedded.segments import Segments
from jobengine.contents.embedded.tables import STATE_KEY, SegmentRow

_CHUNK: Final = 1 << 20


class StaleIndexError(Exception):
    """The index tells of something that the log doesn't have: it has to be built anew."""


def check_tails(index: Index, segments: Segments, salt: int) -> int:
    """Look at the end of every segment that is written to, and cut what nobody acknowledged; how many bytes.

    Nobody writes meanwhile. Raises StaleIndexError if a group of the index is not in the log as it was
    written, or a segment is missing.
    """
    transaction = index.begin()
    try:
        with transaction.cursor(db=index.table["segments"]) as cursor:
            rows = {keys.to_number(key): SegmentRow.decode(data) for key, data in cursor.iternext()}
        with transaction.cursor(db=index.table["state"]) as cursor:
            opened = [keys.to_number(value) for key, value in cursor.iternext() if key != STATE_KEY]
        next_segment = Changes(index, transaction).state.next_segment
        found = set(segments.numbers())
        if not found >= rows.keys():
            raise StaleIndexError(f"segments {sorted(rows.keys() - found)} are missing")
        cut_bytes = sum(_check_tail(number, rows[number], segments, salt) for number in opened)
        for number in found - rows.keys():
            if number >= next_segment:
                cut_bytes += cut_tail(segments, number, 0)
            segments.remove(number)
        return cut_bytes
    finally:
        transaction.abort()


def cut_tail(segments: Segments, number: int, tail: int) -> int:
    """Zero what stands behind the last group of a segment; how many bytes that were."""
    end = tail
    size = segments.size(number)
    for offset in range(tail, size, _CHUNK):
        chunk = segments.read(number, offset, min(_CHUNK, size - offset)).rstrip(b"\0")
        if not chunk:
            break
        end = offset + len(chunk)
    if end > tail:
        segments.write(number, tail, [bytes(end - tail)])
        segments.sync(number)
    return end - tail


def _check_tail(number: int, row: SegmentRow, segments: Segments, salt: int) -> int:
    if row.tail:
        length = row.tail - row.last_group
        data = segments.read(number, row.last_group, max(length, GROUP_HEADER_BYTES))
        group = decode_group(data, 0, row.last_group, number, salt)
        if group is None or group.end != row.tail or group.number != row.last_number:
            raise StaleIndexError(f"segment {number} has no group {row.last_number}")
        if not is_whole(data, group, salt):
            raise StaleIndexError(f"group {row.last_number} of segment {number} is damaged")
    return cut_tail(segments, number, row.tail)
