"""The near future is read in parts, whatever there is of it, and no more of it than there is room for."""

from __future__ import annotations

from datetime import timedelta

import pytest

from jobengine.clock import to_text
from jobengine.engine.wakes import KNOWN_LIMIT, READ_AT_ONCE, Wakes
from jobengine.testing.clock import START

SOON = START + timedelta(seconds=1)
Row = tuple[str, str, str]


class Table:
    """Rows that are due, in order."""

    def __init__(self, rows: list[Row]) -> None:
        self._rows = sorted(rows)

    def due(
        self, now_text: str, limit: int, service: str | None = None, after: tuple[str, str] = ("", "")
    ) -> list[Row]:
        return [row for row in self._rows if after < (row[0], row[2]) and row[0] <= now_text][:limit]

    def put_off(self, now_text: str, until_text: str, limit: int, service: str) -> list[Row]:
        return []

    def next_wake(self, service: str | None = None, after: tuple[str, str] = ("", "")) -> str | None:
        return next((row[0] for row in self._rows if after < (row[0], row[2])), None)


def all_at_once(count: int) -> Table:
    return Table([(to_text(SOON), f"job {n:06}", f"transition {n:06}") for n in range(count)])


def test_more_than_is_read_at_once_at_one_time_is_read_before_it_is_due() -> None:
    wakes = Wakes(all_at_once(2 * READ_AT_ONCE + 1), "one")
    found = [len(wakes.read_ahead(START)) for _ in range(4)]
    assert found == [READ_AT_ONCE, READ_AT_ONCE, 1, 0]
    assert len(wakes.take(SOON, KNOWN_LIMIT)) == 2 * READ_AT_ONCE + 1


def test_no_more_is_known_than_there_is_room_for_and_the_rest_follows() -> None:
    wakes = Wakes(all_at_once(KNOWN_LIMIT + 5), "one")
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
    wakes = Wakes(all_at_once(3), "one")
    assert wakes.is_blind(SOON + past)
    wakes.read_ahead(SOON + past)
    assert len(wakes.take(SOON + past, 10)) == 3
