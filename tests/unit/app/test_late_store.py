"""A store that is opened when it is needed: others do without it meanwhile."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import cast

import pytest

from jobengine.app import late_store
from jobengine.app.late_store import PAUSE_S, LateStore
from jobengine.errors import SettingsError, UnavailableError
from jobengine.ports.contents import ContentStore, PutDocument
from jobengine.testing import ManualClock
from jobengine.testing.contents.store import MemoryContents
from tests.waiting import PATIENCE_S

PAUSE = timedelta(seconds=PAUSE_S)


class Door:
    """Opens a store, unless it has a fault."""

    def __init__(self, clock: ManualClock) -> None:
        self.store = MemoryContents(clock)
        self.fault: Exception | None = None
        self.tries = 0

    def open(self) -> ContentStore:
        self.tries += 1
        if self.fault is not None:
            raise self.fault
        return self.store


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def door(clock: ManualClock) -> Door:
    return Door(clock)


@pytest.fixture
def late(door: Door, clock: ManualClock) -> ContentStore:
    return cast(ContentStore, LateStore(door.open, clock))


def test_a_store_is_opened_once_and_only_when_it_is_needed(late: ContentStore, door: Door) -> None:
    assert door.tries == 0

    late.commit([PutDocument("things", "one", {"is": 1}, None)])

    assert late.document("things", "one") == door.store.document("things", "one")
    assert late.version() == door.store.version()
    assert door.tries == 1


def test_one_that_is_away_is_tried_again_behind_a_pause(
    late: ContentStore, door: Door, clock: ManualClock
) -> None:
    door.fault = UnavailableError("nobody answers there")

    for _ in range(3):
        with pytest.raises(UnavailableError, match="nobody answers there") as refusal:
            late.version()
        assert refusal.value.facts["retryAfter"] >= PAUSE_S
    assert door.tries == 1

    clock.advance(PAUSE)
    door.fault = None
    assert late.version() == door.store.version()
    assert door.tries == 2


@pytest.mark.parametrize("fault", [SettingsError("too old"), PermissionError(13, "no entry")])
def test_whatever_keeps_it_from_opening_is_told(late: ContentStore, door: Door, fault: Exception) -> None:
    door.fault = fault

    with pytest.raises(UnavailableError, match=r"too old|no entry"):
        late.version()


class Turnstile:
    """A lock that tells when somebody has to wait for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.is_waited_for = threading.Event()

    def acquire(self, timeout: float) -> bool:
        if self._lock.acquire(blocking=False):
            return True
        self.is_waited_for.set()
        return self._lock.acquire(timeout=timeout)

    def release(self) -> None:
        self._lock.release()


def test_who_comes_while_it_is_opened_waits_for_it(
    door: Door, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening, lock = threading.Event(), Turnstile()

    def slowly() -> ContentStore:
        opening.set()
        assert lock.is_waited_for.wait(PATIENCE_S)
        return door.open()

    late = cast(ContentStore, LateStore(slowly, clock))
    monkeypatch.setattr(late, "_lock", lock)
    monkeypatch.setattr(late_store, "WAIT_S", PATIENCE_S)

    def use() -> int:
        return late.version()

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(use)
        assert opening.wait(PATIENCE_S)
        second = threads.submit(use)
        assert [first.result(), second.result()] == [door.store.version()] * 2

    assert door.tries == 1


def test_who_waits_too_long_while_it_is_opened_is_refused(
    door: Door, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slowly() -> ContentStore:
        with pytest.raises(UnavailableError, match="is being opened"):
            store.version()
        return door.open()

    store = cast(ContentStore, LateStore(slowly, clock))
    monkeypatch.setattr(late_store, "WAIT_S", 0)

    assert store.version() == door.store.version()
    assert door.tries == 1


def test_a_closed_one_is_not_opened_any_more(late: ContentStore, door: Door) -> None:
    late.close()
    late.close()

    with pytest.raises(UnavailableError, match="closed"):
        late.version()
    assert door.tries == 0


def test_closing_closes_what_was_opened(late: ContentStore, door: Door) -> None:
    late.version()

    late.close()

    with pytest.raises(UnavailableError, match="closed"):
        door.store.version()
