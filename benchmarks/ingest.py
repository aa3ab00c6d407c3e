"""Ingest: from a socket to the disk, and what an element costs the processor.

A writer of bare pyzmq sends elements of our own codec, all of them ready beforehand, as fast as they are
taken; the end of the stream is confirmed when everything before it is on disk. Beside the job stands a
program that only receives and writes: what has arrived, at most as much at once as the job takes, goes into a
file with one `pwritev` and one `fdatasync`, over what was written before. It has no index and no checks.

CPU is user and system time of the whole process, with the threads of libzmq, from before the first element to
behind the confirmation.

    python -m benchmarks.ingest [--quick] [--rounds 5]
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import zmq

from benchmarks.beside import beside
from benchmarks.harness import Figure, Report, median, run, scratch, take_turns
from benchmarks.processes import cpu_seconds
from benchmarks.restream_rig import cancel, element
from benchmarks.rigs import ServiceRig, free_port, service
from jobengine.messaging.sockets.native import NativeEncoder
from jobengine.ports.contents import Buffer
from jobengine.ports.sink import SinkStream
from jobengine.worker.ingest.work import GROUP

SIZES = (1_000, 16_000, 128_000)
BYTES = 160_000_000
ELEMENTS = 10_000
PATIENCE_MS = 60_000
FILE_BYTES = 128 << 20


@dataclass(frozen=True, slots=True)
class Receiver:
    """Who receives at a port, in which process."""

    port: int
    process_id: int


def measure(report: Report, given: argparse.Namespace) -> None:
    """Each size, the job and the bare program by turns."""
    rounds = 3 if given.quick else given.rounds
    with scratch() as folder, service(folder) as rig, job(rig) as ours, bare(folder) as other:
        for size in SIZES:
            one_size(report, {"ours": ours, "bare": other}, size, rounds)


def one_size(report: Report, receivers: Mapping[str, Receiver], size: int, rounds: int) -> None:
    """Two lines of the table."""
    count, what = min(ELEMENTS, BYTES // size), f"{size // 1000} kB"
    cpu_us: dict[str, list[float]] = {name: [] for name in receivers}
    cases = {
        name: partial(one_round, receiver, size, count, cpu_us[name]) for name, receiver in receivers.items()
    }
    taken = take_turns(cases, rounds)
    rates = {name: median(values) for name, values in taken.items()}
    report.add(Figure(f"{what}, socket to disk", "elements/s", rates["ours"], rates["bare"], "bare"))
    spent = {name: median(values) for name, values in cpu_us.items()}
    report.add(Figure(f"{what}, CPU of an element", "us", spent["ours"], spent["bare"], "bare"))


def one_round(receiver: Receiver, size: int, count: int, cpu_us: list[float]) -> float:
    """Send everything; elements per second, from the first sent to the confirmation."""
    messages = encoded(size, count)
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(f"tcp://127.0.0.1:{receiver.port}")
        before, begun = cpu_seconds([receiver.process_id]), time.perf_counter()
        for message in messages:
            socket.send_multipart(message, copy=size < zmq.COPY_THRESHOLD)
        if not socket.poll(PATIENCE_MS):
            raise RuntimeError("the end of the stream was not confirmed")
        took = time.perf_counter() - begun
        cpu_us.append((cpu_seconds([receiver.process_id]) - before) / count * 1e6)
    return count / took


def encoded(size: int, count: int) -> list[Sequence[Buffer]]:
    """So many elements of a new source, and its end."""
    name = f"ingest-{time.monotonic_ns()}"
    stream = {"type": "Stream", "index": 0, "time_base": [1, 1_000_000]}
    encoder = NativeEncoder(SinkStream(name, {"type": "Format"}, stream))
    payload = os.urandom(size)
    return [
        *(encoder.element(element(number, 1, size), [payload]) for number in range(count)),
        encoder.end(()),
    ]


@contextmanager
def job(rig: ServiceRig) -> Iterator[Receiver]:
    """An ingest job of a service."""
    port = free_port()
    spec = {"source": {"url": f"router+bind:tcp://127.0.0.1:{port}"}}
    trigger = {"type": "Immediate", "requestedProcState": "Start"}
    document = {"transitions": [{"trigger": trigger, "jobDescription": {"ingestSpec": spec}}]}
    job_id: str = rig.call("POST", "/api/jobs", document)["jobId"]
    running = rig.wait_state(job_id, "Running")
    yield Receiver(port, running["workerProcessId"])
    rig.call("POST", f"/api/jobs/{job_id}/transitions", cancel())
    rig.wait_state(job_id, "Cancelled")


@contextmanager
def bare(folder: Path) -> Iterator[Receiver]:
    """A process of the bare program."""
    with beside(receive_and_write, folder / "bare") as process:
        yield Receiver(process.word, process.process_id)


def receive_and_write(connection: Connection, path: Path) -> None:
    """The bare program."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT)
    os.posix_fallocate(file, 0, FILE_BYTES)
    router: zmq.Socket[bytes] = zmq.Context().socket(zmq.ROUTER)
    connection.send(router.bind_to_random_port("tcp://127.0.0.1"))
    offset = 0
    while router.poll():
        sender, buffers, has_ended = arrived(router)
        if offset + sum(map(len, buffers)) > FILE_BYTES:
            offset = 0
        for first in range(0, len(buffers), GROUP):
            offset += os.pwritev(file, buffers[first : first + GROUP], offset)
        os.fdatasync(file)
        if has_ended:
            router.send_multipart((sender, b"OK"))


def arrived(router: zmq.Socket[bytes]) -> tuple[bytes, list[Any], bool]:
    """What is there, `GROUP` messages at most: who sent it, all parts, whether the end was among it."""
    sender, buffers, has_ended = b"", [], False
    for _ in range(GROUP):
        try:
            first, _, *parts = router.recv_multipart(zmq.DONTWAIT, copy=False)
        except zmq.Again:
            break
        sender = first.bytes
        buffers += [part.buffer for part in parts]
        has_ended = has_ended or len(parts) == 1
    return sender, buffers, has_ended


if __name__ == "__main__":
    run("Ingest", measure, ("--rounds", 5))
