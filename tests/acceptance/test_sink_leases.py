"""Two jobs that send one stream to one sink: what the second does is the operator's choice, and is told.

Requests go over REST, elements over real sockets.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from jobengine.client.job import Job
from tests.acceptance.observing import reach
from tests.acceptance.restreams import SLOWLY, hurry
from tests.acceptance.test_restreaming import COUNT, Receiver, record, submit
from tests.services import NewService, Service
from tests.waiting import wait_until


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Where jobs send to."""
    receiver = Receiver()
    yield receiver
    receiver.close()


def two(service: Service, receiver: Receiver) -> list[Job]:
    """The first has sent something when the second is posted, and goes on for as long as a test may look."""
    record(service)
    first = submit(service.client, "vod", receiver.url, pacing=SLOWLY)
    reach(first, "Running")
    wait_until(lambda: receiver.places.get("vod"), "elements arrive")
    return [first, submit(service.client, "vod", receiver.url, pacing={"mode": "fast"})]


def queued(job: Job) -> dict[str, Any] | None:
    found: dict[str, Any] | None = job.progress().get("queue")
    return found


@contextmanager
def watching(service: Service, job: Job) -> Iterator[Iterable[str]]:
    """What ``jobengine job watch`` says of a job, line by line; in the end it agrees that the job is over."""
    command = [sys.executable, "-m", "jobengine", "job", "watch", job.id, "--url", service.client.url]
    with subprocess.Popen(command, env=service.environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout
        process.stdout.read()
    assert process.returncode == 0


def test_by_default_it_waits_says_for_what_and_begins_when_the_first_is_over(
    new_service: NewService, receiver: Receiver
) -> None:
    service = new_service().start()
    first, second = two(service, receiver)
    last = submit(service.client, "vod", receiver.url, pacing={"mode": "fast"})
    reason = f"job {first.id} sends stream 'vod' to this sink"
    wait_until(lambda: queued(last), "the last job stands in the queue")
    assert queued(second) == {"waitsFor": reason, "place": 1, "waiting": 2}
    assert queued(last) == {"waitsFor": reason, "place": 2, "waiting": 2}
    assert last.timeline()["waitingFor"] == f"{reason}; place 2 of 2 in the queue"
    shown = service.cli("job", "show", last.id, "--url", service.client.url)
    assert f"{reason}; place 2 of 2 in the queue" in shown.stdout
    with watching(service, last) as lines:
        assert any(f'place=2/2 waits_for="{reason}"' in line for line in lines)
        hurry(first)
    for job in (first, second, last):
        reach(job, "Finished")
    assert receiver.places["vod"] == [*range(COUNT)] * 3
    assert len(receiver.ends) == 3


def test_where_it_is_refused_it_ends_with_the_reason_and_sends_nothing(
    new_service: NewService, receiver: Receiver
) -> None:
    service = new_service(engine__sink_lease="refuse").start()
    first, second = two(service, receiver)
    reach(second, "Error")
    info = second.history()[-1]["info"]
    assert (info["code"], first.id in info["cause"]) == ("lease", True)
    hurry(first)
    reach(first, "Finished")
    assert receiver.places["vod"] == list(range(COUNT))


def test_where_it_takes_over_the_first_finishes_before_its_first_element(
    new_service: NewService, receiver: Receiver
) -> None:
    service = new_service(engine__sink_lease="preempt").start()
    first, second = two(service, receiver)
    for job in (second, first):
        reach(job, "Finished")
    assert second.id in str(first.history()[-1]["info"])
    sent = first.history()[-1]["streamPosition"]["elements"]
    assert 0 < sent < COUNT
    assert receiver.places["vod"] == [*range(sent), *range(COUNT)]
    assert len(receiver.ends) == 2


def test_jobs_of_the_dialect_that_wait_are_told_apart(new_service: NewService, receiver: Receiver) -> None:
    service = new_service(engine__restream_jobs=1).start()
    record(service)
    running = submit(service.client, "vod", receiver.url, pacing=SLOWLY)
    reach(running, "Running")
    configuration = {
        "ts_sync": False,
        "skip_intermediary_eos": False,
        "send_eos": True,
        "stop_on_incorrect_ts": False,
        "ts_discrepancy_fix_duration": {"secs": 0, "nanos": 33_333_333},
        "min_duration": {"secs": 0, "nanos": 0},
        "max_duration": {"secs": 1, "nanos": 0},
        "stored_stream_id": "camera",
        "resulting_stream_id": "again",
        "routing_labels": "bypass",
        "max_idle_duration": {"secs": 1, "nanos": 0},
        "max_delivery_duration": {"secs": 10, "nanos": 0},
        "send_metadata_only": False,
        "labels": None,
    }
    keyframes = {"source_id": "camera", "from": None, "to": None, "limit": 1}
    with service.http(base_url=f"{service.client.url}/api/v1") as api:
        found = api.post("/keyframes/find", json=keyframes).json()["keyframes"][1]
        query = {
            "sink": {"url": receiver.url},
            "configuration": configuration,
            "stop_condition": {"frame_count": COUNT},
            "anchor_keyframe": found[0],
            "offset": {"blocks": 0},
            "attributes": [],
        }
        made = api.put("/job", json=query).json()["new_job"]
        answer = api.get("/job").json()
        assert [row[0] for row in answer["jobs"]] == [made]
        assert answer["queued"] == {
            made: {"waitsFor": "1 re-streaming jobs run, as many as may", "place": 1, "waiting": 1}
        }
        assert api.delete(f"/job/{made}").json() == "ok"
        assert api.get("/job").json() == {"jobs": []}
    running.cancel()
    reach(running, "Cancelled")


def test_jobs_of_two_processes_that_send_one_stream_by_turns_are_all_heard(
    new_service: NewService, receiver: Receiver
) -> None:
    """Each service's worker keeps the sockets of its jobs, and a router hears the newest only."""
    services = [new_service().start() for _ in range(2)]
    for service in services:
        record(service)
    for number in range(4):
        job = submit(services[number % 2].client, "vod", receiver.url, pacing={"mode": "fast"})
        reach(job, "Finished")

    assert receiver.places["vod"] == [*range(COUNT)] * 4
    assert receiver.refused == 0
