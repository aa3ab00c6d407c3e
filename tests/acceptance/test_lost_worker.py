"""A worker dies: the job says so, its file is whole so far, and a resuming job goes on in a new one."""

from __future__ import annotations

import json
import signal
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from jobengine.client import Job
from tests.acceptance.documents import (
    RATE_HZ,
    after,
    assert_counts,
    at_once,
    pipe,
    recording,
    samples_of,
    timeline,
)
from tests.acceptance.observing import (
    history_of,
    info_of,
    output_of,
    reach,
    record_on,
    worker_of,
)
from tests.needs import is_there
from tests.processes import await_end
from tests.services import NewService, Service
from tests.waiting import wait_until


def start_recording(service: Service, name: str, seconds: float = 1.0, **members: Any) -> Job:
    job = reach(service.client.jobs.submit(recording(name, **members)), "Running")
    record_on(output_of(job), seconds)
    return job


def has_recorded(http: httpx.Client, content: str) -> bool:
    return http.get(f"/beams/{content}/stream_0/first").status_code == 200


def is_closed(http: httpx.Client, content: str) -> bool:
    return bool(http.get(f"/beams/{content}/stream_0").json().get("closed"))


def has_files(job: Job, count: int) -> bool:
    return len(job.outputs()) == count


def durations_of(service: Service, job: Job) -> list[int]:
    """At which samples ``Duration`` transitions have passed."""
    return [row["samples"] for row in history_of(service, job) if row["trigger"] == "Duration"]


def assert_valid(path: str, samples: int) -> None:
    """By libsndfile, and by FFmpeg where it is installed."""
    values = samples_of(path)
    assert len(values) == samples
    assert_counts(values)
    if is_there("ffprobe"):
        command = ["ffprobe", "-v", "error", "-show_entries", "stream=duration_ts", "-of", "json", path]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stderr == ""
        assert json.loads(done.stdout)["streams"][0]["duration_ts"] == samples


def test_without_a_restart_policy_the_job_ends_in_error_and_its_file_is_whole(service: Service) -> None:
    job = start_recording(service, "never")
    other = start_recording(service, "bystander", 0.2)
    worker_of(job).kill()
    reach(job, "Error")
    assert "SIGKILL" in job.message
    last = history_of(service, job)[-1]
    assert (last["trigger"], last["state"]) == ("Implicit", "Error")
    info = info_of(last)
    assert "SIGKILL" in str(info["cause"])
    position = info["lastConfirmedPosition"]
    assert isinstance(position, dict)
    (output,) = job.outputs()
    assert output["closed"] is True
    assert 0 < position["samples"] <= output["samples"] + 48_000
    assert_valid(output["path"], output["samples"])
    other.finish()
    reach(other, "Finished")


def test_a_content_whose_recorder_is_lost_is_closed_unless_another_goes_on(
    service: Service, http: httpx.Client
) -> None:
    jobs: dict[str, Job] = {}
    for name, policy in (("left", "never"), ("taken-up", "resume")):
        description = pipe("unused.wav")
        writer = {"name": "ContentWriter", "content": name}
        description["pipeSpec"]["outputGraph"][0]["filter"] = [writer]
        document = timeline(name, at_once("Start", description), restartPolicy=policy)
        jobs[name] = reach(service.client.jobs.submit(document), "Running")
        wait_until(partial(has_recorded, http, name), "something recorded")
        worker_of(jobs[name]).kill()
    reach(jobs["left"], "Error")
    wait_until(lambda: is_closed(http, "left"), "the stream is closed")
    assert [output["closed"] for output in jobs["left"].outputs()] == [True]
    job = jobs["taken-up"]
    wait_until(lambda: has_files(job, 2), "another worker")
    reach(job, "Running")
    assert not is_closed(http, "taken-up")
    job.finish()
    reach(job, "Finished")
    assert is_closed(http, "taken-up")


def test_a_segmentation_fault_touches_one_job_only(service: Service) -> None:
    faulty, others = (
        start_recording(service, "faulty", 0.3),
        [start_recording(service, f"sound-{n}", 0.2) for n in range(2)],
    )
    pids = [worker_of(other).pid for other in others]
    worker_of(faulty).send_signal(signal.SIGSEGV)
    reach(faulty, "Error")
    assert "SIGSEGV" in faulty.message
    for other, pid in zip(others, pids, strict=True):
        record_on(output_of(other), 0.3)
        assert worker_of(other).pid == pid
        other.finish()
        reach(other, "Finished")
        assert_counts(samples_of(output_of(other)))


def test_a_resuming_job_goes_on_in_a_new_file_and_records_the_gap(service: Service) -> None:
    job = start_recording(service, "resumed", restartPolicy="resume")
    first = worker_of(job)
    first.kill()
    await_end([first], "the worker has ended")
    wait_until(lambda: len(job.outputs()) == 2, "a second file")
    reach(job, "Running")
    record_on(output_of(job), 0.5)
    assert worker_of(job).pid != first.pid
    job.finish()
    reach(job, "Finished")
    check_resumed(service, job)


def check_resumed(service: Service, job: Job) -> None:
    before, behind = job.outputs()
    assert before["path"] != behind["path"]
    assert_valid(before["path"], before["samples"])
    assert_counts(samples_of(behind["path"]))
    assert behind["startPosition"] == before["samples"]
    rows = history_of(service, job)
    assert [r["state"] for r in rows] == ["Running", "Updating", "Running", "Finished"]
    gap = info_of(rows[2])
    assert gap["reason"] == "resumed"
    assert isinstance(gap["gapMs"], float)
    assert gap["gapMs"] > 0
    assert isinstance(gap["gapSamples"], int)
    assert gap["gapSamples"] == round(gap["gapMs"] * 48)
    assert rows[-1]["samples"] == before["samples"] + behind["samples"]


def test_a_file_is_taken_up_at_the_very_sample_where_the_worker_died(service: Service) -> None:
    original = recording("original", after(60_000, "Finish"), live=False)
    reach(service.client.jobs.submit(original), "Finished")
    source = {"name": "FileReader", "filePath": "original.wav", "realTime": True}
    start = at_once("Start", pipe("copy.wav", source=source))
    document = timeline("copy", start, after(1_500), restartPolicy="resume")
    job = reach(service.client.jobs.submit(document), "Running")
    record_on(output_of(job), 0.7)
    worker_of(job).kill()
    wait_until(partial(has_files, job, 2), "another worker")
    reach(job, "Running")
    wait_until(lambda: durations_of(service, job), "the planned change")
    job.finish()
    reach(job, "Finished")
    parts = [samples_of(output["path"]) for output in job.outputs()]
    assert len(parts) == 2
    assert_counts(np.concatenate(parts))
    assert sum(map(len, parts)) == history_of(service, job)[-1]["samples"]
    assert durations_of(service, job) == [3 * RATE_HZ // 2]


def test_worker_and_service_die_together_and_the_job_is_taken_up_again(new_service: NewService) -> None:
    service = new_service().start()
    resumed = start_recording(service, "both", restartPolicy="resume")
    failed = start_recording(service, "both-never", 0.2)
    workers = [worker_of(resumed), worker_of(failed)]
    service.kill()
    for worker in workers:
        worker.kill()
    await_end(workers, "both workers have ended")
    service.start()
    reach(failed, "Error")
    assert_valid(output_of(failed), failed.outputs()[0]["samples"])
    wait_until(lambda: len(resumed.outputs()) == 2, "a second file")
    reach(resumed, "Running")
    record_on(output_of(resumed), 0.3)
    resumed.finish()
    reach(resumed, "Finished")
    check_resumed(service, resumed)


def test_a_worker_that_dies_again_and_again_is_given_up(new_service: NewService) -> None:
    service = new_service(engine__restart_limit=1).start()
    job = start_recording(service, "hopeless", 0.2, restartPolicy="resume")
    for files in (1, 2):
        wait_until(partial(has_files, job, files), f"{files} files")
        worker = worker_of(reach(job, "Running")) if files == 1 else worker_of(job)
        worker.kill()
        await_end([worker], "the worker has ended")
    reach(job, "Error")
    assert all(Path(output["path"]).is_file() and output["closed"] for output in job.outputs())
