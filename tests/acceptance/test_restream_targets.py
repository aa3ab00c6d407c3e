"""A stored stream goes into a file and to another service, and is the same there, whoever was killed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from jobengine.client.job import Job
from jobengine.clock import SystemClock
from jobengine.contents.catalogue import Catalogue
from jobengine.contents.opening import open_store
from jobengine.ids import new_element_id
from jobengine.model.element import Element, ElementKind, StoredElement
from jobengine.model.message import Message, message_attributes
from jobengine.ports.contents import PutElement
from tests.acceptance.observing import reach, worker_of
from tests.acceptance.restreams import SLOWLY, hurry
from tests.ports import free_port
from tests.services import NewService, Service
from tests.waiting import PATIENCE_MS, wait_until

COUNT = 200
STEP_MS = 20


Compared = list[tuple[Element, dict[str, Any], list[bytes]]]


def record(service: Service) -> None:
    """Four seconds: some packets of two planes, of attributes, of ids of version 4; an end of stream amid."""
    store = open_store((service.data / "contents").as_uri())
    stream = {"type": "Stream", "index": 0, "time_base": [1, 1000], "codecpar": {"codec_type": "video"}}
    content = Catalogue(store, SystemClock()).create("camera", {"type": "demuxer"}, [stream])
    store.commit([PutElement(content.stream_number(0), *each) for each in map(recorded, range(COUNT))])
    store.close()


def recorded(number: int) -> tuple[Element, list[bytes] | None]:
    if number == COUNT // 2:
        end = message_attributes(Message.END_OF_STREAM, ["night"])
        return Element(ElementKind.PACKET, None, attributes=end, element_id=new_element_id()), None
    planes = [bytes([number % 256]) * 1000, b"\xff\x00second"][: 2 if number % 7 == 0 else 1]
    attributes = msgspec.msgpack.encode({"labels": ["a"], "raw": b"\x00\xfe", "n": number})
    element = Element(
        ElementKind.PACKET,
        number * STEP_MS,
        dts=number * STEP_MS - 1,
        duration=STEP_MS,
        is_key=number % 25 == 0,
        plane_sizes=tuple(map(len, planes)),
        attributes=attributes if number % 3 == 0 else b"",
        element_id=uuid4().bytes if number % 50 == 3 else new_element_id(),
    )
    return element, planes


def stored(service: Service, name: str) -> Compared:
    """Everything in stream 0 of a content, in order of arrival."""
    store = open_store((service.data / "contents").as_uri())
    content = Catalogue(store, SystemClock()).get(name)
    entries = [e for e in store.scan(content.stream_number(0), 0, 10 * COUNT) if isinstance(e, StoredElement)]
    planes = [[bytes(plane) for plane in each or ()] for each in store.payloads(entries)]
    store.close()
    return [
        (msgspec.structs.replace(entry.element, attributes=b""), _said(entry.element), payload)
        for entry, payload in zip(entries, planes, strict=True)
    ]


def _said(element: Element) -> dict[str, Any]:
    """The attributes, without the note that the id was given."""
    said = msgspec.msgpack.decode(element.attributes) if element.attributes else {}
    return {name: member for name, member in said.items() if name != "id"}


def assert_same(copy: Compared, original: Compared) -> None:
    """The copy has what the original has, once, and one end of stream behind it."""
    *elements, last = copy
    assert [each[0].element_id for each in elements] == [each[0].element_id for each in original]
    # An end of stream has no time of its own; each store gives it one.
    assert [_timeless(each) for each in elements] == [_timeless(each) for each in original]
    assert last[1] == {"message": "endOfStream"}


def _timeless(each: tuple[Element, dict[str, Any], list[bytes]]) -> Any:
    element, said, planes = each
    return (msgspec.structs.replace(element, pts=None) if "message" in said else element), said, planes


def submit(service: Service, url: str, **members: Any) -> Job:
    spec = {
        "source": {"content": "camera"},
        "resultingStream": "copy",
        "sink": {"url": url},
        "anchor": "first",
        "onIdle": "finish",
        "maxIdleMs": 500,
        "maxDeliveryMs": PATIENCE_MS,
        **members,
    }
    trigger = {"type": "Immediate", "requestedProcState": "Start"}
    transition = {"trigger": trigger, "jobDescription": {"restreamSpec": spec}}
    return service.client.jobs.submit({"restartPolicy": "resume", "transitions": [transition]})


def _counters(job: Job) -> dict[str, Any]:
    counters: dict[str, Any] = job.progress().get("counters") or {}
    return counters


def _restreaming_metrics(service: Service) -> list[str]:
    """Not there while the engine takes longer to answer than a scrape may wait."""
    with service.http() as http:
        return [line for line in http.get("/metrics").text.splitlines() if "_restream_" in line]


@pytest.fixture
def peer(new_service: NewService) -> Service:
    """Another service."""
    return new_service().start()


def test_a_file_survives_kills_and_becomes_the_same_content_elsewhere(
    new_service: NewService, peer: Service
) -> None:
    service = new_service().start()
    record(service)
    job = submit(service, "file:vod/day.ndjson", pacing=SLOWLY)
    path = service.media / "vod/day.ndjson"
    wait_until(lambda: path.exists() and len(path.read_bytes()) > 5_000, "lines are written")
    worker_of(job).kill()
    service.kill()
    service.start()
    hurry(job)
    reach(job, "Finished")
    assert all(json.loads(line) for line in path.read_bytes().splitlines())

    command = ("content", "import", str(path), "--name", "copy", "-o", "json", "--url", peer.client.url)

    imported = peer.cli(*command)

    assert (imported.returncode, imported.stderr) == (0, "")
    assert json.loads(imported.stdout)["created"] == COUNT + 1
    assert_same(stored(peer, "copy"), stored(service, "camera"))
    again = peer.cli(*command)
    assert (json.loads(again.stdout)["created"], json.loads(again.stdout)["repeated"]) == (0, COUNT + 1)
    assert peer.client.contents.stream("copy", "0")["closed"] is True
    other = submit(service, "file:vod/day.ndjson")
    reach(other, "Error")
    assert "nothing is overwritten" in other.history()[-1]["info"]["cause"]


def test_a_push_survives_kills_of_both_sides_and_nothing_is_doubled(
    new_service: NewService, peer: Service
) -> None:
    targets = json.dumps([{"url": f"http://127.0.0.1:{peer.port}"}])
    service = new_service(engine__push_targets=targets).start()
    record(service)
    job = submit(service, f"http://127.0.0.1:{peer.port}/beams/copy/0", pacing=SLOWLY)

    def arrived() -> int:
        there = "copy" in peer.client.contents.list()
        return int(peer.client.contents.size("copy")["elements"]) if there else 0

    wait_until(lambda: arrived() > 5, "elements arrive")
    worker_of(job).kill()
    wait_until(lambda: arrived() > 10, "more elements arrive")
    peer.kill()
    wait_until(lambda: _counters(job).get("circuit") == "open", "the peer is left alone")
    assert _counters(job)["retries"] >= 3
    metrics = wait_until(lambda: _restreaming_metrics(service), "the engine tells of its workers")
    assert "jobengine_restream_open_circuits 1.0" in metrics
    assert "jobengine_restream_dead_letters 0.0" in metrics
    peer.start()
    hurry(job)
    reach(job, "Finished")
    assert_same(stored(peer, "copy"), stored(service, "camera"))


def test_a_push_shows_the_key_of_the_operator_and_nobody_else_sees_it(
    new_service: NewService, peer: Service, tmp_path: Path
) -> None:
    made = peer.cli("key", "create", "pusher", "--role", "operator")
    key_file = tmp_path / "peer.key"
    key_file.write_text(made.stdout)
    base = f"http://127.0.0.1:{peer.port}"
    closed = f"http://127.0.0.1:{free_port()}"
    targets = json.dumps([{"url": f"{base}/beams/", "key_file": str(key_file)}, {"url": closed}])
    service = new_service(engine__push_targets=targets).start()
    record(service)
    job = submit(service, f"{base}/beams/copy/0", pacing={"mode": "fast"})
    lost = submit(service, f"{closed}/beams/copy/0", maxDeliveryMs=1000)
    reach(job, "Finished")
    reach(lost, "Error")
    assert lost.history()[-1]["info"]["code"] == "delivery"
    seen = json.dumps([each.document for each in service.client.jobs.list()]) + job.log() + lost.log()
    assert made.stdout.strip() not in seen + service.log.read_text()
    assert "can't be reached" in lost.log()
