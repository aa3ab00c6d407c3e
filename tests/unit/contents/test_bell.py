"""The embedded store's bell rings with commits of any process, and only until it is hushed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from select import select

import pytest

from jobengine.clock import SystemClock
from jobengine.contents.embedded import EmbeddedContents
from jobengine.contents.embedded.bell import FileBell, ring
from jobengine.contents.embedded.index import Index
from jobengine.contents.followers import Followers
from jobengine.ports.contents import Bell, PutDocument
from tests.waiting import PATIENCE_S

WRITER = """
import sys
from pathlib import Path
from jobengine.clock import SystemClock
from jobengine.contents.embedded import EmbeddedContents
from jobengine.ports.contents import PutDocument
store = EmbeddedContents(Path(sys.argv[1]), SystemClock())
store.commit([PutDocument("notes", "other", {}, None)])
store.close()
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedContents]:
    store = EmbeddedContents(tmp_path, SystemClock())
    yield store
    store.close()


@pytest.fixture
def bell(store: EmbeddedContents) -> Iterator[Bell]:
    bell = store.bell()
    assert bell is not None
    yield bell
    bell.close()


def rings(bell: Bell) -> bool:
    """Whether it has rung since last asked: the kernel says so before the one who rings goes on."""
    has_rung = bool(select((bell.descriptor,), (), (), 0)[0])
    bell.hush()
    return has_rung


def test_a_commit_rings_once(store: EmbeddedContents, bell: Bell) -> None:
    assert not rings(bell)
    store.commit([PutDocument("notes", "one", {}, None)])
    assert rings(bell)
    assert not rings(bell)


def test_a_commit_of_another_process_rings(tmp_path: Path, store: EmbeddedContents, bell: Bell) -> None:
    version = store.version()
    subprocess.run([sys.executable, "-c", WRITER, str(tmp_path)], check=True, timeout=PATIENCE_S)
    assert rings(bell)
    assert store.version() > version


def test_what_is_written_before_a_commit_can_be_seen_rings_nobody(tmp_path: Path) -> None:
    index = Index(tmp_path, 1 << 20)
    bell = FileBell(index.path)
    with closing(index), closing(bell):
        transaction = index.begin()
        transaction.put(b"key", b"value", db=index.table["documents"])
        transaction.commit()
        assert not rings(bell)
        ring(index.path)
        assert rings(bell)


def test_the_version_is_new_when_it_has_rung(store: EmbeddedContents, bell: Bell) -> None:
    for number in range(20):
        version = store.version()
        bell.hush()
        store.commit([PutDocument("notes", str(number), {}, None)])
        assert rings(bell)
        assert store.version() > version


def test_followers_are_woken_by_it(store: EmbeddedContents) -> None:
    followers = Followers(store)
    version = followers.version()
    store.commit([PutDocument("notes", "one", {}, None)])
    assert followers.wait(version, PATIENCE_S)
