"""Stored streams are sent again by jobs that share a process, and go on when it or the service is killed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zmq

from jobengine import Client
from jobengine.client.job import Job
from jobengine.clock import SystemClock
from jobengine.contents.catalogue import Catalogue
from jobengine.contents.opening import open_store
from jobengine.model.element import Element, ElementKind
from jobengine.ports.contents import PutElement
from tests.acceptance.observing import reach, worker_of
from tests.acceptance.restreams import SLOWLY, hurry
from tests.services import NewService, Service
from tests.waiting import PATIENCE_MS, wait_until

STEP_MS = 20
COUNT = 200


class Receiver:
    """A ROUTER socket of another program: what came, by topic; ends are confirmed.

    Of the sockets that have sent a topic it hears the newest, as Savant's readers do.
    """

    def __init__(self) -> None:
        self._context: zmq.Context[Any] = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        port = self._socket.bind_to_random_port("tcp://127.0.0.1")
        self.url = f"dealer+connect:tcp://127.0.0.1:{port}"
        self.places: dict[str, list[int]] = {}
        self.ends: list[str] = []
        self.refused = 0
        self._senders: dict[bytes, list[bytes]] = {}
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._receive)
        self._thread.start()

    def close(self) -> None:
        self._is_over.set()
        self._thread.join()
        self._context.destroy(linger=0)

    def _receive(self) -> None:
        while not self._is_over.is_set():
            if not self._socket.poll(50):
                continue
            sender, topic, packed, *_ = self._socket.recv_multipart()
            header = msgspec.msgpack.decode(packed)
            if header["message"] == "end":
                self.ends.append(topic.decode())
                self._socket.send_multipart((sender, b"OK"))
            elif self._is_superseded(topic, sender):
                self.refused += 1
            else:
                self.places.setdefault(topic.decode(), []).append(header["pts"] // STEP_MS)

    def _is_superseded(self, topic: bytes, sender: bytes) -> bool:
        senders = self._senders.setdefault(topic, [])
        if sender not in senders:
            senders.append(sender)
        return senders[-1] != sender


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Where jobs send to."""
    receiver = Receiver()
    yield receiver
    receiver.close()


def record(service: Service) -> None:
    """A stream of four seconds."""
    store = open_store((service.data / "contents").as_uri())
    stream = {"type": "Stream", "index": 0, "time_base": [1, 1000]}
    content = Catalogue(store, SystemClock()).create("camera", {"type": "Format"}, [stream])
    store.commit(
        [
            PutElement(
                content.stream_number(0),
                Element(ElementKind.PACKET, n * STEP_MS, is_key=n % 25 == 0, plane_sizes=(1000,)),
                [bytes(1000)],
            )
            for n in range(COUNT)
        ]
    )
    store.close()


def submit(client: Client, name: str, url: str, **members: Any) -> Job:
    """A job from the first element to the last."""
    spec = {
        "source": {"content": "camera"},
        "resultingStream": name,
        "sink": {"url": url, "options": {"receiveTimeoutMs": PATIENCE_MS}},
        "anchor": "first",
        "onIdle": "finish",
        "maxIdleMs": 500,
        "maxDeliveryMs": PATIENCE_MS,
        **members,
    }
    trigger = {"type": "Immediate", "requestedProcState": "Start"}
    transition = {"trigger": trigger, "jobDescription": {"restreamSpec": spec}}
    return client.jobs.submit({"restartPolicy": "resume", "transitions": [transition]})


def assert_complete(places: list[int]) -> None:
    """Nothing is missing, and what came twice came in two rising runs."""
    assert sorted(set(places)) == list(range(COUNT))
    assert sum(later <= earlier for earlier, later in pairwise(places)) <= 1


def test_g19_jobs_share_a_process_and_one_that_fails_touches_no_other(
    new_service: NewService, receiver: Receiver, tmp_path: Path
) -> None:
    service = new_service().start()
    record(service)
    jobs = [submit(service.client, f"vod-{n}", receiver.url, pacing=SLOWLY) for n in range(4)]
    lost = submit(service.client, "lost", f"dealer+connect:ipc://{tmp_path}/nobody", maxDeliveryMs=300)
    for job in jobs:
        reach(job, "Running")
    assert len({worker_of(job).pid for job in jobs}) == 1
    reach(lost, "Error")
    assert lost.history()[-1]["info"]["code"] == "delivery"
    for job in jobs:
        hurry(job)
    for number, job in enumerate(jobs):
        reach(job, "Finished")
        assert receiver.places[f"vod-{number}"] == list(range(COUNT))
    assert len(receiver.ends) == 4


def test_g17_a_killed_worker_and_a_killed_service_lose_no_element(
    new_service: NewService, receiver: Receiver
) -> None:
    service = new_service().start()
    record(service)
    jobs = [submit(service.client, f"vod-{n}", receiver.url, pacing=SLOWLY) for n in range(3)]
    for job in jobs:
        reach(job, "Running")
    wait_until(lambda: len(receiver.places.get("vod-2", ())) > 5, "elements arrive")
    worker_of(jobs[0]).kill()
    service.kill()
    service.start()
    for job in jobs:
        hurry(job)
    for number, job in enumerate(jobs):
        reach(job, "Finished")
        assert_complete(receiver.places[f"vod-{number}"])
        assert job.history()[-1]["info"]["result"]["elements"] == COUNT
