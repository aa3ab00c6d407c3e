"""Many threads share a store: one of them wins, all see what returned."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from jobengine.errors import ConflictError, UnavailableError
from jobengine.model.element import PTS_MAX, PTS_MIN
from jobengine.ports.contents import ContentStore, PutDocument, PutMode, Write
from tests.contract.contents.samples import STREAM, element_id, put, sequences
from tests.waiting import PATIENCE_S

RACERS = 50


def race(store: ContentStore, write: Callable[[int], Write]) -> list[int]:
    """Commit one write in each of 50 threads at once; who was not refused."""
    ready = threading.Barrier(RACERS)

    def run(racer: int) -> int | None:
        ready.wait(timeout=PATIENCE_S)
        try:
            store.commit([write(racer)])
        except ConflictError:
            return None
        return racer

    with ThreadPoolExecutor(RACERS) as pool:
        return [racer for racer in pool.map(run, range(RACERS)) if racer is not None]


def test_of_many_who_create_one_element_one_wins(store: ContentStore) -> None:
    winners = race(store, lambda n: put(1, b"%d" % n, mode=PutMode.CREATE))

    assert len(winners) == 1
    [found] = store.range(STREAM, PTS_MIN, PTS_MAX)
    [planes] = store.payloads([found])
    assert planes is not None
    assert bytes(planes[0]) == b"%d" % winners[0]


def test_of_many_who_create_one_document_one_wins(store: ContentStore) -> None:
    winners = race(store, lambda n: PutDocument("things", "a", {"racer": n}, expected_revision=0))

    found = store.document("things", "a")
    assert found is not None
    assert [found.value["racer"]] == winners


def test_of_many_who_append_one_id_one_is_stored(store: ContentStore) -> None:
    everybody = race(store, lambda n: put(n, id_=element_id(1)))

    assert len(everybody) == RACERS
    assert store.facts(STREAM).count == 1


def test_appends_of_many_threads_are_all_there_without_gaps(store: ContentStore) -> None:
    race(store, lambda n: put(n, b"%d" % n))

    found = store.range(STREAM, PTS_MIN, PTS_MAX)
    assert sorted(each.sequence for each in found) == list(range(RACERS))
    assert [bytes(planes[0]) for planes in store.payloads(found) if planes] == [
        b"%d" % n for n in range(RACERS)
    ]
    assert sequences(store.scan(STREAM, 0, 100)) == list(range(RACERS))


def test_what_has_returned_is_seen_at_once(store: ContentStore) -> None:
    for pts in range(20):
        [outcome] = store.commit([put(pts)])
        assert outcome.sequence is not None
        assert store.by_sequence(STREAM, outcome.sequence) is not None


def test_the_version_grows_with_every_commit(store: ContentStore) -> None:
    versions = [store.version()]
    for write in (put(1), PutDocument("things", "a", {}, None)):
        store.commit([write])
        versions.append(store.version())

    assert versions == sorted(set(versions))
    assert store.version() == versions[-1]


def test_a_closed_store_refuses_everything(store: ContentStore) -> None:
    store.commit([put(1, b"x")])
    found = store.range(STREAM, 1, 1)
    store.close()
    store.close()

    for use in (
        lambda: store.commit([put(2)]),
        lambda: store.document("things", "a"),
        lambda: store.documents("things"),
        lambda: store.facts(STREAM),
        lambda: store.range(STREAM, 0, 1),
        lambda: store.nth(STREAM, 0, 1),
        lambda: store.by_id(STREAM, element_id(1)),
        lambda: store.by_sequence(STREAM, 0),
        lambda: store.key_by_id(STREAM, element_id(1)),
        lambda: store.key_by_pts(STREAM, 1),
        lambda: store.scan(STREAM, 0, 1),
        lambda: store.payloads(found),
        lambda: store.version(),
        lambda: store.pin(STREAM, 0, 1, 0),
        lambda: store.unpin("any"),
        lambda: store.expire(0),
    ):
        with pytest.raises(UnavailableError):
            use()


def test_a_new_store_was_opened_without_mending(store: ContentStore) -> None:
    assert (store.opening.cut_bytes, store.opening.reindexed_elements) == (0, 0)
