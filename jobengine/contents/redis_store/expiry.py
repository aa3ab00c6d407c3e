"""Which payloads of a stream are past their time or limits, and letting them go.

One stream is one commit: a hot stream must not hold up the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice
from typing import Final

from jobengine.contents.redis_store.commit_draft import CommitDraft
from jobengine.contents.redis_store.keys import Keys
from jobengine.contents.redis_store.order import SEQUENCE_BYTES, sequence_bytes, sequence_number
from jobengine.contents.redis_store.pins import Pins
from jobengine.contents.redis_store.server import RedisServer
from jobengine.contents.redis_store.stream_draft import StreamDraft
from jobengine.contents.redis_store.stream_writes import let_go
from jobengine.model.element import PayloadState

AT_ONCE: Final = 1_000
"""Payloads that one call lets go in a stream, and entries that are due in all of them."""
_PAGE: Final = 250

Due = dict[int, list[int]]
"""Sequences by stream."""


def streams_to_look_at(now_us: int, keys: Keys, server: RedisServer) -> Due:
    """Streams with payloads that are due and not pinned, with these, and those that have limits."""
    due: Due = {int(number): [] for number in server.call("SMEMBERS", keys.limited)}
    pins = Pins.read(keys, server)
    for stream, sequence in islice(_due(now_us, pins, keys, server), AT_ONCE):
        due.setdefault(stream, []).append(sequence)
    return due


def _due(now_us: int, pins: Pins, keys: Keys, server: RedisServer) -> Iterator[tuple[int, int]]:
    for start in count(0, AT_ONCE):
        members = server.call("ZRANGEBYSCORE", keys.expiring, "-inf", now_us, "LIMIT", start, AT_ONCE)
        for member in members:
            stream = sequence_number(member[:SEQUENCE_BYTES])
            sequence = sequence_number(member[SEQUENCE_BYTES:])
            if not pins.hold(stream, sequence, now_us):
                yield stream, sequence
        if len(members) < AT_ONCE:
            return


class StreamExpiry:
    """What one call does to one stream."""

    def __init__(self, stream: int, due: list[int], now_us: int, keys: Keys, server: RedisServer) -> None:
        self._stream = stream
        self._due = due
        self._now_us = now_us
        self._keys = keys
        self._server = server

    def carry_out(self, commit: CommitDraft) -> list[int]:
        """Let go in a commit that refuses pins set meanwhile; the bytes of each payload."""
        pins = Pins.read(self._keys, self._server)
        draft = commit.stream(self._stream)
        gone = self._let_go_due(draft, pins, commit)
        gone += self._let_go_beyond_limits(draft, pins)
        commit.request.guard(self._keys.pinned, pins.stamp)
        return gone

    def _let_go_due(self, draft: StreamDraft, pins: Pins, commit: CommitDraft) -> list[int]:
        draft.load(self._due)
        going = []
        for sequence in self._due:
            row = draft.row(sequence)
            member = sequence_bytes(self._stream) + sequence_bytes(sequence)
            if pins.hold(self._stream, sequence, self._now_us):
                continue
            commit.request.add("ZREM", self._keys.expiring, member)
            if row is not None and row.expires_us is not None and row.expires_us <= self._now_us:
                going.append(sequence)
        return let_go(draft, going)

    def _let_go_beyond_limits(self, draft: StreamDraft, pins: Pins) -> list[int]:
        gone: list[int] = []
        head = draft.head
        if head.limit_age_us is None and head.limit_bytes is None:
            return gone
        for sequence in self._oldest(draft):
            row = draft.row(sequence)
            if row is None or row.state is not PayloadState.HERE:
                continue
            if len(gone) == AT_ONCE:
                break
            is_old = head.limit_age_us is not None and row.stored_time_us + head.limit_age_us <= self._now_us
            is_too_much = head.limit_bytes is not None and head.payload_bytes > head.limit_bytes
            if not (is_old or is_too_much):
                break
            if not pins.hold(self._stream, sequence, self._now_us):
                gone += let_go(draft, [sequence])
        return gone

    def _oldest(self, draft: StreamDraft) -> Iterator[int]:
        """Elements whose payload is here, in order of arrival."""
        for start in count(0, _PAGE):
            fields = self._server.call("ZRANGE", draft.keys.held, start, start + _PAGE - 1)
            sequences = [sequence_number(field) for field in fields]
            draft.load(sequences)
            yield from sequences
            if len(fields) < _PAGE:
                return
