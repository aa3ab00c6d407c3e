"""Faults of the disk, put in place of the system's calls: a full disk refuses, a failed sync ends it."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jobengine.contents.embedded import EmbeddedContents
from jobengine.errors import DiskFull, UnavailableError
from jobengine.testing.clock import ManualClock
from tests.unit.contents.files import SMALL, check_all, lose_index, opened, put, segments
from tests.waiting import PATIENCE_S

FULL = OSError(errno.ENOSPC, "No space left on device")
BROKEN = OSError(errno.EIO, "Input/output error")


def failing(fault: OSError, after: int = 0) -> Any:
    """A system call that fails, the first ones aside (those do nothing)."""
    calls = iter(range(after))

    def call(*_: Any) -> None:
        if next(calls, None) is None:
            raise fault

    return call


def test_a_full_disk_refuses_and_keeps_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path) as store:
        store.commit([put(1)])
        with monkeypatch.context() as faults:
            faults.setattr(os, "posix_fallocate", failing(FULL))
            with pytest.raises(DiskFull, match="No space left"):
                store.commit([put(2, size=100_000)])
            with pytest.raises(DiskFull):
                store.commit([put(3, expires_us=2**60)])
            store.commit([put(4)])
        assert check_all(store) == [1, 4]
        store.commit([put(5, size=100_000), put(6, expires_us=2**60)])
        assert check_all(store) == [1, 4, 5, 6]
    lose_index(tmp_path)
    with opened(tmp_path) as store:
        assert check_all(store) == [1, 4, 5, 6]


def test_a_disk_that_fills_up_within_a_group_takes_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.pwritev

    def half(file: int, buffers: Sequence[Any], offset: int) -> int:
        joined = b"".join(bytes(buffer) for buffer in buffers)
        write(file, [joined[: len(joined) // 2]], offset)
        raise FULL

    with opened(tmp_path) as store:
        store.commit([put(1)])
        with monkeypatch.context() as faults:
            faults.setattr(os, "pwritev", _only_large(half, write))
            with pytest.raises(DiskFull):
                store.commit([put(2, size=3000)])
        store.commit([put(3)])
    lose_index(tmp_path)
    with opened(tmp_path) as store:
        assert check_all(store) == [1, 3]


def _only_large(instead: Any, write: Any) -> Any:
    def call(file: int, buffers: Sequence[Any], offset: int) -> int:
        large = sum(len(buffer) for buffer in buffers) > 2000
        done: int = (instead if large else write)(file, buffers, offset)
        return done

    return call


@pytest.mark.parametrize("call", ["fdatasync", "pwritev"])
def test_after_a_failed_sync_or_write_nothing_is_taken_until_it_is_opened_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    with opened(tmp_path) as store:
        store.commit([put(1)])
        with monkeypatch.context() as faults:
            faults.setattr(os, call, failing(BROKEN))
            with pytest.raises(UnavailableError, match="opened anew"):
                store.commit([put(2)])
        with pytest.raises(UnavailableError, match="opened anew"):
            store.commit([put(3)])
        assert check_all(store) == [1]
    with opened(tmp_path) as store:
        assert check_all(store) == [1]
        store.commit([put(4)])
    lose_index(tmp_path)
    with opened(tmp_path) as store:
        assert check_all(store) == [1, 4]


def test_all_who_wait_are_refused_by_a_failed_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    began, go_on = threading.Event(), threading.Event()

    def stalled(_: int) -> None:
        began.set()
        go_on.wait(PATIENCE_S)
        raise BROKEN

    with opened(tmp_path) as store, ThreadPoolExecutor(4) as pool:
        monkeypatch.setattr(os, "fdatasync", stalled)
        first = pool.submit(store.commit, [put(1)])
        began.wait(PATIENCE_S)
        others = [pool.submit(store.commit, [put(pts)]) for pts in (2, 3)]
        go_on.set()
        for each in [first, *others]:
            with pytest.raises(UnavailableError):
                each.result(timeout=PATIENCE_S)


def test_a_stalled_disk_refuses_who_waited_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    began, go_on = threading.Event(), threading.Event()
    sync = os.fdatasync

    def stalled(file: int) -> None:
        began.set()
        go_on.wait(PATIENCE_S)
        sync(file)

    options = replace(SMALL, timeout_s=0.05, queue_bytes=1)
    with opened(tmp_path, options) as store, ThreadPoolExecutor(4) as pool:
        monkeypatch.setattr(os, "fdatasync", stalled)
        first = pool.submit(store.commit, [put(1)])
        began.wait(PATIENCE_S)
        with pytest.raises(UnavailableError, match="nothing was accepted"):
            store.commit([put(2)])
        queued = pool.submit(store.commit, [put(3)])
        with pytest.raises(UnavailableError, match="nothing was accepted"):
            queued.result(timeout=PATIENCE_S)
        go_on.set()
        first.result(timeout=PATIENCE_S)
        store.commit([put(4)])
        assert check_all(store) == [1, 4]


def test_a_store_is_open_once_in_a_process(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        with pytest.raises(UnavailableError, match="open in this process"):
            EmbeddedContents(tmp_path, ManualClock(), SMALL)
        store.commit([put(1)])


def test_a_clean_end_is_trusted_after_the_machine_was_started_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path) as store:
        store.commit([put(1)])
    monkeypatch.setattr("jobengine.contents.embedded.sharing._boot_id", lambda: "another run")

    with opened(tmp_path) as store:
        assert store.opening.reindexed_elements == 0
        assert check_all(store) == [1]


def test_after_a_crash_of_the_machine_the_index_is_built_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path) as store:
        store.commit([put(1), put(2)])
    (tmp_path / "mark.json").write_text('{"boot_id": "an earlier run", "ended_cleanly": false}')

    with opened(tmp_path) as store:
        assert store.opening.reindexed_elements == 2
        assert check_all(store) == [1, 2]


def test_a_damaged_index_is_built_anew(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        store.commit([put(1), put(2)])
    (tmp_path / "index" / "data.mdb").write_bytes(b"no database" * 1000)

    with opened(tmp_path) as store:
        assert store.opening.reindexed_elements == 2


def test_a_store_of_another_format_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path):
        pass
    (tmp_path / "store.json").write_text('{"format": 2, "salt": 1}')

    with pytest.raises(UnavailableError, match="format 2"):
        EmbeddedContents(tmp_path, ManualClock(), SMALL)


def test_a_missing_segment_is_noticed(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        for pts in range(20):
            store.commit([put(pts, size=10_000)])
    segments(tmp_path)[0].unlink()

    with opened(tmp_path) as store:
        found = check_all(store)
        assert store.opening.reindexed_elements == len(found)
        assert found == list(range(20))[-len(found) :]
