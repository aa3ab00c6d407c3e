"""From a stream's draft to the commands that make it so."""

from __future__ import annotations

from typing import Final

from jobengine.contents.redis_store.gaps import add_gaps
from jobengine.contents.redis_store.keys import Keys
from jobengine.contents.redis_store.order import sequence_bytes, time_member
from jobengine.contents.redis_store.request import Request
from jobengine.contents.redis_store.row import Row, id_of, is_held, is_key, unpack_row
from jobengine.contents.redis_store.server import RedisServer
from jobengine.contents.redis_store.stream_draft import StreamDraft
from jobengine.contents.redis_store.wire import Word
from jobengine.model.element import PayloadState

_SCORE: Final = b"0"
"""Of all members that are ordered by their bytes."""


def flush(draft: StreamDraft, keys: Keys, server: RedisServer, request: Request) -> int:
    """Add all that the stream needs; how many bytes Redis gets back. Reads the chunks and gaps it touches."""
    request.guard(draft.keys.head, draft.seen_stamp)
    if not draft.is_changed:
        return 0
    if draft.dropped_keys:
        request.add_many("UNLINK", draft.dropped_keys[0], draft.dropped_keys[1:])
        request.add("SREM", keys.limited, draft.number)
        request.add("SREM", keys.streams, draft.number)
    draft.placement.finish(request, draft.needed)
    _change_elements(
        draft, keys, request
    )  # first: an id that is given up here may be taken again by a new one
    _add_elements(draft, request)
    removed = [sequence for sequence, data in draft.after.items() if data is None]
    if removed:
        add_gaps(draft.keys.gaps, removed, server, request)
    freed_bytes = _settle_chunks(draft, server, request)
    for sequence, expires_us in draft.expiring.items():
        member = sequence_bytes(draft.number) + sequence_bytes(sequence)
        request.add("ZADD", keys.expiring, expires_us, member)
    _settle_head(draft, keys, request)
    return freed_bytes


def _add_elements(draft: StreamDraft, request: Request) -> None:
    rows: list[Word] = []
    times: list[Word] = []
    ids: list[Word] = []
    held: list[Word] = []
    key_times: list[Word] = []
    key_ids: list[Word] = []
    for sequence, place in draft.added.items():
        data = draft.after[sequence]
        if data is None:
            continue
        field = sequence_bytes(sequence)
        rows += (field, data)
        times += (_SCORE, place + field)
        ids += (id_of(data), field)
        if is_held(data):
            held += (sequence, field)
        if is_key(data):
            key_times += (_SCORE, place + field)
            key_ids += (_SCORE, id_of(data) + field)
    k = draft.keys
    request.add_many("HSET", k.rows, rows, 2)
    request.add_many("ZADD", k.times, times, 2)
    request.add_many("HSET", k.ids, ids, 2)
    request.add_many("ZADD", k.held, held, 2)
    request.add_many("ZADD", k.key_times, key_times, 2)
    request.add_many("ZADD", k.key_ids, key_ids, 2)


def _change_elements(draft: StreamDraft, keys: Keys, request: Request) -> None:
    """Elements that were there before: another row, or none."""
    for sequence, before in draft.before.items():
        if sequence not in draft.after:
            continue
        data = draft.after[sequence]
        field = sequence_bytes(sequence)
        if before.expires_us is not None and not (data and is_held(data)):
            request.add("ZREM", keys.expiring, sequence_bytes(draft.number) + field)
        if data is None:
            _remove(draft, before, field, request)
            continue
        request.add("HSET", draft.keys.rows, field, data)
        if is_held(data) != (before.state is PayloadState.HERE):
            if is_held(data):
                request.add("ZADD", draft.keys.held, sequence, field)
            else:
                request.add("ZREM", draft.keys.held, field)
        if is_key(data) != before.element.is_key:
            _index_key("ZADD" if is_key(data) else "ZREM", draft, unpack_row(data), field, request)


def _remove(draft: StreamDraft, before: Row, field: bytes, request: Request) -> None:
    k = draft.keys
    request.add("HDEL", k.rows, field)
    request.add("ZREM", k.times, _time(before, field))
    request.add("HDEL", k.ids, before.element.element_id)
    if before.state is PayloadState.HERE:
        request.add("ZREM", k.held, field)
    if before.element.is_key:
        _index_key("ZREM", draft, before, field, request)


def _index_key(name: str, draft: StreamDraft, row: Row, field: bytes, request: Request) -> None:
    score: tuple[Word, ...] = (_SCORE,) if name == "ZADD" else ()
    request.add(name, draft.keys.key_times, *score, _time(row, field))
    request.add(name, draft.keys.key_ids, *score, row.element.element_id + field)


def _settle_chunks(draft: StreamDraft, server: RedisServer, request: Request) -> int:
    """Count what each chunk is needed for, and free those that are not needed at all."""
    k = draft.keys
    changed = {chunk: by for chunk, by in draft.needed.items() if by}
    shrinking = [chunk for chunk, by in changed.items() if by < 0]
    counts = server.call("HMGET", k.chunks, *shrinking) if shrinking else []
    gone = [
        chunk for chunk, count in zip(shrinking, counts, strict=True) if int(count or 0) + changed[chunk] <= 0
    ]
    sizes = server.call_all([("STRLEN", k.chunk(chunk)) for chunk in gone])
    for chunk in gone:
        request.add("UNLINK", k.chunk(chunk))
        request.add("HDEL", k.chunks, chunk)
        if chunk == draft.head.open_chunk:
            draft.head.open_chunk = draft.head.open_bytes = 0
    for chunk in changed.keys() - set(gone):
        request.add("HINCRBY", k.chunks, chunk, changed[chunk])
    return sum(sizes)


def _settle_head(draft: StreamDraft, keys: Keys, request: Request) -> None:
    head = draft.head
    if draft.is_begun:
        is_limited = not (head.limit_age_us is None and head.limit_bytes is None)
        request.add("SET", draft.keys.head, head.pack(request.stamp))
        request.add("SADD" if is_limited else "SREM", keys.limited, draft.number)
        if draft.dropped_keys or not draft.seen_stamp:
            request.add("SADD", keys.streams, draft.number)


def _time(row: Row, field: bytes) -> bytes:
    return time_member(row.element.pts or 0, row.element.kind, field)
