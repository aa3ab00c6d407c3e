"""Disk space of payloads that went is freed, and what is still wanted outlives its segment."""

from __future__ import annotations

from pathlib import Path

from jobengine.clock import to_us
from jobengine.contents.embedded import EmbeddedContents
from jobengine.model.element import PTS_MAX, PTS_MIN, PayloadState
from jobengine.ports.contents import Capacity, DeleteDocument, DeleteElements, DropStream, PutDocument
from jobengine.testing.clock import START
from tests.begun import begun
from tests.unit.contents.files import SMALL, STREAM, check_all, lose_index, opened, put, scanned, segments

START_US = to_us(START)
SOON_US = START_US + 60_000_000


def expire_all(store: EmbeddedContents, now_us: int) -> int:
    """Call until nothing is freed; the bytes that were."""
    freed_bytes = 0
    while (done := store.expire(now_us)).payloads or done.freed_bytes:
        freed_bytes += done.freed_bytes
    return freed_bytes


def fill(store: EmbeddedContents, count: int, expires_us: int | None = SOON_US) -> None:
    """Elements of 10 kB each, six to a segment."""
    for pts in range(count):
        store.commit([put(pts, expires_us=expires_us, size=10_000)])


def test_segments_of_payloads_past_their_time_are_removed(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        fill(store, 60)
        before = len(segments(tmp_path))

        freed_bytes = expire_all(store, SOON_US)

        assert freed_bytes > 400_000
        assert len(segments(tmp_path)) < before - 5
        found = store.range(STREAM, PTS_MIN, PTS_MAX)
        assert [each.element.pts for each in found] == list(range(60))
        assert [each.element.attributes for each in found] == [b"%d" % pts for pts in range(60)]
        assert {each.payload for each in found} == {PayloadState.GONE}


def test_metadata_and_documents_of_removed_segments_are_found_in_the_log(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        store.commit([put(1000, expires_us=SOON_US), PutDocument("things", "a", {"n": 1}, None)])
        fill(store, 60)
        store.commit([PutDocument("things", "b", {"n": 2}, None), DeleteDocument("things", "a")])
        store.commit([DeleteElements(STREAM, 10, 49)])
        name = store.pin(STREAM, 55, 56, SOON_US * 2)
        expire_all(store, SOON_US)
        expected = (scanned(store), store.facts(STREAM), store.documents("things"))
    lose_index(tmp_path)

    with opened(tmp_path) as store:
        assert store.opening.reindexed_elements == 21
        assert (scanned(store), store.facts(STREAM), store.documents("things")) == expected
        expire_all(store, SOON_US + 1)
        assert store.facts(STREAM).payload_bytes == 20_000
        store.unpin(name)
        expire_all(store, SOON_US + 1)
        assert store.facts(STREAM).payload_bytes == 0


def test_sequences_are_not_used_again_when_their_records_are_gone(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        fill(store, 30)
        store.commit([DeleteElements(STREAM, 0, 100)])
        expire_all(store, SOON_US)
    lose_index(tmp_path)

    with opened(tmp_path) as store:
        assert store.facts(STREAM).count == 0
        assert store.commit([put(1)])[0].sequence == 30


def test_a_dropped_stream_frees_its_segments_and_stays_dropped(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        fill(store, 60, expires_us=None)
        store.commit([put(1, stream=4)])
        store.commit([DropStream(STREAM)])

        assert expire_all(store, START_US) > 400_000
        begun(store, [STREAM])
        store.commit([put(7)])
    lose_index(tmp_path)
    with opened(tmp_path) as store:
        assert check_all(store) == [7]
        assert check_all(store, stream=4) == [1]


def test_a_few_living_payloads_do_not_hold_a_whole_segment(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        fill(store, 60, expires_us=None)
        store.commit([DeleteElements(STREAM, *ends) for ends in ((1, 29), (31, 59))])

        assert expire_all(store, START_US) > 400_000
        assert check_all(store) == [0, 30]
    lose_index(tmp_path)
    with opened(tmp_path) as store:
        assert check_all(store) == [0, 30]


def test_segments_that_are_half_dead_are_freed_the_emptiest_first(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        fill(store, 60, expires_us=None)
        store.commit([DeleteElements(STREAM, pts, pts + 3) for pts in range(0, 60, 6)])
        alive = 20 * 10_000

        assert expire_all(store, START_US) > 300_000
        assert (
            sum(file.stat().st_blocks * 512 for file in segments(tmp_path))
            < 2 * alive + 2 * SMALL.segment_bytes
        )
        assert check_all(store) == [pts for pts in range(60) if pts % 6 > 3]
    lose_index(tmp_path)
    with opened(tmp_path) as store:
        assert check_all(store) == [pts for pts in range(60) if pts % 6 > 3]


def test_a_few_payloads_that_outlive_their_neighbours_do_not_hold_many_segments(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        for pts in range(120):
            store.commit([put(pts, expires_us=SOON_US if pts % 12 else SOON_US + 2_000_000, size=10_000)])

        assert expire_all(store, SOON_US) > 900_000

        assert store.facts(STREAM).payload_bytes == 100_000
        found = [each for each in store.range(STREAM, 0, 200) if each.payload is PayloadState.HERE]
        assert [each.element.pts for each in found] == list(range(0, 120, 12))
        assert all(store.payloads(found))
        expire_all(store, SOON_US + 2_000_000)
        assert store.facts(STREAM).payload_bytes == 0


def test_the_files_of_a_bounded_store_stay_bounded_however_much_comes(tmp_path: Path) -> None:
    capacity = Capacity(payload_bytes=200_000, elements=100)
    largest = 0
    with opened(tmp_path) as store:
        pts = 0
        for _ in range(40):
            for _ in range(15):
                pts += 1
                store.commit([put(pts, stream=pts % 3, size=10_000)])
            while not store.expire(START_US, capacity).did_nothing:
                continue
            largest = max(largest, sum(file.stat().st_size for file in segments(tmp_path)))

        assert largest < 2 * (200_000 + 100 * 300) + 4 * SMALL.segment_bytes
        assert sum(store.facts(stream).count for stream in range(3)) == 100
        assert sum(store.facts(stream).payload_bytes for stream in range(3)) == 200_000
        expected = [scanned(store, stream) for stream in range(3)]
    lose_index(tmp_path)
    with opened(tmp_path) as store:
        assert [scanned(store, stream) for stream in range(3)] == expected


def test_a_bounded_index_does_not_grow(tmp_path: Path) -> None:
    capacity = Capacity(elements=200)
    sizes = []
    with opened(tmp_path) as store:
        for round_ in range(16):
            store.commit([put(round_ * 500 + n) for n in range(500)])
            while not store.expire(START_US, capacity).did_nothing:
                continue
            sizes.append((tmp_path / "index" / "data.mdb").stat().st_size)

    assert sizes[-1] == sizes[8]


def test_nothing_is_freed_twice(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        fill(store, 30)
        expire_all(store, SOON_US)
        kept = segments(tmp_path)

        assert store.expire(SOON_US).freed_bytes == 0
        assert segments(tmp_path) == kept
