"""Planned changes: prepared in time, missed, raised by events and streams, edited, taken back."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobengine.client import Job
from jobengine.clock import from_text
from jobengine.errors import ConflictError, RevisionMismatch
from tests.acceptance.documents import (
    FRAME_BYTES,
    RATE_HZ,
    after,
    assert_counts,
    at_once,
    level,
    on,
    pipe,
    recording,
    samples_of,
    timeline,
)
from tests.acceptance.observing import (
    Row,
    history_of,
    in_seconds,
    is_over,
    output_of,
    reach,
    record_on,
    worker_of,
)
from tests.processes import has_ended
from tests.services import NewService, Service
from tests.waiting import PATIENCE_S, wait_until

TRIES = 5


def test_a_planned_start_finds_its_worker_waiting(service: Service) -> None:
    job, moment = planned_start(service)
    waiting, started, finished = history_of(service, job)
    assert waiting["state"] == "Waiting"
    assert waiting["time"] < moment <= started["time"]
    assert (started["due"], started["state"]) == (moment, "Running")
    assert_lateness(started)
    assert finished["samples"] == 3 * RATE_HZ // 10
    assert_counts(samples_of(output_of(job)))


def planned_start(service: Service) -> tuple[Job, str]:
    """A job that has finished and when it was to start. Planned anew if a process stood still until then."""
    for _ in range(TRIES):
        moment = in_seconds(6)
        start = on("Time", "Start", pipe("planned.wav"), startTime=moment)
        job = service.client.jobs.submit(timeline("planned", start, after(300, "Finish")))
        posted_in = job.state
        reach(job, "Finished")
        if posted_in == "Pending" and history_of(service, job)[0]["time"] < moment:
            return job, moment
    raise AssertionError(f"of {TRIES} jobs none was Pending when posted and then begun before its time")


def assert_lateness(row: Row) -> None:
    """What a row says of its lateness goes with its times."""
    late = from_text(row["time"]) - from_text(row["due"])
    assert row["late_ms"] == pytest.approx(late / timedelta(milliseconds=1), abs=1)
    assert row["late_ms"] >= 0


def test_what_was_missed_is_fired_late_or_skipped_as_it_says(new_service: NewService) -> None:
    service = new_service(engine__lead_ms=0)
    fire, skip, moment = planned_without(service)
    wait_until(lambda: is_over(moment), "the moment has passed without a service")
    service.start()
    reach(fire, "Running")
    (fired,) = history_of(service, fire)
    assert fired["due"] == moment
    assert_lateness(fired)
    wait_until(lambda: service.sql("SELECT 1 FROM job_history WHERE job_id = ?", skip.id), "the skip")
    assert skip.refresh().state == "Pending"
    (skipped,) = skip.history()
    assert skipped["status"] == "Skipped"
    assert skipped["info"]["skipped"] == "misfire"
    assert not has_ended(worker_of(fire))
    skip.cancel()
    fire.finish()
    reach(fire, "Finished")


def planned_without(service: Service) -> tuple[Job, Job, str]:
    """A job that fires late, one that skips what it misses, and when they were to start: the service was
    killed before. Planned anew if that took too long.
    """
    for _ in range(TRIES):
        service.start()
        moment = in_seconds(5)
        trigger: dict[str, Any] = {"startTime": moment, "misfireGraceMs": 0}
        work = pipe("missed.wav")
        fire, skip = (
            service.client.jobs.submit(timeline(way, on("Time", "Start", work, misfire=way, **trigger)))
            for way in ("fire", "skip")
        )
        service.kill()
        if not is_over(moment):
            return fire, skip, moment
    raise AssertionError(f"{TRIES} times the service was killed too late")


def test_jobs_follow_each_other_by_events(service: Service) -> None:
    first = service.client.jobs.submit(
        timeline("first", on("Event", "Start", name="red-light", match={"studio": 1, "on": True}))
    )
    second = service.client.jobs.submit(
        timeline(
            "second",
            on("Event", "Start", pipe("second.wav", live=False), name=f"job:{first.id}:Finished"),
            after(1_000, "Finish"),
        )
    )
    third = service.client.jobs.submit(
        timeline("third", on("Event", "Start", name=f"job:{second.id}:Finished"))
    )
    service.client.events.post("red-light", {"studio": 2, "on": True})
    service.client.events.post("red-light", {"studio": 1, "on": False})
    assert first.refresh().state == "Pending"
    service.client.events.post("red-light", {"studio": 1, "on": True, "by": "hand"})
    reach(first, "Running")
    assert second.refresh().state == "Pending"
    first.finish()
    for job, state in ((first, "Finished"), (second, "Finished"), (third, "Running")):
        reach(job, state)
    assert len(samples_of(output_of(second))) == RATE_HZ
    assert history_of(service, third)[0]["time"] >= history_of(service, second)[-1]["time"]


@pytest.mark.parametrize(
    ("condition", "samples"),
    [
        ({"frameCount": 100_000}, 100_000),
        ({"any": [{"frameCount": 70_001}, {"frameCount": 200_000}]}, 70_001),
        ({"all": [{"frameCount": 70_001}, {"frameCount": 90_000}]}, 90_000),
        ({"tsDeltaSec": {"maxDeltaSec": 1.5}}, 72_001),
    ],
    ids=["count", "any", "all", "time"],
)
def test_a_stream_condition_ends_a_recording_at_its_sample(
    service: Service, condition: dict[str, object], samples: int
) -> None:
    document = recording(f"stream-{samples}", on("Stream", "Finish", condition=condition), live=False)
    job = reach(service.client.jobs.submit(document), "Finished")
    assert history_of(service, job)[-1]["samples"] == samples
    values = samples_of(output_of(job))
    assert len(values) == samples
    assert_counts(values)


def pending_of(job: Job) -> list[str]:
    return [t["transitionId"] for t in job.refresh().transitions() if t["status"] == "Pending"]


def test_plans_of_a_running_job_are_changed_and_taken_back(service: Service) -> None:
    document = recording("edited", after(60_000, description=level(0.5)), after(60_000, "Finish"))
    job = reach(service.client.jobs.submit(document), "Running")
    quiet, finish = pending_of(job)
    job.remove_transition(quiet)
    job.refresh().change_transition(finish, after(6_000, "Finish"))
    reach(job, "Finished")
    assert history_of(service, job)[-1]["samples"] == 6 * RATE_HZ
    values = samples_of(output_of(job))
    assert len(values) == 6 * RATE_HZ
    assert_counts(values)
    superseded = [t for t in job.transitions() if t["status"] == "Superseded"]
    assert sorted(t["trigger"]["duration"] for t in superseded) == [60_000, 60_000]
    assert [t["transitionId"] for t in job.history()][-1] == finish
    with pytest.raises(ConflictError):
        job.refresh().change_transition(finish, after(1, "Finish"))


def test_an_edit_of_what_somebody_else_has_changed_is_refused(service: Service) -> None:
    job = reach(service.client.jobs.submit(recording("raced", after(60_000))), "Running")
    (planned,) = pending_of(job)
    mine, theirs = service.client.jobs.get(job.id), service.client.jobs.get(job.id)
    theirs.change_transition(planned, after(50_000))
    with pytest.raises(RevisionMismatch):
        mine.change_transition(planned, after(1))
    assert job.transition(planned)["trigger"]["duration"] == 50_000
    job.cancel()
    reach(job, "Cancelled")


def ends_silently(path: str) -> bool:
    """Whether the last ten samples on disk are none of the counter's, of which only the first is 0."""
    return Path(path).read_bytes().endswith(bytes(10 * FRAME_BYTES))


def test_a_volatile_change_is_heard_and_stored_nowhere(service: Service) -> None:
    job = reach(service.client.jobs.submit(recording("volatile")), "Running")
    output = output_of(job)
    record_on(output, 0.3)
    before = job.refresh().transitions()
    job.append({**at_once("None", level(0.0)), "volatile": True})
    wait_until(lambda: ends_silently(output), "silence is recorded")
    assert job.refresh().transitions() == before
    job.finish()
    reach(job, "Finished")
    values = samples_of(output)
    silent = int(np.flatnonzero(values)[-1]) + 1
    assert 0 < silent < len(values)
    assert_counts(values[:silent])
    assert len(history_of(service, job)) == 2


def test_a_volatile_change_needs_a_running_worker(service: Service) -> None:
    job = service.client.jobs.submit(timeline("idle", on("Event", "Start", name="never")))
    with pytest.raises(ConflictError, match="worker"):
        job.append({**at_once("None"), "volatile": True})
    job.cancel()
    job.wait(timeout_s=PATIENCE_S)
