"""Whose turn it is among jobs that share a process."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from jobengine.worker.turns import COURTESY_NS, PATIENCE, Turns

NOW_NS = 1_000_000_000


@dataclass(slots=True, eq=False)
class Waiting:
    """A job that waits for its turn."""

    name: str
    is_timely: bool
    wake_ns: int = 0


@pytest.fixture
def turns() -> Turns[Waiting]:
    return Turns()


def put(turns: Turns[Waiting], name: str, wake_ns: int, is_timely: bool = True) -> Waiting:
    job = Waiting(name, is_timely)
    turns.put(job, wake_ns)
    return job


def names(turns: Turns[Waiting], now_ns: int) -> list[str]:
    """Whoever has a turn at a moment, in order."""
    taken = []
    while (job := turns.take(now_ns)) is not None:
        taken.append(job.name)
    return taken


def test_nobody_has_a_turn_before_its_moment(turns: Turns[Waiting]) -> None:
    put(turns, "element", NOW_NS)
    put(turns, "start", NOW_NS + 1, is_timely=False)
    assert turns.next_ns(NOW_NS) == NOW_NS
    assert turns.take(NOW_NS - 1) is None


def test_elements_go_in_the_order_of_their_moments(turns: Turns[Waiting]) -> None:
    for name, wake_ns in (("second", 20), ("third", 30), ("first", 10)):
        put(turns, name, wake_ns)
    assert names(turns, NOW_NS) == ["first", "second", "third"]


def test_a_start_lets_an_element_go_first_that_is_due_soon(turns: Turns[Waiting]) -> None:
    put(turns, "start", NOW_NS, is_timely=False)
    due_ns = NOW_NS + COURTESY_NS - 1
    put(turns, "element", due_ns)
    assert turns.next_ns(NOW_NS) == due_ns
    assert turns.take(NOW_NS) is None
    assert names(turns, due_ns) == ["element", "start"]


def test_a_start_goes_before_an_element_that_is_due_later(turns: Turns[Waiting]) -> None:
    put(turns, "start", NOW_NS, is_timely=False)
    put(turns, "element", NOW_NS + COURTESY_NS + 1)
    assert turns.next_ns(NOW_NS) == NOW_NS
    assert names(turns, NOW_NS) == ["start"]


def test_a_start_waits_no_longer_where_there_is_always_an_element_due_soon(turns: Turns[Waiting]) -> None:
    put(turns, "start", NOW_NS, is_timely=False)
    for number in range(4):
        put(turns, f"element {number}", NOW_NS + COURTESY_NS * (number + 1) // 2)
    assert names(turns, NOW_NS + COURTESY_NS - 1) == ["element 0"]
    assert names(turns, NOW_NS + COURTESY_NS)[:2] == ["start", "element 1"]


def test_of_many_starts_only_one_comes_before_elements_that_are_due(turns: Turns[Waiting]) -> None:
    for number in range(3):
        put(turns, f"start {number}", 0, is_timely=False)
        put(turns, f"element {number}", NOW_NS)
    first = turns.take(NOW_NS)
    assert first is not None
    assert first.name == "start 0"
    assert names(turns, NOW_NS + 1)[:3] == ["element 0", "element 1", "element 2"]


def test_starts_get_a_share_where_elements_leave_no_time(turns: Turns[Waiting]) -> None:
    step_ns, now_ns = 1_000_000, NOW_NS
    taken = []
    for number in range(100):
        put(turns, "element", number)
        put(turns, "start", 0, is_timely=False)
    for _ in range(50):
        job = turns.take(now_ns)
        taken.append(job.name if job else "")
        now_ns += step_ns
    assert taken.count("start") == 50 // (PATIENCE + 1)
    assert taken.count("element") == 50 - 50 // (PATIENCE + 1)


def test_a_job_that_is_put_in_again_has_only_its_new_moment(turns: Turns[Waiting]) -> None:
    job = put(turns, "job", 10)
    turns.put(job, 20)
    job.is_timely = False
    turns.put(job, 30)
    assert turns.next_ns(NOW_NS) == 30
    assert names(turns, NOW_NS) == ["job"]
    assert turns.next_ns(NOW_NS) is None
