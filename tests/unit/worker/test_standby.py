"""Processes that wait for jobs are made one by one in quiet moments, and not for ever if they end at once."""

from __future__ import annotations

from datetime import timedelta
from itertools import count

from jobengine.crash_loop import LIMIT
from jobengine.testing import ManualClock
from jobengine.worker.standby import BETWEEN_MS, QUIET_MS, Standby

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

    def end(self, kind: Kind) -> None:
        """The one that was made last ends."""
        process_id = kind.waiting.pop()
        self.standby.note_event()
        self.standby.note_end(process_id)


def test_the_first_is_made_at_once_and_others_with_room_between_them() -> None:
    place = Place(1, 2)
    assert [place.wait() for _ in range(3)] == [0, BETWEEN_MS, BETWEEN_MS]
    assert (len(place.first.waiting), len(place.second.waiting)) == (1, 2)
    assert place.standby.wait_ms() is None


def test_what_is_lacking_waits_until_nothing_else_is_to_be_done() -> None:
    place = Place(1, 1)
    place.wait()
    place.standby.note_event()
    assert place.wait() == QUIET_MS


def test_one_that_ends_at_once_is_made_ever_more_seldom_and_the_other_as_before() -> None:
    place = Place(1, 0)
    waits = []
    for _ in range(LIMIT + 2):
        waits.append(place.wait())
        place.end(place.first)
    assert waits == [0, *[QUIET_MS] * (LIMIT - 1), 1_000, 2_000]
    assert place.told == [("first", 1.0), ("first", 2.0), ("first", 4.0)]
    place.second.wanted = 1
    assert place.wait() == QUIET_MS
    assert place.second.waiting


def test_one_that_ends_with_its_job_is_no_sign_of_its_kind() -> None:
    place = Place(1, 0)
    for _ in range(LIMIT + 2):
        place.wait()
        place.standby.note_job(place.first.waiting[0])
        place.end(place.first)
    assert place.told == []
