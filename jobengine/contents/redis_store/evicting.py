"""Letting the oldest go of what a whole store holds beyond its capacity, one commit for each stream.

What is oldest is looked for beside those who write; what was changed or pinned meanwhile stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Final

from jobengine.contents.eviction import Aged, choose
from jobengine.contents.redis_store.commit_draft import CommitDraft
from jobengine.contents.redis_store.head import Head
from jobengine.contents.redis_store.keys import Keys
from jobengine.contents.redis_store.order import sequence_number
from jobengine.contents.redis_store.pins import Pins
from jobengine.contents.redis_store.reader import Reader
from jobengine.contents.redis_store.row import is_held, unpack_row
from jobengine.contents.redis_store.server import RedisServer
from jobengine.contents.redis_store.stream_writes import let_go, remove
from jobengine.model.element import Gap
from jobengine.ports.contents import Capacity

AT_ONCE: Final = 1_000
"""Payloads and elements that one call lets go."""
_PAGE: Final = 50

Chosen = dict[int, tuple[list[Aged], list[Aged]]]
"""Payloads and elements by stream."""


class Eviction:
    """What one call lets go."""

    def __init__(self, capacity: Capacity, now_us: int, keys: Keys, server: RedisServer) -> None:
        self._capacity = capacity
        self._now_us = now_us
        self._keys = keys
        self._server = server
        self._reader = Reader(server, keys)
        self._pins = Pins.read(keys, server)
        self._is_all = False

    def choose(self) -> Chosen:
        """The oldest that is too much and not pinned."""
        chosen: Chosen = {}
        streams = self._streams()
        excess = self._excess_bytes(streams)
        payloads = choose([self._payloads(stream) for stream in streams if excess > 0], excess, AT_ONCE)
        self._is_all = len(payloads) < AT_ONCE and sum(each.size for each in payloads) < excess
        for aged in payloads:
            chosen.setdefault(aged.stream, ([], []))[0].append(aged)
        more = self._excess_elements(streams)
        for aged in choose([self._elements(stream) for stream in streams if more > 0], more, AT_ONCE):
            chosen.setdefault(aged.stream, ([], []))[1].append(aged)
        return chosen

    def settle_fullness(self) -> bool:
        """Note, after all commits, whether the store is full; whether it is."""
        is_full = self._is_all and self._excess_bytes(self._streams()) > 0
        if is_full:
            self._server.call("SET", self._keys.full, 1)
        else:
            self._server.call("DEL", self._keys.full)
        return is_full

    def _streams(self) -> list[int]:
        return sorted(map(int, self._server.call("SMEMBERS", self._keys.streams)))

    def _excess_bytes(self, streams: Sequence[int]) -> int:
        if self._capacity.payload_bytes is None or not streams:
            return 0
        heads = self._server.call("MGET", *(self._keys.stream(stream).head for stream in streams))
        return sum(Head.unpack(head).payload_bytes for head in heads) - self._capacity.payload_bytes

    def _excess_elements(self, streams: Sequence[int]) -> int:
        if self._capacity.elements is None:
            return 0
        counts = self._server.call_all([("HLEN", self._keys.stream(stream).rows) for stream in streams])
        return int(sum(counts)) - self._capacity.elements

    def _payloads(self, stream: int) -> Iterator[Aged]:
        """In order of arrival."""
        k = self._keys.stream(stream)
        for start in count(0, _PAGE):
            fields = self._server.call("ZRANGE", k.held, start, start + _PAGE - 1)
            rows = self._server.call("HMGET", k.rows, *fields) if fields else []
            for field, data in zip(fields, rows, strict=True):
                sequence = sequence_number(field)
                if data and is_held(data) and not self._pins.hold(stream, sequence, self._now_us):
                    row = unpack_row(data)
                    yield Aged(row.stored_time_us, stream, sequence, row.payload_bytes)
            if len(fields) < _PAGE:
                return

    def _elements(self, stream: int) -> Iterator[Aged]:
        """In order of arrival."""
        sequence = 0
        while entries := self._reader.scan(stream, sequence, _PAGE):
            for entry in entries:
                if isinstance(entry, Gap):
                    sequence = entry.last_sequence + 1
                    continue
                sequence = entry.sequence + 1
                if not self._pins.hold(stream, entry.sequence, self._now_us):
                    yield Aged(entry.stored_time_us, stream, entry.sequence, 1)


class StreamEviction:
    """What goes of one stream."""

    def __init__(
        self, stream: int, chosen: tuple[list[Aged], list[Aged]], now_us: int, keys: Keys, server: RedisServer
    ) -> None:
        self._stream = stream
        self._payloads, self._elements = chosen
        self._now_us = now_us
        self._keys = keys
        self._server = server

    def carry_out(self, commit: CommitDraft) -> tuple[list[int], int]:
        """Let go in a commit that refuses pins set meanwhile; bytes of each payload, how many elements."""
        pins = Pins.read(self._keys, self._server)
        draft = commit.stream(self._stream)
        draft.load([aged.sequence for aged in (*self._payloads, *self._elements)])

        def may_go(aged: Aged) -> bool:
            row = draft.row(aged.sequence)
            is_same = row is not None and row.stored_time_us == aged.stored_us
            return is_same and not pins.hold(self._stream, aged.sequence, self._now_us)

        gone = let_go(draft, [aged.sequence for aged in self._payloads if may_go(aged)])
        removed = [aged.sequence for aged in self._elements if may_go(aged)]
        gone += remove(draft, removed)
        commit.request.guard(self._keys.pinned, pins.stamp)
        return gone, len(removed)
