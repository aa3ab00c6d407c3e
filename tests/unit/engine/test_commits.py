"""A group is decided while the one before it is on its way to the disk: nothing is told early, or twice."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any

import pytest

from jobengine.clock import to_text
from jobengine.errors import UnavailableError
from jobengine.ids import new_id
from jobengine.messaging.engine_messages import AnyRequest, ChangeJob, RaiseEvent
from jobengine.model.query import parse_filter
from jobengine.testing import InMemoryEngine, ManualClock, PuppetWorkers
from tests.unit.engine.documents import immediate, job, on

GROUP_SIZE = 8
RUNNING = parse_filter('currentState == "Running"')


class _Waited(Future[Any]):
    """Runs when somebody waits for it."""

    def __init__(self, work: Callable[[], Any]) -> None:
        super().__init__()
        self._work = work

    def result(self, timeout: float | None = None) -> Any:
        if not self.done():
            try:
                self.set_result(self._work())
            except Exception as error:
                self.set_exception(error)
        return super().result(timeout)


class _LateDisk(Executor):
    """Commits no sooner than somebody waits for it."""

    def submit(self, work: Callable[..., Any], /, *given: Any, **named: Any) -> Future[Any]:
        return _Waited(lambda: work(*given, **named))


@pytest.fixture
def late() -> Iterator[InMemoryEngine]:
    """An engine whose disk is late."""
    clock = ManualClock()
    with InMemoryEngine(clock, PuppetWorkers(clock), executor=_LateDisk(), group_size=GROUP_SIZE) as engine:
        yield engine


def begin(late: InMemoryEngine, *requests: AnyRequest) -> None:
    """One step of the engine, and no waiting for the disk."""
    late.engine.step([(b"test", request) for request in requests])


def answered(late: InMemoryEngine, *requests: AnyRequest) -> list[bool]:
    return [request.request_id in late.answers for request in requests]


def append(late: InMemoryEngine, job_id: str, document: Any) -> ChangeJob:
    (transition,) = late.submission(job(document)).drafts
    return ChangeJob(request_id=new_id(), actor="test", job_id=job_id, drafts=(transition,))


def test_nobody_is_told_before_the_disk_has_it(late: InMemoryEngine) -> None:
    first, second = (late.submission(job(immediate("Start"))) for _ in range(2))
    begin(late, first)
    begin(late, second)
    assert (answered(late, first, second), late.notices, late.reader.count_jobs()) == ([False] * 2, [], 0)
    late.engine.settle()
    assert (answered(late, first, second), len(late.notices), late.reader.count_jobs()) == ([True] * 2, 2, 2)


def test_a_job_is_decided_about_only_once_its_last_decision_is_on_disk(late: InMemoryEngine) -> None:
    job_id = late.submit(job(immediate("Start")))
    first, second = append(late, job_id, immediate("Pause")), append(late, job_id, immediate("Start"))
    begin(late, first)
    begin(late, second)
    assert answered(late, first, second) == [True, False]
    late.engine.settle()
    assert [row.current_proc_state for row in late.history(job_id)] == ["Running", "Paused", "Running"]
    assert late.audit().is_intact


def test_rounds_of_one_group_are_about_other_jobs(late: InMemoryEngine) -> None:
    ids = [late.submit(job(immediate("Start"))) for _ in range(2)]
    first, second = (append(late, job_id, immediate("Pause")) for job_id in ids)
    third = append(late, ids[1], immediate("Start"))
    begin(late, first)
    begin(late, second)
    assert answered(late, first, second) == [False, False]
    begin(late, third)
    assert answered(late, first, second, third) == [True, True, False]
    late.engine.settle()
    assert [late.state(job_id) for job_id in ids] == ["Paused", "Running"]


def test_what_falls_due_meanwhile_passes_at_its_time(late: InMemoryEngine) -> None:
    start = late.clock.now() + timedelta(seconds=1)
    due = {"trigger": {"type": "Time", "startTime": to_text(start), "requestedProcState": "Start"}}
    job_id = late.submit(job(due))
    late.engine.step()
    begin(late, late.submission(job(immediate("Start"))))
    late.clock.advance(timedelta(seconds=1))
    late.engine.step()
    late.clock.advance(timedelta(seconds=5))
    late.engine.settle()
    assert [(row.time_stamp, row.lateness_ms) for row in late.history(job_id)] == [(to_text(start), 0.0)]


def test_a_group_behind_one_that_fails_is_given_up_too(late: InMemoryEngine) -> None:
    first, second = (late.submission(job(immediate("Start"))) for _ in range(2))
    begin(late, first)
    begin(late, second)
    with nothing_written(late):
        late.engine.settle()
    for request in (first, second):
        with pytest.raises(UnavailableError):
            late.answer_to(request)
    assert late.reader.count_jobs() == 0
    late.submit(job(immediate("Start")))
    assert late.reader.count_jobs() == 1


@contextmanager
def nothing_written(late: InMemoryEngine) -> Iterator[None]:
    """Somebody else writes to the database meanwhile."""
    with closing(sqlite3.connect(str(late.database.url.database), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


@pytest.mark.parametrize("count", [GROUP_SIZE, 3 * GROUP_SIZE])
def test_more_may_arrive_at_once_than_a_group_holds_while_the_disk_is_idle(
    late: InMemoryEngine, count: int
) -> None:
    requests = [late.submission(job(immediate("Start"))) for _ in range(count)]
    begin(late, *requests)
    late.engine.settle()
    assert answered(late, *requests) == [True] * count
    assert late.reader.count_jobs(RUNNING) == count


def test_a_group_of_requests_is_ready_while_the_one_before_it_is_written(late: InMemoryEngine) -> None:
    first, second, third = (
        [late.submission(job(immediate("Start"))) for _ in range(GROUP_SIZE)] for _ in range(3)
    )
    begin(late, *first)
    begin(late, *second)
    assert answered(late, *first, *second) == [False] * (2 * GROUP_SIZE)
    begin(late, *third)
    assert answered(late, *first, *second, *third) == [True] * GROUP_SIZE + [False] * (2 * GROUP_SIZE)
    late.engine.settle()
    assert answered(late, *second, *third) == [True] * (2 * GROUP_SIZE)


@pytest.fixture
def many_due(late: InMemoryEngine) -> list[str]:
    """Jobs of three groups and some, all due now and read ahead; nothing is on its way."""
    start = late.clock.now() + timedelta(seconds=1)
    due = {"trigger": {"type": "Time", "startTime": to_text(start), "requestedProcState": "Start"}}
    ids = [late.submit(job(due)) for _ in range(3 * GROUP_SIZE + 3)]
    while late.engine.step():
        pass
    late.clock.advance(timedelta(seconds=1))
    return ids


def test_large_groups_go_one_behind_the_other_and_none_waits_for_the_disk(
    late: InMemoryEngine, many_due: list[str]
) -> None:
    late.notices.clear()
    while late.engine.step():
        pass
    assert (late.reader.count_jobs(RUNNING), late.notices) == (0, [])
    late.clock.advance(timedelta(seconds=5))
    late.engine.settle()
    assert [len(told) for told in late.notices] == [GROUP_SIZE] * 3 + [3]
    passed = [row for job_id in many_due for row in late.history(job_id)]
    assert [row.lateness_ms for row in passed] == [0.0] * len(many_due)
    assert late.audit().is_intact


def test_only_the_job_itself_waits_for_the_disk_when_it_is_due_again(late: InMemoryEngine) -> None:
    moments = [late.clock.now() + timedelta(seconds=seconds) for seconds in (1, 2)]
    start, finish = (
        {"trigger": {"type": "Time", "startTime": to_text(moment), "requestedProcState": requested}}
        for moment, requested in zip(moments, ("Start", "Finish"), strict=True)
    )
    both, second = late.submit(job(start, finish)), late.submit(job(finish))
    for _ in moments:
        while late.engine.step():
            pass
        late.clock.advance(timedelta(seconds=1))
    while late.engine.step():
        pass
    assert late.notices[2:] == []
    late.clock.advance(timedelta(seconds=1))
    late.engine.settle()
    while late.engine.step():
        pass
    late.engine.settle()
    assert [row.lateness_ms for row in late.history(second)] == [0.0]
    assert [row.lateness_ms for row in late.history(both)] == [0.0, 1000.0]
    assert late.audit().is_intact


def test_no_group_is_written_behind_one_that_failed_and_all_pass_later(
    late: InMemoryEngine, many_due: list[str]
) -> None:
    while late.engine.step():
        pass
    with nothing_written(late):
        late.engine.tick()
        late.engine.settle()
    assert late.reader.count_jobs(RUNNING) == 0
    while late.engine.step():
        pass
    late.engine.settle()
    assert late.reader.count_jobs(RUNNING) == len(many_due)
    assert [len(late.history(job_id)) for job_id in many_due] == [1] * len(many_due)
    assert late.audit().is_intact


def test_a_key_is_known_while_its_answer_is_on_its_way_and_both_are_told_then(late: InMemoryEngine) -> None:
    document = job(immediate("Start"))
    first, second = (late.submission(document, idempotency_key="k") for _ in range(2))
    begin(late, first)
    begin(late, second)
    assert answered(late, first, second) == [False, False]
    late.engine.settle()
    assert late.answer_to(second).job_id == late.answer_to(first).job_id
    assert late.reader.count_jobs() == 1


def test_an_event_fires_what_was_appended_just_before(late: InMemoryEngine) -> None:
    waiting = late.submission(job(immediate("Start"), on("go", "Finish")))
    late.raise_event("earlier")
    begin(late, waiting)
    begin(late, RaiseEvent(request_id=new_id(), actor="test", name="go"))
    late.settle()
    late.engine.settle()
    assert late.state(late.answer_to(waiting).job_id) == "Finished"
