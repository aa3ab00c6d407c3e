"""Re-streaming: flat out beside bare pyzmq, from POST to first element, and live.

The sink is a ROUTER (or SUB) socket of bare pyzmq in a process of its own. Flat out, a job and a pyzmq
program send the same bytes to it by turns. Paced jobs are the business of `benchmarks.paced_jobs`.

    python -m benchmarks.restream [--quick]
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import zmq

from benchmarks.harness import Figure, Report, median, percentile, run, scratch, take_turns
from benchmarks.live_stream import live
from benchmarks.rigs import ServiceRig, service
from jobengine.clock import SystemClock
from jobengine.contents.catalogue import Catalogue
from jobengine.contents.opening import open_store
from jobengine.model.element import Element, ElementKind
from jobengine.ports.contents import ContentStore, PutElement

SIZES = (1_000, 16_000, 128_000, 1_000_000)
FLAT_OUT_BYTES = 400_000_000
FLAT_OUT_ELEMENTS = 20_000
FRAME_MS = 1000 / 30
PACED_BYTES = 20_000
PACED_ELEMENTS = 150
FLAT_OUT_TARGET = 0.9
FIRST_TARGET_MS = 20.0
PATIENCE_S = 120.0


def measure(report: Report, given: argparse.Namespace) -> None:
    """All three."""
    rounds = 1 if given.quick else 3
    with scratch() as folder, service(folder) as rig, open_contents(folder) as store, receiver() as sink:
        for size in SIZES:
            count = min(FLAT_OUT_ELEMENTS, FLAT_OUT_BYTES // size)
            record(store, f"flat-{size}", count, size, 1)
            for kind in ("dealer", "pub"):
                flat_out(report, rig, sink, Case(kind, size, count, rounds))
        record(store, "paced", PACED_ELEMENTS, PACED_BYTES, FRAME_MS)
        first_element(report, rig, sink, 20 if given.quick else 100)
        live(report, rig, 150 if given.quick else 900)


@contextmanager
def open_contents(folder: Path) -> Iterator[ContentStore]:
    """The store of the service."""
    store = open_store((folder / "contents").as_uri())
    yield store
    store.close()


def record(store: ContentStore, name: str, count: int, size: int, step_ms: float) -> None:
    """A stream of so many elements, one second to a key element, that has ended."""
    stream = {"type": "Stream", "index": 0, "time_base": [1, 1_000_000]}
    catalogue = Catalogue(store, SystemClock())
    content = catalogue.create(name, {"type": "Format"}, [stream])
    payload = os.urandom(size)
    group = max(1, min(500, 8_000_000 // size))
    for first in range(0, count, group):
        store.commit(
            [
                PutElement(content.stream_number(0), element(number, step_ms, size), [payload])
                for number in range(first, min(count, first + group))
            ]
        )


def element(number: int, step_ms: float, size: int) -> Element:
    """The ``number``-th element of an even stream."""
    pts = round(number * step_ms * 1000)
    return Element(ElementKind.PACKET, pts, is_key=number % 30 == 0, plane_sizes=(size,))


class Sink:
    """A process that receives and tells when what came."""

    def __init__(self, connection: Connection, url: dict[str, str], process_id: int) -> None:
        self._connection = connection
        self.url = url
        self.process_id = process_id

    def expect(self, topic: str, count: int) -> None:
        """Count from now on."""
        self._connection.send((topic, count))
        self._connection.recv()

    def seconds(self) -> tuple[float, float]:
        """When the first and the last of the expected elements came, on the clock of this machine."""
        if not self._connection.poll(PATIENCE_S):
            raise RuntimeError("the sink has not received all that was sent")
        first, last = self._connection.recv()
        return first, last


@contextmanager
def receiver() -> Iterator[Sink]:
    """A sink process."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=receive, args=(theirs,), daemon=True)
    process.start()
    urls = ours.recv()
    try:
        yield Sink(ours, urls, process.pid or 0)
    finally:
        process.kill()
        process.join()


def receive(connection: Connection) -> None:
    """The sink's process."""
    context = zmq.Context()
    router, subscriber = context.socket(zmq.ROUTER), context.socket(zmq.SUB)
    subscriber.setsockopt(zmq.SUBSCRIBE, b"")
    ports = []
    for socket in (router, subscriber):
        socket.setsockopt(zmq.RCVHWM, 10_000)
        ports.append(socket.bind_to_random_port("tcp://127.0.0.1"))
    kinds = ("dealer", "pub")
    connection.send(
        {kind: f"{kind}+connect:tcp://127.0.0.1:{port}" for kind, port in zip(kinds, ports, strict=True)}
    )
    count = Count(connection)
    poller = zmq.Poller()
    for each in (router, subscriber, connection.fileno()):
        poller.register(each, zmq.POLLIN)
    while True:
        for ready, _ in poller.poll():
            if ready == connection.fileno():
                count.begin(*connection.recv())
            else:
                take(ready, count)


def take(socket: zmq.Socket[bytes], count: Count) -> None:
    """Some of what has arrived; ends of stream are confirmed."""
    for _ in range(200):
        try:
            frames = socket.recv_multipart(zmq.DONTWAIT)
        except zmq.Again:
            return
        if socket.socket_type == zmq.ROUTER:
            sender, *frames = frames
            if len(frames) == 2:
                socket.send_multipart((sender, b"OK"))
        if len(frames) > 2:
            count.element(frames[0])


class Count:
    """Elements whose topic begins with what is expected."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._topic = b""
        self._left = 0
        self._first = 0.0

    def begin(self, topic: str, count: int) -> None:
        self._topic, self._left, self._first = topic.encode(), count, 0.0
        self._connection.send(True)

    def element(self, topic: bytes) -> None:
        """One more; the last one is told."""
        if self._left and topic.startswith(self._topic):
            now = time.monotonic()
            self._first = self._first or now
            self._left -= 1
            if self._left == 0:
                self._connection.send((self._first, now))


@dataclass(frozen=True, slots=True)
class Case:
    """One comparison."""

    kind: str
    size: int
    count: int
    rounds: int


def flat_out(report: Report, rig: ServiceRig, sink: Sink, case: Case) -> None:
    """A job and bare pyzmq, by turns; elements per second."""
    kind, size, count, rounds = case.kind, case.size, case.count, case.rounds
    taken = take_turns(
        {
            "ours": lambda: job_rate(rig, sink, kind, size, count),
            "pyzmq": lambda: bare_rate(sink, kind, size, count),
        },
        rounds,
    )
    ours, bare = median(taken["ours"]), median(taken["pyzmq"])
    what = f"{kind}, {size // 1000} kB, flat out"
    is_met = ours >= FLAT_OUT_TARGET * bare
    report.add(Figure(what, "elements/s", ours, bare, "pyzmq", f">= {FLAT_OUT_TARGET:g} x", is_met))


def job_rate(rig: ServiceRig, sink: Sink, kind: str, size: int, count: int) -> float:
    """Elements per second of one job, from the first to the last at the sink."""
    topic = f"flat-{kind}-{size}-{time.monotonic_ns()}"
    sink.expect(topic, count)
    job_id = submit(rig, topic, f"flat-{size}", sink.url[kind], {"mode": "fast"})
    first, last = sink.seconds()
    rig.wait_state(job_id, "Finished")
    return (count - 1) / (last - first)


def bare_rate(sink: Sink, kind: str, size: int, count: int) -> float:
    """Elements per second of a program that only sends."""
    topic = f"bare-{kind}-{size}-{time.monotonic_ns()}"
    sink.expect(topic, count)
    address = sink.url[kind].partition(":")[2]
    process = multiprocessing.get_context("spawn").Process(
        target=send_bare, args=(kind, address, topic, size, count)
    )
    process.start()
    first, last = sink.seconds()
    process.join()
    return (count - 1) / (last - first)


def send_bare(kind: str, address: str, topic: str, size: int, count: int) -> None:
    """Send as many parts of the same sizes: zero-copy from 64 kB on, copied below.

    It sends one buffer again and again, which stays in caches: the hardest opponent there is.
    """
    with zmq.Context() as context, context.socket(zmq.DEALER if kind == "dealer" else zmq.XPUB) as socket:
        socket.setsockopt(zmq.LINGER, int(PATIENCE_S * 1000))
        if kind == "pub":
            socket.setsockopt(zmq.XPUB_NODROP, 1)
        socket.connect(address)
        if kind == "pub":
            socket.recv()
        parts = [topic.encode(), os.urandom(200), os.urandom(size)]
        for _ in range(count):
            while True:
                try:
                    socket.send_multipart(parts, copy=size < 64_000)
                    break
                except zmq.Again:
                    time.sleep(0)


def first_element(report: Report, rig: ServiceRig, sink: Sink, jobs: int) -> None:
    """From the POST to the first element at the sink, one job after the other."""
    spans_ms = []
    for number in range(jobs):
        topic = f"first-{number}"
        sink.expect(topic, 1)
        posted = time.monotonic()
        job_id = submit(rig, topic, "paced", sink.url["dealer"], {"mode": "absolute"})
        spans_ms.append((sink.seconds()[0] - posted) * 1000)
        rig.call("POST", f"/api/jobs/{job_id}/transitions", cancel())
        rig.wait_state(job_id, "Cancelled")
    value = percentile(spans_ms, 99)
    report.add(Figure("POST to first element, p50", "ms", percentile(spans_ms, 50)))
    limit = f"< {FIRST_TARGET_MS:.0f} ms"
    report.add(Figure("POST to first element, p99", "ms", value, None, "", limit, value < FIRST_TARGET_MS))


def submit(
    rig: ServiceRig, topic: str, content: str, url: str, pacing: dict[str, Any], start: str | None = None
) -> str:
    """A job from the first element to the end of the recording, at once or at a time."""
    spec = {
        "source": {"content": content},
        "resultingStream": topic,
        "sink": {"url": url},
        "anchor": "first",
        "pacing": pacing,
        "onIdle": "finish",
        "maxIdleMs": 200,
        "maxDeliveryMs": 60_000,
    }
    trigger = {"type": "Immediate", "requestedProcState": "Start"}
    if start is not None:
        trigger = {"type": "Time", "startTime": start, "requestedProcState": "Start"}
    document = {"transitions": [{"trigger": trigger, "jobDescription": {"restreamSpec": spec}}]}
    job_id: str = rig.call("POST", "/api/jobs", document)["jobId"]
    return job_id


def cancel() -> dict[str, Any]:
    return {"trigger": {"type": "Immediate", "requestedProcState": "Cancel"}}


if __name__ == "__main__":
    run("Re-streaming", measure)
