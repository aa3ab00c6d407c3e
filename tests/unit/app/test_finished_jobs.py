"""Jobs that rules made leave the list, and nothing else does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from jobengine.app.finished_jobs import FinishedJobs
from jobengine.clock import SystemClock
from jobengine.errors import UnavailableError
from jobengine.history.reader import JobReader
from jobengine.settings import ConvertSettings
from jobengine.testing import ManualClock
from tests.unit.rest.bench import Bench, immediate, make_bench, on_event

SPEC = {"convertSpec": {"recipe": "summary", "source": [{"content": "a"}]}}


@pytest.fixture
def bench(tmp_path: Path, sqlite_url: str) -> Iterator[Bench]:
    made = make_bench(tmp_path, sqlite_url)
    yield made
    made.database.close()


def made(bench: Bench, rule: str, **members: Any) -> str:
    """A job as a rule would make it, ended."""
    given = {"clientData": {"rule": rule, "path": "/beams/a/1s.jpg"}, **members}
    job_id: str = bench.submit(immediate("Cancel", jobDescription=SPEC), **given)["jobId"]
    return job_id


def sweep(bench: Bench, after: timedelta, **settings: Any) -> int:
    """One sweep, so much later."""
    clock = ManualClock(SystemClock().now() + after)
    engine: Any = bench.engine
    return FinishedJobs(JobReader(bench.database), engine, clock, ConvertSettings(**settings)).sweep()


def listed(bench: Bench) -> set[str]:
    return {job["jobId"] for job in bench.client.get("/api/jobs").get_json()}


def test_what_is_older_than_a_day_leaves_the_list_and_stays_in_the_history(bench: Bench) -> None:
    old = made(bench, "jpeg")

    assert sweep(bench, timedelta(hours=23)) == 0
    assert listed(bench) == {old}
    assert sweep(bench, timedelta(hours=25)) == 1

    assert listed(bench) == set()
    with bench.database.reading() as connection:
        rows = connection.exec_driver_sql("SELECT job_id FROM job_history").all()
    assert old in {row[0] for row in rows}


def test_of_too_many_the_oldest_leave(bench: Bench) -> None:
    ids = [made(bench, "jpeg") for _ in range(4)]

    assert sweep(bench, timedelta(0), finished_jobs=3, finished_jobs_age_s=None) == 1
    assert listed(bench) == set(ids[1:])
    assert sweep(bench, timedelta(days=1000), finished_jobs_age_s=None) == 0


def test_what_people_posted_and_what_still_runs_stays(bench: Bench) -> None:
    mine = bench.submit(immediate("Cancel", jobDescription=SPEC))["jobId"]
    tagged = made(bench, "jpeg", clientData={"rule": "mine", "path": "shelf 5"})
    waiting = {"rule": "jpeg", "path": "/beams/a/1s.jpg"}
    pending = bench.submit({**on_event("Start"), "jobDescription": SPEC}, clientData=waiting)["jobId"]

    assert sweep(bench, timedelta(days=2), finished_jobs=0) == 0
    assert listed(bench) == {mine, tagged, pending}


def test_an_engine_that_is_away_is_told(bench: Bench) -> None:
    made(bench, "jpeg")
    bench.engine.is_away = True

    with pytest.raises(UnavailableError):
        sweep(bench, timedelta(days=2))
