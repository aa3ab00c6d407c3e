"""Processes that wait for jobs are made one by one in quiet moments, and not for ever if they end at once."""

from __future__ import annotations

from datetime import timedelta
from itertools import count

from jobengine.crash_loop import LIMIT, QUICK_S
from jobengine.testing import ManualClock
from jobengine.worker.standby import BETWEEN_MS, START_MS, Standby

_IDS = count(1)


class Kind:
    """Processes that are numbers."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.waiting: list[int] = []

    @property
    def is_full(self) -> bool:
        return len(self.waiting) >= self.wanted

    def add(self) -> int:
        self.waiting.append(next(_IDS))
        return self.waiting[-1]


class Place:
    """A nursery's worth of time, with two kinds of processes."""

    def __init__(self, first: int, second: int) -> None:
        self.clock = ManualClock()
        self.first, self.second = Kind(first), Kind(second)
        self.told: list[tuple[str, float]] = []
        kinds = {"first": self.first, "second": self.second}
        self.standby = Standby(kinds, self.clock, lambda kind, pause_s: self.told.append((kind, pause_s)))

    def wait(self) -> float:
        """Let the time go by until one is to be made, and make it; how long that was, in ms."""
        wait_ms = self.standby.wait_ms()
        assert wait_ms is not None
        self.clock.advance(timedelta(milliseconds=wait_ms))
        self.standby.make_one()
        return wait_ms

    def end(self, kind: Kind, served_s: float | None = None) -> None:
        """The one that was made last ends, before it was ready unless it has ``served_s``."""
        self.standby.note_end(kind.waiting.pop(), served_s)


def test_the_first_is_made_at_once_and_others_with_room_between_them() -> None:
    place = Place(1, 2)
    assert [place.wait() for _ in range(3)] == [0, BETWEEN_MS, BETWEEN_MS]
    assert (len(place.first.waiting), len(place.second.waiting)) == (1, 2)
    assert place.standby.wait_ms() is None


def test_what_is_lacking_waits_until_all_that_has_begun_is_through() -> None:
    place = Place(0, 1)
    for _ in range(3):
        place.standby.note_start()
    assert place.wait() == 3 * START_MS


def test_among_starts_with_room_between_them_what_is_lacking_is_made() -> None:
    place = Place(0, 3)
    for made in range(1, 4):
        place.standby.note_start()
        assert place.wait() <= START_MS + BETWEEN_MS
        assert len(place.second.waiting) == made


def test_one_that_ends_at_once_is_made_ever_more_seldom_and_the_other_as_before() -> None:
    place = Place(1, 0)
    waits = []
    for _ in range(LIMIT + 2):
        waits.append(place.wait())
        place.end(place.first)
    assert waits == [0, *[BETWEEN_MS] * (LIMIT - 1), 1_000, 2_000]
    assert place.told == [("first", 1.0), ("first", 2.0), ("first", 4.0)]
    place.second.wanted = 1
    assert place.wait() == BETWEEN_MS
    assert place.second.waiting


def test_one_that_waited_for_long_is_made_again_as_soon_as_ever() -> None:
    place = Place(1, 0)
    for _ in range(LIMIT + 2):
        place.wait()
        place.end(place.first, QUICK_S)
    assert place.told == []


def test_one_that_ends_with_its_job_is_no_sign_of_its_kind() -> None:
    place = Place(1, 0)
    for _ in range(LIMIT + 2):
        place.wait()
        place.standby.note_job(place.first.waiting[0])
        place.end(place.first)
    assert place.told == []
