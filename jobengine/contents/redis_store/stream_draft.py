"""One stream as a commit will leave it: what Redis has, under what the commit has written so far.

Reads what it needs when it needs it; the commit is refused by Redis if the stream has changed meanwhile
(`jobengine.contents.redis_store.head`). What writes mean is in `stream_writes`, how they get to Redis in
`stream_flush`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from jobengine.contents.redis_store.chunks import ChunkNumbers, Placement
from jobengine.contents.redis_store.head import Head
from jobengine.contents.redis_store.keys import StreamKeys
from jobengine.contents.redis_store.order import (
    BEHIND_ALL,
    SEQUENCE_BYTES,
    place_bytes,
    pts_bounds,
    sequence_bytes,
    sequence_number,
)
from jobengine.contents.redis_store.row import Place, Row, unpack_row
from jobengine.contents.redis_store.server import RedisServer
from jobengine.contents.redis_store.wire import Command
from jobengine.model.element import ElementKind
from jobengine.ports.contents import Buffer

_ROWS_AT_ONCE: Final = 1_000
_KIND_AT: Final = 8
_PLACE_BYTES: Final = 9


class TornError(Exception):
    """What was read does not fit together, because the stream changed between two reads: begin anew."""


class StreamDraft:
    """The overlay. First `ask` and `take`, once: they bring the head. ``expected_bytes`` of small planes."""

    def __init__(
        self, number: int, keys: StreamKeys, server: RedisServer, numbers: ChunkNumbers, expected_bytes: int
    ) -> None:
        self.number = number
        self.keys = keys
        self.head = Head()
        self.seen_stamp = b""
        self.before: dict[int, Row] = {}
        """Elements of Redis that were looked at."""
        self.after: dict[int, bytes | None] = {}
        """Rows as they will be; None: removed."""
        self.added: dict[int, bytes] = {}
        """Elements new in this commit, with their pts and kind as bytes."""
        self.expiring: dict[int, int] = {}
        """When payloads stored in this commit may go."""
        self.needed: dict[int, int] = {}
        """By how much the bytes needed of each chunk change."""
        self.dropped_keys: list[bytes] = []
        """All keys of the stream, if it is dropped first."""
        self.is_changed = False
        self.is_begun = False
        """Whether elements may come."""
        self._server = server
        self._numbers = numbers
        self._expected_bytes = expected_bytes
        self._placement: Placement | None = None
        self._has_past = True
        self._added_at: dict[bytes, list[int]] = {}
        self._added_ids: dict[bytes, int] = {}
        self._ids: dict[bytes, int | None] = {}
        self._places: dict[bytes, list[int]] = {}

    def ask(self, ids: Sequence[bytes], places: Iterable[bytes]) -> list[Command]:
        """What must be read first: the head, and whether these ids and (pts, kind) are known."""
        self._ids = dict.fromkeys(ids)
        self._places = {place: [] for place in places}
        commands: list[Command] = [("GET", self.keys.head)]
        if self._ids:
            commands.append(("HMGET", self.keys.ids, *self._ids))
        return commands + [self._at(place) for place in self._places]

    def take(self, replies: Iterable[Any]) -> None:
        """What came back for `ask`."""
        found = iter(replies)
        self.head = Head.unpack(next(found))
        self.seen_stamp = self.head.stamp
        self._has_past = self.is_begun = bool(self.seen_stamp)
        if self._ids:
            known = (None if field is None else sequence_number(field) for field in next(found))
            self._ids = dict(zip(self._ids, known, strict=True))
        for place in self._places:
            self._places[place] = [sequence_number(member[_PLACE_BYTES:]) for member in next(found)]

    @property
    def placement(self) -> Placement:
        """Where payloads of this commit go."""
        if self._placement is None:
            self._placement = Placement(self.head, self.keys, self._numbers, self._expected_bytes)
        return self._placement

    def hold(self, plane: Buffer) -> Place:
        """A place for a plane, needed from now on."""
        place = self.placement.place(plane)
        chunk, _, length = place
        self.head.payload_bytes += length
        if chunk:
            self.needed[chunk] = self.needed.get(chunk, 0) + length
        return place

    def release(self, places: Iterable[Place]) -> None:
        """Places that are no longer needed."""
        for chunk, _, length in places:
            self.head.payload_bytes -= length
            if chunk:
                self.needed[chunk] = self.needed.get(chunk, 0) - length

    def add(self, sequence: int, place: bytes, element_id: bytes, data: bytes) -> None:
        """A new element at (pts, kind)."""
        self.is_changed = True
        self.after[sequence] = data
        self.added[sequence] = place
        self._added_at.setdefault(place, []).append(sequence)
        self._added_ids[element_id] = sequence

    def put(self, sequence: int, row: Row) -> None:
        """Another row for an element that `row` gave."""
        self.is_changed = True
        self.after[sequence] = row.pack()

    def remove(self, sequence: int) -> None:
        """Take out an element that `row` gave."""
        self.is_changed = True
        self.after[sequence] = None

    def row(self, sequence: int) -> Row | None:
        """One element as the commit has it now."""
        if sequence in self.after:
            data = self.after[sequence]
            return None if data is None else unpack_row(data)
        self.load([sequence])
        return self.before.get(sequence)

    def load(self, sequences: Iterable[int]) -> None:
        """Have the rows of Redis at hand."""
        missing = [each for each in sequences if each not in self.before and each not in self.added]
        if not self._has_past:
            return
        for start in range(0, len(missing), _ROWS_AT_ONCE):
            page = missing[start : start + _ROWS_AT_ONCE]
            rows = self._server.call("HMGET", self.keys.rows, *map(sequence_bytes, page))
            self.before.update(
                (sequence, unpack_row(data)) for sequence, data in zip(page, rows, strict=True) if data
            )

    def sequence_of(self, element_id: bytes) -> int | None:
        """Where the element of an id is."""
        sequence = self._added_ids.get(element_id)
        if sequence is None:
            sequence = self._ids.get(element_id)
        return None if sequence is None or self._is_removed(sequence) else sequence

    def last_at(self, pts: int, kind: ElementKind) -> int | None:
        """The latest element of a pts and kind."""
        place = place_bytes(pts, kind)
        if place not in self._places and self._has_past:
            members = self._server.call(*self._at(place))
            self._places[place] = [sequence_number(member[_PLACE_BYTES:]) for member in members]
        found = [*reversed(self._added_at.get(place, [])), *self._places.get(place, [])]
        return next((sequence for sequence in found if not self._is_removed(sequence)), None)

    def between(self, first_pts: int, last_pts: int, kind: ElementKind | None) -> list[int]:
        """The elements in a range of pts, both ends inclusive, in any order."""
        low, high = pts_bounds(first_pts, last_pts)
        members = self._server.call("ZRANGEBYLEX", self.keys.times, low, high) if self._has_past else []
        found = [
            sequence_number(member[-SEQUENCE_BYTES:])
            for member in members
            if kind is None or member[_KIND_AT] == kind
        ]
        found += [
            sequence
            for sequence, place in self.added.items()
            if low[1:] <= place <= high[1:] and (kind is None or place[_KIND_AT] == kind)
        ]
        return [sequence for sequence in found if not self._is_removed(sequence)]

    def drop(self) -> int:
        """Forget the whole stream; how many elements it had."""
        count = sum(data is not None for sequence, data in self.after.items() if sequence in self.added)
        if self._has_past:
            removed = sum(data is None for sequence, data in self.after.items() if sequence not in self.added)
            count += int(self._server.call("ZCARD", self.keys.times)) - removed
            chunks = self._server.call("HKEYS", self.keys.chunks)
            self.dropped_keys = [*self.keys.indexes(), *(self.keys.chunk(int(chunk)) for chunk in chunks)]
        self.is_changed, self.is_begun, self._has_past = True, False, False
        self.head, self._placement = Head(), None
        for memory in (self.before, self.after, self.added, self.expiring, self.needed):
            memory.clear()
        for index in (self._added_at, self._added_ids, self._ids, self._places):
            index.clear()
        return count

    def _at(self, place: bytes) -> Command:
        return ("ZREVRANGEBYLEX", self.keys.times, b"[" + place + BEHIND_ALL, b"[" + place)

    def _is_removed(self, sequence: int) -> bool:
        return sequence in self.after and self.after[sequence] is None
