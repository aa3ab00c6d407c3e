"""Look-ups of elements: an index and the rows behind it in one script, pages of bounded size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from jobengine.contents.redis_store.head import Head
from jobengine.contents.redis_store.keys import Keys
from jobengine.contents.redis_store.order import (
    BEHIND_ALL,
    SEQUENCE_MAX,
    gap_bounds,
    pts_bounds,
    pts_bytes,
    pts_number,
    sequence_bytes,
    sequence_number,
    time_member,
)
from jobengine.contents.redis_store.row import stored_element
from jobengine.contents.redis_store.scripts import ROWS
from jobengine.contents.redis_store.server import RedisServer
from jobengine.contents.redis_store.wire import Command
from jobengine.model.element import Gap, StoredElement, StreamFacts

PAGE: Final = 1_000
"""Elements of one answer of Redis: it serves nobody else meanwhile."""


class Reader:
    """The reading side but payloads. Thread-safe."""

    def __init__(self, server: RedisServer, keys: Keys) -> None:
        self._server = server
        self._keys = keys

    def facts(self, stream: int) -> StreamFacts:
        """Counts and bounds."""
        k = self._keys.stream(stream)
        data, count, key_count, first, last = self._server.call_all(
            [
                ("GET", k.head),
                ("ZCARD", k.times),
                ("ZCARD", k.key_times),
                ("ZRANGE", k.times, 0, 0),
                ("ZRANGE", k.times, -1, -1),
            ],
            at_once=True,
        )
        head = Head.unpack(data)
        return StreamFacts(
            stream=stream,
            count=count,
            key_count=key_count,
            payload_bytes=head.payload_bytes,
            first_pts=pts_number(first[0]) if first else None,
            last_pts=pts_number(last[0]) if last else None,
            next_sequence=head.next_sequence,
        )

    def range(
        self, stream: int, first_pts: int, last_pts: int, offset: int, limit: int | None, descending: bool
    ) -> list[StoredElement]:
        """Elements in a range of pts."""
        low, high = pts_bounds(first_pts, last_pts)
        name, start, end = ("ZREVRANGEBYLEX", high, low) if descending else ("ZRANGEBYLEX", low, high)
        found: list[StoredElement] = []
        while limit is None or len(found) < limit:
            size = PAGE if limit is None else min(PAGE, limit - len(found))
            page = self._rows(stream, "times", (name, start, end, "LIMIT", offset, size))
            found += page
            if len(page) < size:
                break
            start, offset = b"(" + _member(page[-1]), 0
        return found

    def nth(self, stream: int, rank: int, limit: int) -> list[StoredElement]:
        """Elements by rank."""
        found: list[StoredElement] = []
        while len(found) < limit:
            size = min(PAGE, limit - len(found))
            first = rank + len(found)
            page = self._rows(stream, "times", ("ZRANGE", first, first + size - 1))
            found += page
            if len(page) < size:
                break
        return found

    def by_id(self, stream: int, element_id: bytes) -> StoredElement | None:
        """The element of an id."""
        return _one(self._rows(stream, "ids", ("HGET", element_id)))

    def by_sequence(self, stream: int, sequence: int) -> StoredElement | None:
        """The element at one place of arrival."""
        if not 0 <= sequence <= SEQUENCE_MAX:
            return None
        data = self._server.call("HGET", self._keys.stream(stream).rows, sequence_bytes(sequence))
        return stored_element(stream, sequence, data) if data else None

    def key_by_id(self, stream: int, element_id: bytes) -> StoredElement | None:
        """The last key element at or before an id."""
        return self._last_key(stream, "key_ids", element_id)

    def key_by_pts(self, stream: int, pts: int) -> StoredElement | None:
        """The last key element at or before a pts."""
        return self._last_key(stream, "key_times", pts_bytes(pts))

    def scan(self, stream: int, sequence: int, limit: int) -> list[StoredElement | Gap]:
        """What stands from a place of arrival on."""
        entries: list[StoredElement | Gap] = []
        while len(entries) < limit:
            page = self._scan_page(stream, sequence, min(PAGE, limit - len(entries)))
            if not page:
                break
            entries += page
            last = page[-1]
            sequence = 1 + (last.last_sequence if isinstance(last, Gap) else last.sequence)
        return entries

    def _scan_page(self, stream: int, sequence: int, limit: int) -> list[StoredElement | Gap]:
        """At least one entry, unless the live end is reached."""
        k = self._keys.stream(stream)
        here = sequence_bytes(sequence)
        commands: list[Command] = [
            ("GET", k.head),
            ("HMGET", k.rows, *map(sequence_bytes, range(sequence, sequence + limit))),
            ("ZREVRANGEBYLEX", k.gaps, b"[" + here + BEHIND_ALL, b"-", "LIMIT", 0, 1),
            ("ZRANGEBYLEX", k.gaps, b"(" + here + BEHIND_ALL, b"+", "LIMIT", 0, limit),
        ]
        data, rows, before, behind = self._server.call_all(commands, at_once=True)
        end = Head.unpack(data).next_sequence
        found = [gap_bounds(member) for member in (*before, *behind)]
        gaps = {max(first, sequence): last for first, last in found if last >= sequence}
        entries: list[StoredElement | Gap] = []
        for entry in _entries(stream, sequence, end, rows, gaps):
            if len(entries) == limit:
                break
            entries.append(entry)
        return entries

    def _last_key(self, stream: int, index: str, prefix: bytes) -> StoredElement | None:
        bounds = (b"[" + prefix + BEHIND_ALL * 10, b"-")
        return _one(self._rows(stream, index, ("ZREVRANGEBYLEX", *bounds, "LIMIT", 0, 1)))

    def _rows(self, stream: int, index: str, search: Command) -> list[StoredElement]:
        k = self._keys.stream(stream)
        fields, rows = self._server.run(ROWS, (getattr(k, index), k.rows), search)
        return [
            stored_element(stream, sequence_number(field), data)
            for field, data in zip(fields, rows, strict=True)
        ]


def _entries(
    stream: int, sequence: int, end: int, rows: list[bytes | None], gaps: dict[int, int]
) -> Iterator[StoredElement | Gap]:
    """Elements and gaps by turns, as far as the rows reach."""
    place, first = sequence, sequence
    while place < end:
        if place in gaps:
            yield Gap(stream, place, gaps[place])
            place = gaps[place] + 1
            continue
        data = rows[place - first] if place - first < len(rows) else None
        if data is None:
            return
        yield stored_element(stream, place, data)
        place += 1


def _member(stored: StoredElement) -> bytes:
    element = stored.element
    return time_member(element.pts or 0, element.kind, sequence_bytes(stored.sequence))


def _one(found: list[StoredElement]) -> StoredElement | None:
    return found[0] if found else None
