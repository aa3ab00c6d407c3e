"""The service dies without a word, in mid-recording, and comes back: nothing is lost, nothing comes twice."""

from __future__ import annotations

from datetime import datetime, timedelta

import psutil
import pytest

from jobengine.client import Job
from jobengine.clock import SystemClock, from_text
from tests.acceptance.documents import RATE_HZ, after, assert_counts, at_once, on, recording, samples_of
from tests.acceptance.observing import (
    assert_intact,
    history_of,
    in_seconds,
    is_over,
    output_of,
    reach,
    record_on,
    worker_of,
)
from tests.processes import await_end, has_ended
from tests.services import NewService, Service
from tests.waiting import wait_until


def assert_whole(service: Service, job: Job, changes: int, end: str = "Finished") -> None:
    """One file with every sample, and a history that has each of the ``changes`` once."""
    (output,) = job.outputs()
    values = samples_of(output["path"])
    assert_counts(values)
    rows = history_of(service, job)
    assert rows[-1]["samples"] == output["samples"] == len(values)
    assert [r["state"] for r in rows] == ["Running", *["Running"] * changes, end]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_recording_goes_on_without_its_service_and_is_in_the_history_as_if_nothing_had_been(
    new_service: NewService, request: pytest.FixtureRequest, kind: str
) -> None:
    url = request.getfixturevalue("postgres_url") if kind == "postgresql" else None
    service = new_service(url).start()
    moment = in_seconds(5)
    document = recording("killed", after(1_000), on("Time", "None", startTime=moment), after(500))
    job = reach(service.client.jobs.submit(document), "Running")
    output, worker = output_of(job), worker_of(job)
    service.kill()
    wait_until(lambda: is_over(moment), "the planned moment is over")
    record_on(output, 1.0)
    assert not has_ended(worker)
    alone_until = SystemClock().now()
    service.start()
    wait_until(lambda: len(history_of(service, job)) == 4, "the history has caught up")
    assert worker_of(job).pid == worker.pid
    job.finish()
    reach(job, "Finished")
    assert_whole(service, job, changes=3)
    check_moments(service, job, moment, alone_until)
    assert_intact(service, jobs=1)


def check_moments(service: Service, job: Job, moment: str, alone_until: datetime) -> None:
    """The worker has kept the planned moment while nobody was there to remind it."""
    start, *changes = history_of(service, job)[:4]
    (timed,) = [row for row in changes if row["trigger"] == "Time"]
    assert timed["due"] == moment
    assert from_text(moment) <= from_text(timed["time"]) < alone_until
    since_start = from_text(timed["time"]) - from_text(start["time"])
    assert 0 <= timed["samples"] <= since_start / timedelta(seconds=1) * RATE_HZ
    counted = [row["samples"] for row in changes if row["trigger"] == "Duration"]
    assert sorted(counted) == sorted([RATE_HZ, timed["samples"] + RATE_HZ // 2])


@pytest.mark.parametrize("part", ["template", "engine", "http", "nursery"])
def test_a_part_of_the_service_that_is_killed_is_put_back(service: Service, part: str) -> None:
    job = reach(service.client.jobs.submit(recording(f"part-{part}", after(300))), "Running")
    output, worker = output_of(job), worker_of(job)
    kill_part(service, part)
    record_on(output, 0.3)
    after_it = reach(service.client.jobs.submit(recording(f"after-{part}")), "Running")
    assert not has_ended(worker)
    for one in (job, after_it):
        one.finish()
        reach(one, "Finished")
    assert_whole(service, job, changes=1)
    assert_whole(service, after_it, changes=0)


def test_parts_that_are_killed_again_within_seconds_are_put_back_again(new_service: NewService) -> None:
    service = new_service().start()
    for part in ("http", "http", "template"):
        kill_part(service, part)


def test_reports_that_a_dying_engine_never_stored_are_told_to_the_next(service: Service) -> None:
    job = reach(service.client.jobs.submit(recording("untold")), "Running")
    record_on(output_of(job), 0.3)
    worker, engine = worker_of(job), service.engine_process()
    engine.suspend()
    worker.terminate()
    log = service.data / "logs" / f"{job.id}.log"
    wait_until(lambda: "worker.done" in log.read_text(), "the worker has ended its job and waits to be heard")
    engine.kill()
    reach(job, "Terminated")
    assert_whole(service, job, changes=0, end="Terminated")
    await_end([worker], "the worker has gone")


def kill_part(service: Service, part: str) -> None:
    """It is gone, and the service is ready again."""
    victim = part_of(service, part)
    victim.kill()
    await_end([victim], f"the {part} is gone")
    wait_until(service.is_ready, f"the service is ready without its {part}")


def part_of(service: Service, part: str) -> psutil.Process:
    if part == "template":
        return service.template_process()
    if part == "http":
        return service.http_process()
    return service.engine_process() if part == "engine" else service.nursery_process()


def test_what_was_acknowledged_is_there_after_a_kill(new_service: NewService) -> None:
    service = new_service().start()
    jobs = [
        service.client.jobs.submit({"name": f"job {n}", "transitions": [at_once("Start")]}) for n in range(30)
    ]
    service.kill()
    known = {row[0] for row in service.sql("SELECT job_id FROM jobs")}
    assert known == {job.id for job in jobs}
    service.start()
    for job in jobs:
        reach(job, "Running")
    assert len(history_of(service, jobs[-1])) == 1
