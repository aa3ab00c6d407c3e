"""Somebody spoils the rows of jobs by hand: they alone end in Error, and all others go on."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import httpx
import pytest

from jobengine.client import Job
from jobengine.errors import TransitionNotAllowed
from tests.acceptance.documents import after, assert_counts, at_once, on, recording, samples_of, timeline
from tests.acceptance.observing import (
    assert_intact,
    history_of,
    in_seconds,
    info_of,
    output_of,
    reach,
    record_on,
    worker_of,
)
from tests.processes import await_end
from tests.services import NewService, Service
from tests.waiting import PATIENCE_S, wait_until

HOUR_MS = 3_600_000


def spoil(service: Service, *jobs: Job) -> None:
    """What is planned for these jobs is no JSON any more."""
    statement = "UPDATE transitions SET trigger = '{spoilt' WHERE job_id = ? AND status = 'Pending'"
    path = service.data / "jobengine.sqlite3"
    with closing(sqlite3.connect(path, timeout=PATIENCE_S)) as connection, connection:
        for job in jobs:
            assert connection.execute(statement, (job.id,)).rowcount == 1


def set_aside(service: Service) -> float:
    """How many jobs were, as the metrics tell."""
    lines = httpx.get(f"{service.client.url}/metrics", timeout=PATIENCE_S).text.splitlines()
    (line,) = [line for line in lines if line.startswith('jobengine_engine_faults_total{of="job"}')]
    return float(line.split()[1])


def assert_ended(service: Service, job: Job) -> None:
    wait_until(lambda: job.refresh().state == "Error", "the job is set aside")
    assert "set aside: what is stored of it can't be read" in job.message
    last = history_of(service, job)[-1]
    assert (last["trigger"], last["state"]) == ("Implicit", "Error")
    assert info_of(last)["cause"] == job.message


def test_jobs_whose_rows_are_spoilt_end_and_all_others_go_on(new_service: NewService) -> None:
    service = new_service().start()
    jobs = [service.client.jobs.submit(recording(name, after(HOUR_MS))) for name in ("poison", "other")]
    poison, other = (reach(job, "Running") for job in jobs)
    start = on("Time", "Start", startTime=in_seconds(HOUR_MS / 1000))
    waiting = service.client.jobs.submit(timeline("waiting", start))
    lost, kept = worker_of(poison), worker_of(other)
    service.kill()
    spoil(service, poison, waiting)
    service.start()
    assert_ended(service, poison)
    await_end([lost], "its worker ends")
    with pytest.raises(TransitionNotAllowed):
        waiting.finish()
    assert_ended(service, waiting)
    assert set_aside(service) == 2
    assert {job.id for job in (poison, other, waiting)} == {job.id for job in service.client.jobs.list()}
    output = output_of(other)
    record_on(output, 1.0)
    assert worker_of(other).pid == kept.pid
    other.finish()
    reach(other, "Finished")
    for job in (poison, other):
        assert_counts(samples_of(output_of(job)))
    reach(service.client.jobs.submit(timeline("new", at_once("Start"))), "Running")
    assert_intact(service, jobs=4)
