"""Elements come to streams that are there, and only there: a deletion leaves nothing behind its writers."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from jobengine.errors import StreamGone
from jobengine.model.element import StreamFacts
from jobengine.ports.contents import (
    ContentStore,
    DropStream,
    LimitStream,
    PutDocument,
    PutMode,
    PutPlanes,
    Write,
)
from tests.begun import begun
from tests.contract.contents.backends import StoreFactory
from tests.contract.contents.samples import OTHER, PACKET, STREAM, element_id, fill, payload_at, put, times
from tests.waiting import PATIENCE_S

NEVER = 4711
WRITERS = 8


def is_empty(store: ContentStore, stream: int) -> bool:
    """Whether nothing is known of a stream."""
    return store.facts(stream) == StreamFacts(stream, 0, 0, 0, None, None, 0)


@pytest.mark.parametrize("mode", PutMode)
def test_elements_of_a_stream_that_never_began_are_refused(store: ContentStore, mode: PutMode) -> None:
    version = store.version()

    with pytest.raises(StreamGone) as refusal:
        store.commit(
            [put(1, b"x"), PutDocument("things", "a", {}, None), put(1, b"x", stream=NEVER, mode=mode)]
        )

    assert refusal.value.facts["streams"] == [NEVER]
    assert store.version() == version
    assert store.document("things", "a") is None
    assert is_empty(store, NEVER)
    assert is_empty(store, STREAM)


def test_elements_of_a_dropped_stream_are_refused(store_factory: StoreFactory) -> None:
    store = store_factory.open()
    fill(store, [1, 2])
    store.commit([DropStream(STREAM)])
    store = store_factory.reopen()

    for write in (put(3, b"x"), PutPlanes(STREAM, PACKET, 1, {0: b"x"})):
        with pytest.raises(StreamGone):
            store.commit([write])
    with pytest.raises(StreamGone):
        store.pin(STREAM, 0, 9, 2**60)

    assert is_empty(store, STREAM)
    begun(store, [STREAM])
    store.commit([put(4, b"again")])
    assert times(store.range(STREAM, 0, 9)) == [4]
    assert payload_at(store, 4) == [b"again"]


def test_a_stream_without_elements_is_there_until_it_is_dropped(store_factory: StoreFactory) -> None:
    store = store_factory.open()
    begun(store, [NEVER])
    store = store_factory.reopen()
    store.commit([put(1, stream=NEVER)])
    store.commit([DropStream(NEVER), LimitStream(NEVER, None, None)])
    store = store_factory.reopen()

    assert is_empty(store, NEVER)
    store.commit([put(2, stream=NEVER)])
    assert times(store.range(NEVER, 0, 9)) == [2]


def test_dropping_a_stream_that_is_not_there_begins_none(store: ContentStore) -> None:
    store.commit([DropStream(NEVER)])

    with pytest.raises(StreamGone):
        store.commit([put(1, stream=NEVER)])


@pytest.mark.parametrize(
    ("writes", "is_done"),
    [
        ([LimitStream(NEVER, None, None), put(1, stream=NEVER)], True),
        ([put(1, stream=NEVER), LimitStream(NEVER, None, None)], False),
        ([put(1), DropStream(STREAM)], True),
        ([put(1), DropStream(STREAM), put(2)], False),
        ([put(1), DropStream(STREAM), PutPlanes(STREAM, PACKET, 1, {0: b"x"})], False),
        ([DropStream(STREAM), LimitStream(STREAM, None, None), put(2)], True),
    ],
)
def test_within_a_commit_streams_begin_and_end_in_order(
    store: ContentStore, writes: Sequence[Write], is_done: bool
) -> None:
    version = store.version()

    if is_done:
        store.commit(writes)
    else:
        with pytest.raises(StreamGone):
            store.commit(writes)

    assert (store.version() > version) is is_done


def test_only_the_commit_of_the_gone_stream_is_refused(store: ContentStore) -> None:
    ready = threading.Barrier(WRITERS)

    def run(writer: int) -> bool:
        ready.wait(timeout=PATIENCE_S)
        try:
            store.commit([put(writer, b"x", stream=NEVER if writer % 2 else OTHER)])
        except StreamGone:
            return False
        return True

    with ThreadPoolExecutor(WRITERS) as pool:
        stored = list(pool.map(run, range(WRITERS)))

    assert stored == [not writer % 2 for writer in range(WRITERS)]
    assert times(store.range(OTHER, 0, 99)) == [0, 2, 4, 6]


def test_a_stream_dropped_beside_its_writers_leaves_nothing(store: ContentStore) -> None:
    under_way = threading.Barrier(WRITERS + 1)

    def write(writer: int) -> int:
        """Append until refused; how many were stored."""
        for number in range(100_000):
            write = put(number, b"x" * 500, id_=element_id(writer * 100_000 + number + 1))
            try:
                store.commit([write])
            except StreamGone:
                return number
            if number == 2:
                under_way.wait(timeout=PATIENCE_S)
        raise AssertionError("nobody said that the stream was gone")

    with ThreadPoolExecutor(WRITERS) as pool:
        writing = [pool.submit(write, writer) for writer in range(WRITERS)]
        under_way.wait(timeout=PATIENCE_S)
        [dropped] = store.commit([DropStream(STREAM)])
        stored = sum(each.result(timeout=PATIENCE_S) for each in writing)

    assert dropped.changed == stored >= WRITERS * 3
    assert is_empty(store, STREAM)
    begun(store, [STREAM])
    assert store.scan(STREAM, 0, 100) == []
    assert store.by_id(STREAM, element_id(1)) is None
    assert store.commit([put(1, b"x")])[0].sequence == 0
