"""Waiting for commits."""

from __future__ import annotations

import threading

import pytest

from jobengine.clock import SystemClock
from jobengine.contents.followers import Followers
from jobengine.errors import UnavailableError
from jobengine.model.element import Element, ElementKind
from jobengine.ports.contents import PutElement
from jobengine.testing.contents.store import MemoryContents
from tests.begun import begun
from tests.waiting import PATIENCE_S, wait_until


def put(store: MemoryContents) -> None:
    store.commit([PutElement(1, Element(ElementKind.PACKET, None))])


def test_a_commit_that_came_before_the_wait_is_not_missed() -> None:
    store = begun(MemoryContents(SystemClock()), [1])
    followers = Followers(store)
    version = followers.version()
    put(store)

    assert followers.wait(version, PATIENCE_S)


def test_a_commit_wakes_everybody_who_waits() -> None:
    store = begun(MemoryContents(SystemClock()), [1])
    followers = Followers(store)
    version, woken = followers.version(), []
    threads = [
        threading.Thread(target=lambda: woken.append(followers.wait(version, PATIENCE_S))) for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    put(store)
    for thread in threads:
        thread.join(PATIENCE_S)

    assert woken == [True] * 5


def test_nothing_new_is_told_after_the_time() -> None:
    followers = Followers(begun(MemoryContents(SystemClock()), [1]))

    assert not followers.wait(followers.version(), 0.02)


def test_nobody_looks_when_nobody_waits() -> None:
    followers = Followers(begun(MemoryContents(SystemClock()), [1]))
    followers.wait(followers.version(), 0.02)

    wait_until(lambda: "followers" not in _threads(), "the thread has ended")


def test_those_who_wait_find_out_that_the_store_has_gone() -> None:
    store = begun(MemoryContents(SystemClock()), [1])
    followers = Followers(store)
    version = followers.version()
    store.close()

    assert followers.wait(version, PATIENCE_S) or _is_away(followers)


def test_those_who_wait_are_told_of_commits_after_a_fault_that_nobody_foresaw(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = begun(MemoryContents(SystemClock()), [1])
    followers = Followers(store)
    version = followers.version()
    with monkeypatch.context() as broken:
        broken.setattr(store, "version", lambda: 1 // 0)
        assert followers.wait(version, PATIENCE_S), "who waits looks, and finds out"

    wait_until(lambda: not followers.wait(version, 0.02), "the version is known again")
    put(store)

    assert followers.wait(version, PATIENCE_S)


def _is_away(followers: Followers) -> bool:
    try:
        followers.version()
    except UnavailableError:
        return True
    return False


def _threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()}
