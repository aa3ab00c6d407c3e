"""Disk space of payloads that went is freed, and what is still wanted outlives its segment."""

from __future__ import annotations

from pathlib import Path

from jobengine.clock import to_us
from jobengine.contents.embedded import EmbeddedContents
from jobengine.model.element import PTS_MAX, PTS_MIN, PayloadState
from jobengine.ports.contents import DeleteDocument, DeleteElements, DropStream, PutDocument
from jobengine.testing.clock import START
from tests.begun import begun
from tests.unit.contents.files import STREAM, check_all, lose_index, opened, put, segments

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
        expected = (store.scan(STREAM, 0, 100), store.facts(STREAM), store.documents("things"))
    lose_index(tmp_path)

    with opened(tmp_path) as store:
        assert store.opening.reindexed_elements == 21
        assert (store.scan(STREAM, 0, 100), store.facts(STREAM), store.documents("things")) == expected
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


def test_nothing_is_freed_twice(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        fill(store, 30)
        expire_all(store, SOON_US)
        kept = segments(tmp_path)

        assert store.expire(SOON_US).freed_bytes == 0
        assert segments(tmp_path) == kept
