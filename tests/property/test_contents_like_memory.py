"""Commits, pins and expiries leave in Redis what they leave in memory, and nothing besides."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from jobengine.clock import to_us
from jobengine.contents.memory import MemoryContents
from jobengine.contents.redis_store.opening import open_redis_store
from jobengine.errors import JobEngineError
from jobengine.ids import new_id
from jobengine.model.element import PTS_MAX, PTS_MIN, Element, ElementKind, StoredElement
from jobengine.ports.contents import (
    ContentStore,
    DeleteDocument,
    DeleteElements,
    DropPayloads,
    DropStream,
    LimitStream,
    PutDocument,
    PutElement,
    PutMode,
    PutPlanes,
)
from jobengine.testing.clock import START, ManualClock
from tests.redis_servers import RedisServer

START_US = to_us(START)
STREAMS = st.sampled_from([0, 2**64 - 1])
PTS = st.sampled_from([PTS_MIN, -1, 0, 1, 2, 3, 2**53, 2**53 + 1, PTS_MAX])
KINDS = st.sampled_from(ElementKind)
IDS = st.integers(0, 7).map(lambda number: number.to_bytes(16, "big"))
PLANES = st.sampled_from([b"", b"x", b"y" * 3000, b"z" * 70_000])
TIMES = st.none() | st.integers(START_US, START_US + 10)
REVISIONS = st.none() | st.integers(0, 2)
COLLECTIONS, KEYS = st.sampled_from(["a", "b"]), st.sampled_from(["", "a", "b", "é"])

ELEMENTS = st.builds(
    Element,
    kind=KINDS,
    pts=st.none() | PTS,
    dts=st.none() | PTS,
    is_key=st.booleans(),
    attributes=st.binary(max_size=4),
    element_id=IDS,
)
WRITES = st.one_of(
    st.builds(
        PutElement,
        STREAMS,
        ELEMENTS,
        st.none() | st.lists(PLANES, min_size=1, max_size=2),
        st.sampled_from(PutMode),
        TIMES,
    ),
    st.builds(PutElement, STREAMS, ELEMENTS, st.lists(PLANES, min_size=1, max_size=2)),
    st.builds(PutPlanes, STREAMS, KINDS, PTS, st.dictionaries(st.integers(0, 2), PLANES, min_size=1), TIMES),
    st.builds(DeleteElements, STREAMS, PTS, PTS, st.none() | KINDS),
    st.builds(DropPayloads, STREAMS, PTS, PTS, st.none() | KINDS),
    st.builds(DropStream, STREAMS),
    st.builds(LimitStream, STREAMS, st.none() | st.integers(0, 5), st.none() | st.integers(0, 9000)),
    st.builds(PutDocument, COLLECTIONS, KEYS, st.dictionaries(KEYS, st.integers()), REVISIONS),
    st.builds(DeleteDocument, COLLECTIONS, KEYS, REVISIONS),
)
COMMITS = st.lists(WRITES, max_size=6)
PINS = st.tuples(STREAMS, st.integers(0, 3), st.integers(0, 5), st.integers(START_US, START_US + 10))
STEPS = st.lists(st.one_of(COMMITS, COMMITS, PINS, st.integers(0, 10)), min_size=1, max_size=12)
"""Commits, pins, and moments at which payloads expire."""


@given(STEPS)
@settings(max_examples=60)
def test_redis_keeps_what_memory_keeps(redis_server: RedisServer, steps: list[Any]) -> None:
    clock = ManualClock()
    prefix = new_id()
    memory = MemoryContents(clock)
    store = open_redis_store(redis_server.url(prefix), clock)
    try:
        for step in steps:
            assert take_step(store, step) == take_step(memory, step)
            assert everything(store) == everything(memory)
            clock.advance(timedelta(microseconds=1))
        with redis_server.client() as client:
            assert misplaced_chunks(client, prefix) == set()
    finally:
        store.close()


def take_step(store: ContentStore, step: Any) -> Any:
    """Do it; what it answers, or how it is refused."""
    if isinstance(step, tuple):
        return bool(store.pin(*step))
    if isinstance(step, int):
        gone = [store.expire(START_US + step) for _ in range(3)]
        return [(each.payloads, each.payload_bytes) for each in gone]
    try:
        return store.commit(step)
    except JobEngineError as refusal:
        return type(refusal), refusal.detail


def everything(store: ContentStore) -> list[Any]:
    """All that can be read."""
    seen: list[Any] = [store.documents(collection) for collection in ("a", "b")]
    for stream in (0, 2**64 - 1):
        elements = store.range(stream, PTS_MIN, PTS_MAX)
        seen += [store.facts(stream), store.scan(stream, 0, 100), store.scan(stream, 1, 2), elements]
        seen += [store.range(stream, 0, 2**53, 1, 2, descending=True), store.nth(stream, 1, 2)]
        seen += [
            None if planes is None else [bytes(plane) for plane in planes]
            for planes in store.payloads(elements)
        ]
        seen += [store.key_by_pts(stream, pts) for pts in (-1, 2**53)]
        for number in range(8):
            id_ = number.to_bytes(16, "big")
            seen += [
                store.by_id(stream, id_),
                store.key_by_id(stream, id_),
                store.by_sequence(stream, number),
            ]
    return [without_time(each) for each in seen]


def without_time(seen: Any) -> Any:
    """Clocks may be read more or less often."""
    if isinstance(seen, list):
        return [without_time(each) for each in seen]
    return replace(seen, stored_time_us=0) if isinstance(seen, StoredElement) else seen


def misplaced_chunks(client: redis.Redis, prefix: str) -> set[bytes]:
    """Chunks that stay though nobody needs them, and those needed that would go by themselves."""
    misplaced = set()
    for key in client.scan_iter(f"{{{prefix}}}:stream:*:chunk:*"):
        stream, _, number = key.rpartition(b":chunk:")
        is_needed = client.hexists(stream + b":chunks", number)
        if is_needed == (client.ttl(key) != -1):
            misplaced.add(key)
    for registry in client.scan_iter(f"{{{prefix}}}:stream:*:chunks"):
        for number in client.hkeys(registry):
            chunk = registry.removesuffix(b"s") + b":" + number
            misplaced |= set() if client.exists(chunk) else {chunk}
    return misplaced
