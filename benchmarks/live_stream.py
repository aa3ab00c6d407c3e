"""From a live stream in to the same stream out again: an ingest job, the store, a re-streaming job behind it.

A writer of bare pyzmq sends 30 elements a second; each carries when it was sent, on the clock of this
machine, and the sink looks at the clock when it comes out. In between it is made durable. Besides the p99 of
all there is that of those on whose way the processor was not slow (``benchmarks.steadiness``).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import zmq

from benchmarks.beside import beside
from benchmarks.harness import Figure, Report, percentile
from benchmarks.rigs import ServiceRig, free_port
from benchmarks.steadiness import Span, watched
from jobengine.messaging.sockets.native import NativeEncoder
from jobengine.model.element import Element, ElementKind
from jobengine.ports.sink import SinkStream

STEP_S = 1 / 30
PAYLOAD_BYTES = 20_000
TARGET_MS = 10.0
FIRST = 5
"""So many elements are there before the re-streaming job begins behind the last of them."""
_STREAM = SinkStream("live", {"type": "Format"}, {"type": "Stream", "index": 0, "time_base": [1, 1_000_000]})


def live(report: Report, rig: ServiceRig, elements: int) -> None:
    """How long elements are on their way, in milliseconds."""
    port = free_port()
    ingest = _job(rig, {"ingestSpec": {"source": {"url": f"router+bind:tcp://127.0.0.1:{port}"}}})
    to_wall_s = time.time() - time.monotonic()
    with watched() as watch, _sink() as (url, arrivals), _Writer(port) as writer:
        writer.send(FIRST)
        spec = {
            "source": {"content": "live"},
            "resultingStream": "live-again",
            "sink": {"url": url},
            "anchor": "latest",
            "anchorWaitMs": 5000,
            "pacing": {"mode": "fast"},
        }
        restream = _job(rig, {"restreamSpec": spec})
        writer.send(elements)
        time.sleep(1)
        arrivals.send(True)
        # The first was there before the job.
        spans = [Span(sent_s + to_wall_s, took_ms) for sent_s, took_ms in arrivals.recv()[1:]]
        steady_ms = watch.steady_ms(spans)
    for job_id in (restream, ingest):
        rig.call("POST", f"/api/jobs/{job_id}/transitions", _trigger("Cancel"))
    what = "live stream in to out"
    lost = elements - len(spans)
    spans_ms = [span.took_ms for span in spans]
    value = percentile(spans_ms, 99)
    report.add(Figure(f"{what}: elements lost", "", lost, target="0", met=lost == 0))
    report.add(Figure(f"{what}, p50", "ms", percentile(spans_ms, 50)))
    limit = f"< {TARGET_MS:.0f} ms"
    report.add(Figure(f"{what}, p99", "ms", value, None, "", limit, value < TARGET_MS))
    what = f"the same, p99 of the {len(steady_ms)} of {len(spans)} with a steady processor"
    report.add(Figure(what, "ms", percentile(steady_ms, 99)))


def _trigger(state: str) -> dict[str, Any]:
    return {"trigger": {"type": "Immediate", "requestedProcState": state}}


def _job(rig: ServiceRig, description: dict[str, Any]) -> str:
    document = {"transitions": [{**_trigger("Start"), "jobDescription": description}]}
    job_id: str = rig.call("POST", "/api/jobs", document)["jobId"]
    rig.wait_state(job_id, "Running")
    return job_id


class _Writer:
    """Sends elements at an even pace, each with the time of its sending."""

    def __init__(self, port: int) -> None:
        self._context: zmq.Context[Any] = zmq.Context()
        self._socket: zmq.Socket[bytes] = self._context.socket(zmq.DEALER)
        self._socket.connect(f"tcp://127.0.0.1:{port}")
        self._encoder = NativeEncoder(_STREAM)
        self._rest = os.urandom(PAYLOAD_BYTES)
        self._sent = 0

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close(linger=0)
        self._context.term()

    def send(self, count: int) -> None:
        """So many elements, one after the other; returns one step behind the last."""
        for _ in range(count):
            payload = time.monotonic_ns().to_bytes(8, "big") + self._rest
            pts = round(self._sent * STEP_S * 1e6)
            self._sent += 1
            element = Element(ElementKind.PACKET, pts, is_key=True, plane_sizes=(len(payload),))
            self._socket.send_multipart(list(self._encoder.element(element, [payload])))
            time.sleep(STEP_S)


@contextmanager
def _sink() -> Iterator[tuple[str, Connection]]:
    """A process that receives; its URL, and where to ask for the spans."""
    with beside(_receive) as process:
        yield process.word, process.connection


def _receive(connection: Connection) -> None:
    router = zmq.Context().socket(zmq.ROUTER)
    connection.send(f"dealer+connect:tcp://127.0.0.1:{router.bind_to_random_port('tcp://127.0.0.1')}")
    spans: list[tuple[float, float]] = []
    while not connection.poll(0):
        if not router.poll(100):
            continue
        now_ns = time.monotonic_ns()
        frames = router.recv_multipart()
        if len(frames) == 4:
            sent_ns = int.from_bytes(frames[3][:8], "big")
            spans.append((sent_ns / 1e9, (now_ns - sent_ns) / 1e6))
        else:
            router.send_multipart((frames[0], b"OK"))
    connection.send(spans)
