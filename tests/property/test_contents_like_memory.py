"""Commits, pins and expiries leave in Redis what they leave in memory, and nothing besides."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from jobengine.clock import to_us
from jobengine.contents.redis_store.opening import open_redis_store
from jobengine.errors import JobEngineError
from jobengine.ids import new_id
from jobengine.model.element import PTS_MAX, PTS_MIN, Element, ElementKind, StoredElement
from jobengine.ports.contents import (
    Capacity,
    ContentStore,
    DeleteDocument,
    DeleteElements,
    DropPayloads,
    DropStream,
    KeepPayload,
    LimitStream,
    PutDocument,
    PutElement,
    PutMode,
    PutPlanes,
)
from jobengine.testing.clock import START, ManualClock
from jobengine.testing.contents.store import MemoryContents
from tests.begun import begun
from tests.redis_servers import RedisServer

START_US = to_us(START)


class Plane(bytes):
    """Bytes that a report of a failure tells in a word."""

    def __repr__(self) -> str:
        return f"{len(self)} bytes {self[:1]!r}"


LAST_STREAM = 2**64 - 1
STREAMS = st.sampled_from([0, 0, 0, LAST_STREAM])
NEAR = st.integers(0, 4)
PTS = st.one_of(NEAR, NEAR, NEAR, st.sampled_from([-1, PTS_MIN, 2**53, 2**53 + 1, PTS_MAX]))
RANGES = st.tuples(NEAR | PTS, NEAR | PTS).map(sorted)
KINDS = st.sampled_from(ElementKind)
NO_KIND = st.none() | KINDS
IDS_IN_USE = 16
IDS = st.integers(0, IDS_IN_USE - 1).map(lambda number: number.to_bytes(16, "big"))
PLANES = st.sampled_from([Plane(), Plane(b"x"), Plane(b"y" * 3000), Plane(b"z" * 70_000)])
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
PLANE_LISTS = st.lists(PLANES, min_size=1, max_size=2)
PUTS = st.one_of(
    st.builds(PutElement, STREAMS, ELEMENTS, st.none() | PLANE_LISTS, st.sampled_from(PutMode), TIMES),
    st.builds(PutElement, STREAMS, ELEMENTS, st.none() | PLANE_LISTS, st.just(PutMode.REPLACE), TIMES),
    st.builds(PutElement, STREAMS, ELEMENTS, PLANE_LISTS),
    st.builds(PutPlanes, STREAMS, KINDS, PTS, st.dictionaries(st.integers(0, 2), PLANES, min_size=1), TIMES),
)
WRITES = st.one_of(
    PUTS,
    PUTS,
    st.builds(
        lambda stream, ends, kind: DeleteElements(stream, ends[0], ends[1], kind), STREAMS, RANGES, NO_KIND
    ),
    st.builds(
        lambda stream, ends, kind: DeleteElements(stream, ends[0], ends[1], kind), STREAMS, RANGES, NO_KIND
    ),
    st.builds(
        lambda stream, ends, kind: DropPayloads(stream, ends[0], ends[1], kind), STREAMS, RANGES, NO_KIND
    ),
    st.builds(KeepPayload, STREAMS, KINDS, PTS, st.integers(START_US, START_US + 10)),
    st.builds(LimitStream, STREAMS, st.none() | st.integers(0, 5), st.none() | st.integers(0, 9000)),
    st.builds(PutDocument, COLLECTIONS, KEYS, st.dictionaries(KEYS, st.integers()), REVISIONS),
    st.builds(DeleteDocument, COLLECTIONS, KEYS, REVISIONS),
    st.builds(DropStream, st.just(LAST_STREAM)),
)
"""Most of them are refused in some states, and with them their commit: so commits are short."""
COMMITS = st.lists(WRITES, min_size=1, max_size=3)
FILLED = st.lists(st.builds(PutElement, STREAMS, ELEMENTS, PLANE_LISTS), min_size=6, max_size=12)
PLACES = st.tuples(st.integers(0, 5), st.integers(0, 5)).map(sorted)
PINS = st.builds(
    lambda stream, ends, until_us: (stream, *ends, until_us),
    STREAMS,
    PLACES,
    st.integers(START_US, START_US + 10),
)


@dataclass(frozen=True)
class Expire:
    """Let go what is due at a moment after the start."""

    after_us: int
    capacity: Capacity


CAPACITIES = st.builds(
    Capacity, st.none() | st.none() | st.integers(0, 20_000), st.none() | st.none() | st.integers(0, 12)
)
EXPIRES = st.builds(Expire, st.integers(0, 10), CAPACITIES)
STEPS = st.lists(st.one_of(COMMITS, COMMITS, COMMITS, PINS, EXPIRES), min_size=20, max_size=40)


@given(FILLED, STEPS)
@settings(max_examples=25)
def test_redis_keeps_what_memory_keeps(
    redis_server: RedisServer, filled: list[Any], steps: list[Any]
) -> None:
    clock = ManualClock()
    prefix = new_id()
    memory = begun(MemoryContents(clock), (0, LAST_STREAM))
    store = begun(open_redis_store(redis_server.url(prefix), clock), (0, LAST_STREAM))
    try:
        for number, step in enumerate([filled, *steps]):
            assert take_step(store, step) == take_step(memory, step)
            if number % 4 == 0:
                assert everything(store) == everything(memory)
            clock.advance(timedelta(microseconds=1))
        assert everything(store) == everything(memory)
        with redis_server.client() as client:
            assert misplaced_chunks(client, prefix) == set()
    finally:
        store.close()


def take_step(store: ContentStore, step: Any) -> Any:
    """Do it; what it answers, or how it is refused."""
    if isinstance(step, Expire):
        gone = [store.expire(START_US + step.after_us, step.capacity) for _ in range(3)]
        return [(each.payloads, each.payload_bytes, each.elements, each.is_full) for each in gone]
    try:
        if isinstance(step, tuple):
            return bool(store.pin(*step))
        return store.commit(step)
    except JobEngineError as refusal:
        return type(refusal), refusal.detail


def everything(store: ContentStore) -> dict[str, Any]:
    """All that can be read."""
    seen: dict[str, Any] = {name: store.documents(name) for name in ("a", "b")}
    ids = [number.to_bytes(16, "big") for number in range(IDS_IN_USE)]
    for stream in (0, LAST_STREAM):
        elements = store.range(stream, PTS_MIN, PTS_MAX)
        looked_up = {
            "facts": store.facts(stream),
            "scan": store.scan(stream, 0, 100),
            "scan from within": store.scan(stream, 1, 2),
            "range": elements,
            "page from the end": store.range(stream, 0, 2**53, 1, 2, descending=True),
            "nth": store.nth(stream, 1, 2),
            "payloads": [planes and list(map(bytes, planes)) for planes in store.payloads(elements)],
            "keys by pts": [store.key_by_pts(stream, pts) for pts in (-1, 2, 2**53)],
            "by id": [store.by_id(stream, id_) for id_ in ids],
            "keys by id": [store.key_by_id(stream, id_) for id_ in ids],
            "by sequence": [store.by_sequence(stream, number) for number in range(IDS_IN_USE)],
        }
        seen |= {f"{stream} {what}": without_time(found) for what, found in looked_up.items()}
    return seen


def without_time(seen: Any) -> Any:
    """Clocks may be read more or less often."""
    if isinstance(seen, list):
        return [without_time(each) for each in seen]
    return msgspec.structs.replace(seen, stored_time_us=0) if isinstance(seen, StoredElement) else seen


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
