"""A whole worker beside a whole engine: it outlives its service, obeys signals, and ends as an orphan."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from datetime import timedelta

import pytest

from jobengine.ports.work import Work
from jobengine.testing import InMemoryEngine, InProcessWorkers, ManualClock, SyntheticWork
from tests.unit.engine.documents import after, immediate, pipe_job


@pytest.fixture
def _no_collection() -> Iterator[None]:
    """Garbage in cycles stays."""
    gc.disable()
    yield
    gc.enable()


def test_worker_outlives_its_service_and_hands_everything_over() -> None:
    with InMemoryEngine() as engine:
        job_id = engine.submit(pipe_job(immediate("Start"), after(1000, "None"), after(1000, "Finish")))
        engine.stop()
        engine.advance(timedelta(seconds=30))
        engine.start()
        engine.advance(timedelta(seconds=1))
        rows = engine.history(job_id)
        assert [(row.stream_position or {})["samples"] for row in rows] == [0, 48_000, 96_000]
        assert [row.lateness_ms for row in rows] == [0, 0, 0]
        assert [output.samples for output in engine.outputs(job_id)] == [96_000]


def test_reports_lost_with_a_killed_engine_are_handed_to_the_next_within_a_second() -> None:
    clock = ManualClock()
    workers = InProcessWorkers(clock, lambda kind: SyntheticWork())
    with InMemoryEngine(clock, workers) as engine:
        job_id = engine.submit(pipe_job(immediate("Start"), after(1000, "Finish")))
        engine.advance(timedelta(milliseconds=900))
        clock.advance(timedelta(milliseconds=200))
        workers.run_until_idle()
        assert workers.wire, "the worker has ended its work and sent its reports"
        engine.stop()
        engine.start()
        assert engine.state(job_id) == "Running"
        engine.advance(timedelta(seconds=1))
        assert engine.state(job_id) == "Finished"
        assert [output.samples for output in engine.outputs(job_id)] == [48_000]


def test_sigterm_ends_the_job_as_terminated() -> None:
    clock = ManualClock()
    workers = InProcessWorkers(clock, lambda kind: SyntheticWork())
    with InMemoryEngine(clock, workers) as engine:
        job_id = engine.submit(pipe_job(immediate("Start")))
        engine.advance(timedelta(seconds=1))
        workers.terminate(engine.job(job_id).worker_process_id)
        engine.advance(timedelta(0))
        assert engine.state(job_id) == "Terminated"
        assert [output.closed for output in engine.outputs(job_id)] == [True]


def test_orphan_ends_after_its_grace_and_its_spool_tells_the_next_service() -> None:
    clock = ManualClock()
    workers = InProcessWorkers(clock, lambda kind: SyntheticWork(), orphan_grace_s=10)
    with InMemoryEngine(clock, workers) as engine:
        job_id = engine.submit(pipe_job(immediate("Start")))
        engine.stop()
        engine.advance(timedelta(seconds=30))
        engine.start()
        engine.advance(timedelta(seconds=1))
        last = engine.history(job_id)[-1]
        assert (last.current_proc_state, last.info) == (
            "Terminated",
            {"reason": "no service was heard of for 10 s"},
        )
        assert engine.audit().is_intact


def test_a_worker_that_hears_nothing_but_answers_to_its_heartbeats_is_no_orphan() -> None:
    clock = ManualClock()
    workers = InProcessWorkers(clock, lambda kind: SyntheticWork(), orphan_grace_s=10)
    with InMemoryEngine(clock, workers) as engine:
        job_id = engine.submit(pipe_job(immediate("Start"), after(30_000, "Finish")))
        engine.advance(timedelta(seconds=29))
        assert engine.state(job_id) == "Running"
        engine.advance(timedelta(seconds=2))
        assert engine.state(job_id) == "Finished"


def test_a_worker_that_stood_still_for_longer_than_its_grace_asks_again_and_goes_on() -> None:
    clock = ManualClock()
    workers = InProcessWorkers(clock, lambda kind: SyntheticWork(), orphan_grace_s=10)
    with InMemoryEngine(clock, workers) as engine:
        job_id = engine.submit(pipe_job(immediate("Start"), after(100_000, "Finish")))
        engine.advance(timedelta(seconds=1))
        for _ in range(3):
            clock.advance(timedelta(seconds=30))
            workers.run_until_idle()
            engine.advance(timedelta(seconds=1))
            assert engine.state(job_id) == "Running"
        engine.advance(timedelta(seconds=6))
        assert engine.state(job_id) == "Finished"


def test_killed_worker_is_replaced_and_the_gap_is_told() -> None:
    clock = ManualClock()
    workers = InProcessWorkers(clock, lambda kind: SyntheticWork())
    with InMemoryEngine(clock, workers) as engine:
        document = pipe_job(immediate("Start"), after(10_000, "Finish"), restartPolicy="resume")
        job_id = engine.submit(document)
        engine.advance(timedelta(seconds=5))
        workers.kill(engine.job(job_id).worker_process_id)
        engine.advance(timedelta(seconds=20))
        rows = engine.history(job_id)
        assert [row.current_proc_state for row in rows] == ["Running", "Updating", "Running", "Finished"]
        assert (rows[2].info or {})["reason"] == "resumed"
        assert (rows[3].stream_position or {})["samples"] == 480_000


@pytest.mark.usefixtures("_no_collection")
def test_a_job_that_has_ended_leaves_no_garbage_in_cycles() -> None:
    made: list[weakref.ref[Work]] = []

    def new_work(kind: str) -> Work:
        work = SyntheticWork()
        made.append(weakref.ref(work))
        return work

    clock = ManualClock()
    with InMemoryEngine(clock, InProcessWorkers(clock, new_work)) as engine:
        job_id = engine.submit(pipe_job(immediate("Start"), after(1000, "Finish")))
        engine.advance(timedelta(seconds=2))
        assert engine.state(job_id) == "Finished"
        assert [work() for work in made] == [None]
