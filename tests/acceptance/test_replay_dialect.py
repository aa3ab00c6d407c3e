"""From a stock Savant writer into the store and out again to a stock Savant reader, by Replay's requests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import zmq

from jobengine.client import Job
from jobengine.clock import SystemClock
from jobengine.ids import new_element_id
from jobengine.messaging.sockets.pool import SinkPool
from jobengine.messaging.sockets.sink import open_socket_sink
from jobengine.model.element import Element, ElementKind
from jobengine.model.socket_options import SinkOptions
from jobengine.ports.sink import SinkStream
from tests.acceptance.observing import reach, worker_of
from tests.integration.sockets import savant
from tests.ports import free_port
from tests.services import Service
from tests.unit.rest.test_replay import changed
from tests.waiting import wait_until

pytestmark = pytest.mark.needs("savant_rs")
FRAMES, BLOCK = 30, 5


def ingest(service: Service, port: int, **members: Any) -> Job:
    """A running recording from a socket."""
    spec = {"source": {"url": f"router+bind:tcp://127.0.0.1:{port}"}, **members}
    start = {"trigger": {"type": "Immediate", "requestedProcState": "Start"}}
    job = service.client.jobs.submit(
        {
            "name": "ingest",
            "restartPolicy": "resume",
            "transitions": [{**start, "jobDescription": {"ingestSpec": spec}}],
        }
    )
    return reach(job, "Running")


def recorded_by(job: Job) -> int:
    """How many elements a recording has made durable."""
    counters: dict[str, Any] = job.progress().get("counters", {})
    return int(counters.get("elements", 0))


@pytest.fixture(scope="module")
def api(service: Service) -> Iterator[httpx.Client]:
    with service.http(base_url=f"{service.client.url}/api/v1") as client:
        yield client


@pytest.fixture(scope="module")
def keyframes(service: Service, api: httpx.Client) -> list[str]:
    """What a stock writer has sent of ``in-video``: 30 frames with a keyframe every 5, recorded."""
    port = free_port()
    job = ingest(service, port, codec="savant")
    with savant.writing(f"dealer+connect:tcp://127.0.0.1:{port}") as writer:
        for number in range(FRAMES):
            frame = savant.frame("in-video", pts=number * 40_000, keyframe=number % BLOCK == 0)
            writer.send_message("in-video", frame.to_message(), b"pixels %d" % number).get()
        assert type(writer.send_eos("in-video").get()).__name__ == "WriterResultAck"
    wait_until(lambda: recorded_by(job) == FRAMES + 1, "all of it is recorded")
    query = {"source_id": "in-video", "from": None, "to": None, "limit": 100}
    source, found = api.post("/keyframes/find", json=query).json()["keyframes"]
    assert (source, len(found)) == ("in-video", FRAMES // BLOCK)
    return list(found)


def read_all(reader: Any, until: int) -> list[Any]:
    """Messages of a stock reader, until there are so many."""
    messages: list[Any] = []

    def step() -> bool:
        result = reader.try_receive()
        if hasattr(result, "message"):
            messages.append(result)
        return len(messages) >= until

    wait_until(step, f"{until} messages at the reader")
    return messages


def stopped(api: httpx.Client, job_id: str) -> Any:
    """The row of a job that has ended."""

    def row() -> Any:
        rows = api.get("/job/stopped").json()["stopped_jobs"]
        return next((row for row in rows if row[0] == job_id), None)

    return wait_until(row, "the job has ended")


def test_a_job_sends_twenty_frames_and_an_end(api: httpx.Client, keyframes: list[str]) -> None:
    port = free_port()
    job = changed("sink/url", f"dealer+connect:tcp://127.0.0.1:{port}") | {
        "anchor_keyframe": keyframes[3],
        "offset": {"blocks": 2},
        "stop_condition": {"frame_count": 12},
    }
    with savant.reading(f"router+bind:tcp://127.0.0.1:{port}") as reader:
        made = api.put("/job", json=job)
        assert made.status_code == 200, made.text
        received = read_all(reader, 13)
        assert stopped(api, made.json()["new_job"])[2] is None
    frames = [each.message.as_video_frame() for each in received[:-1]]
    assert frames[0].uuid == keyframes[1]
    assert [frame.pts for frame in frames] == [40_000 * n for n in range(BLOCK, BLOCK + 12)]
    assert {frame.source_id for frame in frames} == {bytes(each.topic).decode() for each in received}
    assert [bytes(each.data(0)) for each in received[:-1]] == [b"pixels %d" % n for n in range(5, 17)]
    attribute = frames[0].get_attribute("key", "value")
    assert (attribute.values[0].as_integer(), attribute.values[2].is_none()) == (1, True)
    assert received[-1].message.as_end_of_stream().source_id == "vod-video-1"


def test_a_job_that_waits_for_data_is_stopped_by_a_condition(api: httpx.Client, keyframes: list[str]) -> None:
    port = free_port()
    job = changed("sink/url", f"dealer+connect:tcp://127.0.0.1:{port}") | {
        "anchor_keyframe": keyframes[-1],
        "offset": {"blocks": 0},
        "stop_condition": "never",
    }
    with savant.reading(f"router+bind:tcp://127.0.0.1:{port}") as reader:
        job_id = api.put("/job", json=job).json()["new_job"]
        read_all(reader, BLOCK)
        assert api.get(f"/job/{job_id}").json()["jobs"][0][2] == "never"
        assert api.patch(f"/job/{job_id}/stop-condition", json="now").json() == "ok"
        assert stopped(api, job_id)[2] is None


def test_a_running_job_is_cancelled(api: httpx.Client, keyframes: list[str]) -> None:
    job = changed("sink/url", "dealer+connect:tcp://127.0.0.1:9") | {"anchor_keyframe": keyframes[0]}
    job_id = api.put("/job", json=job).json()["new_job"]
    assert api.delete(f"/job/{job_id}").json() == "ok"
    assert stopped(api, job_id)[2] == "cancelled"


def test_a_keyframe_is_fetched_by_its_id(api: httpx.Client, keyframes: list[str]) -> None:
    response = api.get(f"/keyframe/{keyframes[2]}", params={"source_id": "in-video"})
    assert (response.status_code, b"pixels 10" in response.content) == (200, True)


@pytest.fixture
def pool(zero_copy: None) -> Iterator[SinkPool]:
    context: zmq.Context[Any] = zmq.Context()
    pool = SinkPool(context, SystemClock())
    yield pool
    pool.close()
    context.term()


def test_a_recording_goes_on_behind_a_killed_worker_and_nothing_is_lost(
    service: Service, http: httpx.Client, pool: SinkPool
) -> None:
    port, count = free_port(), 200
    job = ingest(service, port, source={"url": f"rep+bind:tcp://127.0.0.1:{port}"})
    options = SinkOptions(receive_timeout_ms=200, receive_retries=0, inflight_ops=count)
    stream = SinkStream("kept", {}, {"type": "Stream", "time_base": [1, 1000]})
    sink = open_socket_sink(pool, f"req+connect:tcp://127.0.0.1:{port}", options, "native", stream)
    for number in range(count):
        element = Element(
            ElementKind.PACKET, number, is_key=True, plane_sizes=(4,), element_id=new_element_id()
        )
        assert sink.offer([element], [[b"data"]])

    def is_confirmed(wanted: int) -> bool:
        sink.poll()
        return sink.delivered >= wanted

    wait_until(lambda: is_confirmed(count // 2), "half of them are confirmed")
    worker_of(job).kill()
    wait_until(lambda: is_confirmed(count), "all are confirmed")
    page = http.get("/beams/kept/stream_0/first-last", params={"limit": count * 2})
    assert [element["pts"] for element in page.json()] == list(range(count))
