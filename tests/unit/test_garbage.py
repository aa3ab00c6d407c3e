"""Garbage in cycles goes in quiet moments, and after a while without one."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from datetime import timedelta

import pytest

from jobengine.garbage import MANY, PATIENCE_NS, Garbage
from jobengine.testing import ManualClock


class Ring:
    """In a cycle with itself."""

    def __init__(self) -> None:
        self.next = self


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """What is collected in other tests is none of these tests' business."""
    before = gc.get_threshold()
    yield
    gc.enable()
    gc.unfreeze()
    gc.set_threshold(*before)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def garbage(clock: ManualClock) -> Garbage:
    begun = Garbage(clock)
    begun.begin()
    return begun


def thrown_away() -> weakref.ref[Ring]:
    return weakref.ref(Ring())


def many(count: int = MANY) -> list[list[int]]:
    return [[] for _ in range(count)]


def test_it_goes_in_a_quiet_moment_once_there_are_many_new_objects(garbage: Garbage) -> None:
    ring = thrown_away()
    garbage.look(is_quiet=True)
    assert ring() is not None, "a look would not have been worth it"
    kept = many()
    garbage.look(is_quiet=True)

    assert ring() is None
    assert len(kept) == MANY


def test_without_a_quiet_moment_it_goes_after_a_while(garbage: Garbage, clock: ManualClock) -> None:
    ring, kept = thrown_away(), many()
    garbage.look(is_quiet=False)
    assert ring() is not None
    clock.advance(timedelta(microseconds=PATIENCE_NS // 1000 + 1))
    garbage.look(is_quiet=False)

    assert ring() is None
    assert len(kept) == MANY
