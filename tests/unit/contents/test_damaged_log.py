"""Damage at the end of the log, byte by byte: never served, and nothing acknowledged earlier is lost."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from jobengine.contents.embedded import maps
from jobengine.contents.embedded.group import GROUP_MAGIC
from jobengine.contents.embedded.reading import CHECKED_EACH_TIME_BYTES
from jobengine.errors import UnavailableError
from tests.unit.contents.files import SMALL, STREAM, check_all, lose_index, opened, put, segments
from tests.waiting import PATIENCE_S, wait_until

Damage = Callable[[bytearray, int], None]


def cut(data: bytearray, place: int) -> None:
    """Everything from here on was never written."""
    data[place:] = bytes(len(data) - place)


def flip(data: bytearray, place: int) -> None:
    """One byte is another."""
    data[place] ^= 0x55


def zero_page(data: bytearray, place: int) -> None:
    """A piece before what was written later never arrived."""
    data[place : place + 64] = bytes(len(data[place : place + 64]))


def written_in_three(folder: Path) -> tuple[bytes, int, int]:
    """A closed store with three groups of elements; the log's bytes, and where the last group is."""
    with opened(folder) as store:
        for group in range(3):
            store.commit([put(group * 2), put(group * 2 + 1)])
    [file] = segments(folder)
    data = file.read_bytes()
    return data, data.rfind(GROUP_MAGIC), len(data.rstrip(b"\0"))


@pytest.mark.parametrize("damage", [cut, flip, zero_page], ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("part", range(4))
def test_a_last_group_damaged_at_any_byte_vanishes_whole_or_is_whole(
    tmp_path: Path, damage: Damage, part: int
) -> None:
    data, start, end = written_in_three(tmp_path)
    [file] = segments(tmp_path)
    lose_index(tmp_path)

    for place in range(start + part, end, 4):
        damaged = bytearray(data)
        damage(damaged, place)
        file.write_bytes(damaged)
        with opened(tmp_path) as store:
            found = check_all(store)
            assert found in ([0, 1, 2, 3], [0, 1, 2, 3, 4, 5]), place
            if len(found) == 4 and damage is not cut:
                assert store.opening.cut_bytes > 0
            if place % 16 == 0:
                store.commit([put(100)])
                assert check_all(store) == [*found, 100]
        lose_index(tmp_path)


@pytest.mark.parametrize("damage", [cut, flip, zero_page], ids=lambda damage: damage.__name__)
def test_damage_under_a_whole_index_is_noticed(tmp_path: Path, damage: Damage) -> None:
    folder = tmp_path / "original"
    data, start, end = written_in_three(folder)

    for place in range(start, end, 41):
        copy = tmp_path / f"at {place}"
        shutil.copytree(folder, copy)
        damaged = bytearray(data)
        damage(damaged, place)
        segments(copy)[0].write_bytes(damaged)
        with opened(copy) as store:
            assert check_all(store) in ([0, 1, 2, 3], [0, 1, 2, 3, 4, 5]), place


def test_a_group_that_nobody_was_told_of_is_cut(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    with opened(folder) as store:
        store.commit([put(1)])
    shutil.copytree(folder / "index", tmp_path / "index")
    with opened(folder) as store:
        store.commit([put(2, size=500)])
    shutil.rmtree(folder / "index")
    shutil.move(tmp_path / "index", folder / "index")

    with opened(folder) as store:
        assert store.opening.cut_bytes > 500
        assert check_all(store) == [1]
        store.commit([put(3)])
    lose_index(folder)
    with opened(folder) as store:
        assert (store.opening.cut_bytes, store.opening.reindexed_elements) == (0, 2)
        assert check_all(store) == [1, 3]


def test_groups_behind_a_lost_one_of_the_same_moment_are_cut_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, go_on = threading.Event(), threading.Event()
    sync = os.fdatasync

    def stalled(file: int) -> None:
        began.set()
        go_on.wait(PATIENCE_S)
        sync(file)

    with opened(tmp_path) as store, ThreadPoolExecutor(3) as pool:
        with monkeypatch.context() as slow:
            slow.setattr(os, "fdatasync", stalled)
            done = [pool.submit(store.commit, [put(1)])]
            began.wait(PATIENCE_S)
            done += [
                pool.submit(store.commit, [put(2)]),
                pool.submit(store.commit, [put(3, expires_us=2**60)]),
            ]
            wait_until(lambda: len(store._committer._queue) == 2, "both to be queued")
            go_on.set()
            for each in done:
                each.result(timeout=PATIENCE_S)
        assert check_all(store) == [1, 2, 3]
    kept = segments(tmp_path)[0]
    data = bytearray(kept.read_bytes())
    data[data.rfind(GROUP_MAGIC) + 100] ^= 1
    kept.write_bytes(data)
    lose_index(tmp_path)

    with opened(tmp_path) as store:
        assert check_all(store) == [1]
        store.commit([put(4, expires_us=2**60)])
    lose_index(tmp_path)
    with opened(tmp_path) as store:
        assert check_all(store) == [1, 4]


def test_damage_in_the_middle_takes_only_what_it_hit(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        for pts in range(20):
            store.commit([put(pts, size=300)])
    [file] = segments(tmp_path)
    data = bytearray(file.read_bytes())
    groups = [place for place in range(0, len(data), 8) if data.startswith(GROUP_MAGIC, place)]
    assert len(groups) == 21
    data[groups[5] + 10] ^= 1  # the header of a group
    data[groups[10] + 90] ^= 1  # the header of a record
    file.write_bytes(data)
    lose_index(tmp_path)

    with opened(tmp_path) as store:
        assert check_all(store) == [pts for pts in range(20) if pts not in (4, 9)]


def test_damage_in_old_payloads_is_an_error_and_no_answer(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        for pts in range(40):
            store.commit([put(pts, size=10_000)])
        assert len(segments(tmp_path)) > SMALL.hot_segments
    oldest = segments(tmp_path)[0]
    data = bytearray(oldest.read_bytes())
    data[data.find(b"0....") + 2000] ^= 1
    oldest.write_bytes(data)

    with opened(tmp_path) as store:
        found = store.range(3, 0, 1)
        with pytest.raises(UnavailableError, match="damaged"):
            store.payloads(found)
        assert store.payloads(found[1:])[0] is not None


def test_a_payload_that_had_to_be_read_from_disk_again_is_checked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path, replace(SMALL, hot_segments=0)) as store:
        for pts in range(4):
            store.commit([put(pts, size=10_000)])
        found = store.range(STREAM, 0, 3)
        store.payloads(found)
        file = segments(tmp_path)[0]
        with file.open("r+b") as opened_file:
            opened_file.seek(file.read_bytes().find(b"0....") + 2000)
            opened_file.write(b"!")
        monkeypatch.setattr(maps, "_is_in_memory", lambda address, length: False)

        with pytest.raises(UnavailableError, match="damaged"):
            store.payloads(found)


@pytest.mark.parametrize("size", [CHECKED_EACH_TIME_BYTES, CHECKED_EACH_TIME_BYTES - 8])
def test_a_payload_is_not_taken_for_checked_because_its_neighbours_were(tmp_path: Path, size: int) -> None:
    with opened(tmp_path, replace(SMALL, hot_segments=0)) as store:
        for pts in range(4):
            store.commit([put(pts, size=size)])
        found = store.range(STREAM, 0, 3)
        store.payloads([found[0], found[2]])
        file = segments(tmp_path)[0]
        with file.open("r+b") as opened_file:
            opened_file.seek(file.read_bytes().find(b"1....") + 2000)
            opened_file.write(b"!")

        with pytest.raises(UnavailableError, match="damaged"):
            store.payloads([found[1]])


def test_a_segment_stored_as_payload_is_not_taken_for_groups(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        store.commit([put(1), put(2)])
    image = segments(tmp_path)[0].read_bytes().rstrip(b"\0")
    write = put(3)
    with opened(tmp_path) as store:
        store.commit([type(write)(9, write.element, [image])])
        store.commit([put(4)])
    file = segments(tmp_path)[0]
    data = bytearray(file.read_bytes())
    second = data.find(GROUP_MAGIC, len(image) - 1)
    data[second + 20] ^= 1
    file.write_bytes(data)
    lose_index(tmp_path)

    with opened(tmp_path) as store:
        assert check_all(store) == [1, 2, 4]
        assert store.facts(9).count == 0


def test_an_old_segment_that_somebody_cut_short_is_refused_and_ends_nobody(tmp_path: Path) -> None:
    options = replace(SMALL, hot_segments=0)
    with opened(tmp_path, options) as store:
        for pts in range(8):
            store.commit([put(pts, size=5000)])
        found = store.range(STREAM, 0, 7)
        os.truncate(segments(tmp_path)[0], 20_000)

        with pytest.raises(UnavailableError, match=r"segment|read"):
            store.payloads(found)
        with pytest.raises(UnavailableError, match=r"segment|read"):
            store.scan(STREAM, 0, 8)
