"""The near future is read in parts, whatever there is of it, and no more of it than there is room for; what
has been missed is looked for by the thread that commits.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from datetime import timedelta
from typing import Any

import pytest

from jobengine.clock import to_text
from jobengine.engine.wakes import KNOWN_LIMIT, LOOK_BACK_PERIOD, READ_AT_ONCE, Wakes
from jobengine.errors import UnavailableError
from jobengine.testing.clock import START

SOON = START + timedelta(seconds=1)
Row = tuple[str, str, str]


class Table:
    """Rows that are due, in order; ``is_away``: none can be had."""

    def __init__(self, rows: list[Row]) -> None:
        self._rows = sorted(rows)
        self.is_away = False

    def due(
        self, now_text: str, limit: int, service: str | None = None, after: tuple[str, str] = ("", "")
    ) -> list[Row]:
        if self.is_away:
            raise UnavailableError("the database does not answer")
        return [row for row in self._rows if after < (row[0], row[2]) and row[0] <= now_text][:limit]

    def put_off(self, now_text: str, until_text: str, limit: int, service: str) -> list[Row]:
        return []

    def next_wake(self, service: str | None = None, after: tuple[str, str] = ("", "")) -> str | None:
        return next((row[0] for row in self._rows if after < (row[0], row[2])), None)


class Busy(Executor):
    """A thread that has something else to do first, until `get_to_it`."""

    def __init__(self) -> None:
        self._waiting: list[Callable[[], None]] = []

    def submit(self, work: Callable[..., Any], /, *given: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()

        def run() -> None:
            try:
                future.set_result(work(*given, **named))
            except UnavailableError as error:
                future.set_exception(error)

        self._waiting.append(run)
        return future

    def get_to_it(self) -> None:
        waiting, self._waiting = self._waiting, []
        for run in waiting:
            run()


def all_at_once(count: int) -> Table:
    return Table([(to_text(SOON), f"job {n:06}", f"transition {n:06}") for n in range(count)])


def test_more_than_is_read_at_once_at_one_time_is_read_before_it_is_due() -> None:
    wakes = Wakes(all_at_once(2 * READ_AT_ONCE + 1), "one", Busy())
    found = [len(wakes.read_ahead(START)) for _ in range(4)]
    assert found == [READ_AT_ONCE, READ_AT_ONCE, 1, 0]
    assert len(wakes.take(SOON, KNOWN_LIMIT)) == 2 * READ_AT_ONCE + 1


def test_no_more_is_known_than_there_is_room_for_and_the_rest_follows() -> None:
    wakes = Wakes(all_at_once(KNOWN_LIMIT + 5), "one", Busy())
    found: list[str] = []
    while ahead := wakes.read_ahead(START):
        found += ahead
    assert len(found) == KNOWN_LIMIT
    taken = set(wakes.take(SOON, READ_AT_ONCE))
    assert wakes.next() == to_text(SOON)
    found += wakes.read_ahead(SOON)
    taken |= set(wakes.take(SOON, 2 * KNOWN_LIMIT))
    assert len(taken) == len(set(found)) == KNOWN_LIMIT + 5


@pytest.mark.parametrize("past", [timedelta(0), timedelta(hours=1)])
def test_what_is_due_at_the_beginning_is_seen_at_once(past: timedelta) -> None:
    wakes = Wakes(all_at_once(3), "one", Busy())
    assert wakes.is_blind(SOON + past)
    wakes.read_ahead(SOON + past)
    assert len(wakes.take(SOON + past, 10)) == 3


def test_what_was_missed_is_woken_again_and_nobody_waits_for_the_look_at_it() -> None:
    thread, late = Busy(), SOON + 2 * LOOK_BACK_PERIOD
    wakes = Wakes(all_at_once(3), "one", thread)
    wakes.read_ahead(SOON)
    assert len(wakes.take(SOON, 10)) == 3
    wakes.read_ahead(late)
    assert wakes.take(late, 10) == {}
    thread.get_to_it()
    wakes.read_ahead(late)
    assert len(wakes.take(late, 10)) == 3


def test_a_look_at_what_was_missed_that_fails_is_told_and_made_anew() -> None:
    thread, late = Busy(), SOON + 2 * LOOK_BACK_PERIOD
    table = all_at_once(3)
    wakes = Wakes(table, "one", thread)
    wakes.read_ahead(SOON)
    wakes.take(SOON, 10)
    wakes.read_ahead(late)
    table.is_away = True
    thread.get_to_it()
    with pytest.raises(UnavailableError):
        wakes.read_ahead(late)
    table.is_away = False
    wakes.read_ahead(late + 2 * LOOK_BACK_PERIOD)
    thread.get_to_it()
    wakes.read_ahead(late + 2 * LOOK_BACK_PERIOD)
    assert len(wakes.take(late, 10)) == 3
