"""Processes that write to an embedded store are killed at any moment: what they were told is there."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from pathlib import Path

from jobengine.clock import SystemClock
from jobengine.contents.embedded import EmbeddedContents
from jobengine.model.element import PTS_MAX, PTS_MIN, Element, ElementKind
from jobengine.ports.contents import PutElement
from tests.acceptance.contents_writer import ELEMENTS_IN_A_COMMIT, OPTIONS, payload_of
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]


def start_writer(folder: Path, stream: int) -> subprocess.Popen[bytes]:
    """A process that writes to a stream and prints what was acknowledged to a file."""
    with (folder.parent / f"acknowledged-{stream}").open("ab") as told:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.acceptance.contents_writer", str(folder), str(stream)],
            cwd=ROOT,
            stdout=told,
        )


def acknowledged(folder: Path, stream: int) -> int:
    """The last pts that a writer was told of; -1 before the first."""
    told = (folder.parent / f"acknowledged-{stream}").read_bytes()
    lines = told[: told.rfind(b"\n") + 1].split()
    return int(lines[-1]) if lines else -1


def await_acknowledged(folder: Path, stream: int, pts: int) -> None:
    """Until a writer was told of ``pts`` at least."""
    wait_until(lambda: acknowledged(folder, stream) >= pts, f"stream {stream} has {pts}")


def check(store: EmbeddedContents, stream: int, last: int) -> None:
    """Everything that was acknowledged is there, every commit is whole, every payload is what was written."""
    found = store.range(stream, PTS_MIN, PTS_MAX)
    assert [each.element.pts for each in found] == list(range(len(found)))
    assert len(found) % ELEMENTS_IN_A_COMMIT == 0
    assert last < len(found) <= last + 1 + ELEMENTS_IN_A_COMMIT
    for element, planes in zip(found, store.payloads(found), strict=True):
        assert planes is not None
        assert bytes(planes[0]) == payload_of(stream, element.element.pts or 0)


def test_what_was_acknowledged_outlives_kill_9_of_two_writers(tmp_path: Path) -> None:
    folder = tmp_path / "contents"
    chance = random.Random(20261122)
    for _ in range(4):
        before = {
            stream: acknowledged(folder, stream) if (tmp_path / f"acknowledged-{stream}").exists() else -1
            for stream in (1, 2)
        }
        writers = {stream: start_writer(folder, stream) for stream in (1, 2)}
        try:
            for stream in writers:
                goal = before[stream] + chance.randrange(20, 200)
                await_acknowledged(folder, stream, goal)
        finally:
            for writer in writers.values():
                writer.kill()
                writer.wait()
        last = {stream: acknowledged(folder, stream) for stream in (1, 2)}

        store = EmbeddedContents(folder, SystemClock(), OPTIONS)
        try:
            assert store.opening.reindexed_elements == 0
            for stream in (1, 2):
                check(store, stream, last[stream])
        finally:
            store.close()


def test_after_a_kill_the_log_alone_has_everything(tmp_path: Path) -> None:
    folder = tmp_path / "contents"
    writer = start_writer(folder, 1)
    try:
        wait_until(lambda: acknowledged(folder, 1) >= 100, "commits")
    finally:
        writer.kill()
        writer.wait()
    shutil.rmtree(folder / "index")

    store = EmbeddedContents(folder, SystemClock(), OPTIONS)
    try:
        assert store.opening.reindexed_elements > 100
        check(store, 1, acknowledged(folder, 1))
    finally:
        store.close()


def test_processes_see_each_others_commits_at_once_and_go_on_from_there(tmp_path: Path) -> None:
    folder = tmp_path / "contents"
    store = EmbeddedContents(folder, SystemClock(), OPTIONS)
    writer = start_writer(folder, 1)
    try:
        await_acknowledged(folder, 1, 0)
        for turn in range(5):
            store.commit(
                [PutElement(1, Element(ElementKind.PACKET, pts)) for pts in (-1 - 2 * turn, -2 - 2 * turn)]
            )
            version, told = store.version(), acknowledged(folder, 1)
            # The version may already count one commit that the other has not yet told of.
            sure = told + 2 * ELEMENTS_IN_A_COMMIT
            await_acknowledged(folder, 1, sure)
            assert store.version() > version
            told = acknowledged(folder, 1)
            assert (store.facts(1).last_pts or 0) >= told
            found = store.range(1, told, told)
            assert [bytes(planes[0]) for planes in store.payloads(found) if planes] == [payload_of(1, told)]
        facts = store.facts(1)
        assert facts.next_sequence == facts.count == len(store.range(1, PTS_MIN, facts.last_pts or 0))
    finally:
        writer.kill()
        writer.wait()
        store.close()


def test_processes_that_make_a_store_at_the_same_time_share_it(tmp_path: Path) -> None:
    folder, streams = tmp_path / "contents", (1, 2, 3, 4)
    writers = [start_writer(folder, stream) for stream in streams]
    try:
        for stream in streams:
            await_acknowledged(folder, stream, 1)
    finally:
        for writer in writers:
            writer.kill()
            writer.wait()
    store = EmbeddedContents(folder, SystemClock(), OPTIONS)
    try:
        assert store.opening.reindexed_elements == 0
        for stream in streams:
            check(store, stream, acknowledged(folder, stream))
    finally:
        store.close()
