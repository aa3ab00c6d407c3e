"""The next segment is made while the present one fills up, and nothing is lost if somebody removes it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from jobengine.contents.embedded import EmbeddedContents
from tests.unit.contents.files import SMALL, check_all, lose_index, opened, put, segments
from tests.waiting import PATIENCE_S, wait_until

HALF = SMALL.segment_bytes * 2 // 3
"""Bytes that make a segment more than half full, and no second one of them fits."""


def wait_for_spare(folder: Path, count: int) -> None:
    """Return when there are so many files, the last of them with all its space."""
    wait_until(lambda: len(segments(folder)) == count, "a further segment")
    wait_until(lambda: segments(folder)[-1].stat().st_size == SMALL.segment_bytes, "its space")


def fill_first(store: EmbeddedContents, folder: Path) -> None:
    """A first segment that is more than half full, and its spare."""
    store.commit([put(1, size=HALF)])
    wait_for_spare(folder, 2)


def test_a_commit_that_needs_the_next_segment_makes_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("space was taken within a commit")

    with opened(tmp_path) as store:
        fill_first(store, tmp_path)
        store._committer._log.spare._maker.join(PATIENCE_S)  # type: ignore[union-attr]
        with monkeypatch.context() as faults:
            faults.setattr(os, "posix_fallocate", refuse)
            store.commit([put(2, size=HALF // 2)])
        assert len(segments(tmp_path)) == 2
        assert check_all(store) == [1, 2]
    lose_index(tmp_path)
    with opened(tmp_path) as store:
        assert check_all(store) == [1, 2]


def test_a_spare_that_was_not_used_is_removed_at_the_end(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        fill_first(store, tmp_path)

    assert len(segments(tmp_path)) == 1
    with opened(tmp_path) as store:
        assert check_all(store) == [1]


def test_a_spare_that_somebody_removed_is_not_written_to(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        fill_first(store, tmp_path)
        store._committer._log.spare._maker.join(PATIENCE_S)  # type: ignore[union-attr]
        segments(tmp_path)[-1].unlink()

        store.commit([put(2, size=HALF)])

        assert check_all(store) == [1, 2]
    lose_index(tmp_path)
    with opened(tmp_path) as store:
        assert check_all(store) == [1, 2]


def test_segments_of_one_lifetime_stay_in_order_whoever_takes_the_spare(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        fill_first(store, tmp_path)
        for pts in range(2, 20):
            store.commit([put(pts, size=HALF // 2, expires_us=2**60 if pts % 3 else None)])
        assert check_all(store) == list(range(1, 20))
    lose_index(tmp_path)
    with opened(tmp_path) as store:
        assert check_all(store) == list(range(1, 20))


def test_a_spare_left_by_a_killed_process_is_removed(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        store.commit([put(1)])
        before = segments(tmp_path)
    (tmp_path / "segments" / "000000000099.segment").write_bytes(bytes(SMALL.segment_bytes))

    with opened(tmp_path) as store:
        assert segments(tmp_path) == before
        assert store.opening.cut_bytes == 0
        assert check_all(store) == [1]
