"""Stores of several processes on one Redis: nobody's writes are lost, torn or done twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from jobengine.clock import SystemClock
from jobengine.contents.redis_store.opening import open_redis_store
from jobengine.contents.redis_store.store import RedisContents
from jobengine.errors import RevisionMismatch
from jobengine.model.element import PTS_MAX, PTS_MIN, Element, ElementKind, PayloadState
from jobengine.ports.contents import DeleteElements, LimitStream, PutDocument, PutElement
from tests.begun import begun
from tests.waiting import PATIENCE_S

STREAM = 9
STORES = 4
ROUNDS = 25
LARGE = 70_000


@pytest.fixture
def stores(redis_url: str) -> Iterator[list[RedisContents]]:
    """As many processes would have."""
    opened = [open_redis_store(redis_url, SystemClock(), PATIENCE_S) for _ in range(STORES)]
    begun(opened[0], [STREAM])
    yield opened
    for store in opened:
        store.close()


def race(works: list[Callable[[], None]]) -> None:
    """Run all at once; what any of them raises, this raises."""
    ready = threading.Barrier(len(works))

    def run(work: Callable[[], None]) -> None:
        ready.wait(timeout=PATIENCE_S)
        work()

    with ThreadPoolExecutor(len(works)) as pool:
        list(pool.map(run, works))


def payload(writer: int, number: int) -> bytes:
    """Some small, some with a chunk of their own."""
    return b"%d:%d " % (writer, number) * (1 if number % 3 else LARGE // 4)


def test_what_all_append_to_one_stream_is_there_without_gaps(stores: list[RedisContents]) -> None:
    def append(writer: int) -> None:
        for number in range(ROUNDS):
            element = Element(ElementKind.PACKET, pts=writer * 1000 + number)
            stores[writer].commit([PutElement(STREAM, element, [payload(writer, number)])])

    race([lambda writer=writer: append(writer) for writer in range(STORES)])  # type: ignore[misc]

    found = stores[0].range(STREAM, PTS_MIN, PTS_MAX)
    assert sorted(each.sequence for each in found) == list(range(STORES * ROUNDS))
    for element, planes in zip(found, stores[1].payloads(found), strict=True):
        assert planes is not None
        assert bytes(planes[0]) == payload(*divmod(element.element.pts or 0, 1000))
    assert stores[0].facts(STREAM).payload_bytes == sum(sum(each.planes) for each in found)


def test_a_counter_that_all_raise_counts_everyone(stores: list[RedisContents]) -> None:
    def count(store: RedisContents) -> None:
        raised = 0
        while raised < ROUNDS:
            there = store.document("counters", "a")
            value, revision = (there.value["n"], there.revision) if there else (0, 0)
            try:
                store.commit([PutDocument("counters", "a", {"n": value + 1}, revision)])
                raised += 1
            except RevisionMismatch:
                continue

    race([lambda store=store: count(store) for store in stores])  # type: ignore[misc]

    document = stores[0].document("counters", "a")
    assert document is not None
    assert (document.value["n"], document.revision) == (STORES * ROUNDS, STORES * ROUNDS)


def test_expiry_and_deletes_beside_writers_leave_true_counts(stores: list[RedisContents]) -> None:
    stores[0].commit([LimitStream(STREAM, None, 3 * LARGE)])

    def append(store: RedisContents) -> None:
        for number in range(ROUNDS):
            store.commit([PutElement(STREAM, Element(ElementKind.PACKET, None), [payload(0, number)])])

    def expire() -> None:
        for _ in range(ROUNDS):
            stores[2].expire(0)

    def delete() -> None:
        for number in range(ROUNDS):
            stores[3].commit([DeleteElements(STREAM, number, number)])

    race([lambda: append(stores[0]), lambda: append(stores[1]), expire, delete])
    while stores[0].expire(0).payloads:
        continue

    found = stores[0].range(STREAM, PTS_MIN, PTS_MAX)
    facts = stores[0].facts(STREAM)
    here = [each for each in found if each.payload is PayloadState.HERE]
    assert all(planes is not None for planes in stores[0].payloads(here))
    assert facts.payload_bytes == sum(sum(each.planes) for each in here) <= 3 * LARGE
    assert (facts.count, facts.next_sequence) == (len(found), 2 * ROUNDS)
