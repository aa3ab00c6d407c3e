"""The reference numbers of Savant Replay's pacing, P1 to P8, on a real socket in real time.

Every case is a job of its own, in both modes, all of them in one worker and started one by one; a ROUTER of
bare pyzmq in a process of its own notes when each element arrives. Told is the jitter: how far arrivals are
from the numbers of the table, their common offset taken off. P9 is about a sink that takes its time.

A processor that falls to a tenth of its speed (`benchmarks.steadiness`) makes late what is due meanwhile, so
beside the p99 over all stands that of elements whose processor was steady from their moment to their arrival.

    python -m benchmarks.pacing [--quick]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.connection import Connection
from typing import Any

import zmq

from benchmarks.beside import beside
from benchmarks.harness import Figure, Report, median, percentile, run, scratch
from benchmarks.rigs import ServiceRig, service
from benchmarks.steadiness import Stretch, slow_stretches, watched
from jobengine.clock import SystemClock, to_text
from jobengine.contents.catalogue import Catalogue
from jobengine.contents.opening import open_store
from jobengine.model.element import Element, ElementKind
from jobengine.ports.contents import ContentStore, PutElement

PATIENCE_S = 60.0
LEAD_S = 4
APART = timedelta(milliseconds=200)
"""Starts of jobs are not what is measured here."""
MODES = ("absolute", "upstream")
FIX_MS = 33.333


@dataclass(frozen=True, slots=True)
class Case:
    """Timestamps in ms, the bounds and the fix of the pauses, and when each element is to be sent."""

    name: str
    times: Sequence[int]
    bounds: tuple[float, float]
    expected: Sequence[float]
    fix_ms: float = FIX_MS


def every(step: float, count: int, first: float = 0) -> list[float]:
    """So many moments, the first after its own pause."""
    return [first + step * number for number in range(count)]


def ticks(step: int, count: int) -> list[int]:
    """Timestamps of an even stream."""
    return [step * number for number in range(count)]


CASES = (
    Case("P1", ticks(30, 20), (FIX_MS, FIX_MS), every(FIX_MS, 20, FIX_MS)),
    Case("P2", ticks(10, 20), (20, FIX_MS), every(20, 20, 20)),
    Case("P3", ticks(30, 20), (1, 20), every(20, 20, 1)),
    Case("P4", ticks(40, 100), (10, 103.333), every(40, 100, 10)),
    Case("P5", ticks(40, 20), (1200, 2000), every(1200, 20, 1200)),
    Case("P6", (0, 40, 80, 20, 60), (10, 103.333), (10, 50, 90, 123.333, 163.333)),
    Case("P7", (0, 40, 80, 20, 60), (10, 103.333), (10, 50, 90, 100, 140), 5),
    Case("P8", (0, 40, 10_040, 10_080), (10, 103.333), (10, 50, 153.333, 193.333)),
)


def measure(report: Report, given: argparse.Namespace) -> None:
    """All cases at once, but for the long one if it must be quick."""
    cases = [case for case in CASES if not (given.quick and case.name == "P5")]
    with scratch() as folder, service(folder) as rig, arrivals() as (port, told), watched() as watch:
        store = open_store((folder / "contents").as_uri())
        for case in cases:
            record(store, case)
        store.close()
        topics = {f"{case.name}-{mode}": case for case in cases for mode in MODES}
        begin = SystemClock().now() + timedelta(seconds=LEAD_S)
        for number, (topic, case) in enumerate(topics.items()):
            submit(rig, topic, case, port, to_text(begin + number * APART))
        arrived = collect(told, {topic: len(case.times) for topic, case in topics.items()})
        slow = slow_stretches(watch.looks())
    for mode in MODES:
        off = {case.name: offs(case, arrived[f"{case.name}-{mode}"]) for case in cases}
        for name, each in off.items():
            report.add(Figure(f"{mode} {name}: worst jitter", "ms", max(each)))
        together = [value for each in off.values() for value in each]
        p99 = percentile(together, 99)
        report.add(Figure(f"{mode}: p99 over all", "ms", p99, target="1 ms", met=p99 <= 1))
        steady = [each for case in cases for each in steady_offs(case, arrived[f"{case.name}-{mode}"], slow)]
        label = f"{mode}: p99 of the {len(steady)} of {len(together)} with a steady processor"
        report.add(Figure(label, "ms", percentile(steady, 99)))


def offs(case: Case, moments_ns: Sequence[int]) -> list[float]:
    """How far each arrival is from its number, but for what all are off by (the median), in ms."""
    return [abs(off) for off in signed_offs(case, moments_ns)]


def signed_offs(case: Case, moments_ns: Sequence[int]) -> list[float]:
    """The same, below zero for what came too early."""
    assert len(moments_ns) == len(case.expected), f"{case.name}: {len(moments_ns)} elements arrived"
    late = [moment / 1e6 - expected for moment, expected in zip(moments_ns, case.expected, strict=True)]
    common = median(late)
    return [each - common for each in late]


def steady_offs(case: Case, moments_ns: Sequence[int], slow: Sequence[Stretch]) -> list[float]:
    """Those of `offs` with no slow stretch between the element's moment and its arrival."""
    epoch_s = time.time() - time.monotonic()
    steady = []
    for moment_ns, off_ms in zip(moments_ns, signed_offs(case, moments_ns), strict=True):
        came_s = epoch_s + moment_ns / 1e9
        since_s, until_s = sorted((came_s, came_s - off_ms / 1e3))
        if not any(stretch.began_s <= until_s and stretch.ended_s >= since_s for stretch in slow):
            steady.append(abs(off_ms))
    return steady


def record(store: ContentStore, case: Case) -> None:
    """The stream of a case."""
    stream = {"type": "Stream", "index": 0, "time_base": [1, 1000]}
    content = Catalogue(store, SystemClock()).create(case.name, {"type": "format"}, [stream])
    elements = [Element(ElementKind.PACKET, pts, is_key=True, plane_sizes=(1000,)) for pts in case.times]
    store.commit([PutElement(content.stream_number(0), each, [bytes(1000)]) for each in elements])


def submit(rig: ServiceRig, topic: str, case: Case, port: int, start: str) -> None:
    """A job that sends a case from a time on."""
    low, high = case.bounds
    pacing = {
        "mode": topic.partition("-")[2],
        "minDurationMs": low,
        "maxDurationMs": high,
        "discrepancyFixMs": case.fix_ms,
    }
    spec = {
        "source": {"content": case.name},
        "resultingStream": topic,
        "sink": {"url": f"dealer+connect:tcp://127.0.0.1:{port}"},
        "anchor": "first",
        "pacing": pacing,
        "maxIdleMs": 200,
        "onIdle": "finish",
    }
    trigger = {"type": "Time", "startTime": start, "requestedProcState": "Start"}
    rig.call(
        "POST", "/api/jobs", {"transitions": [{"trigger": trigger, "jobDescription": {"restreamSpec": spec}}]}
    )


@contextmanager
def arrivals() -> Iterator[tuple[int, Connection]]:
    """A receiver: its port, and what tells (topic, moment in ns) of each element."""
    with beside(receive) as process:
        yield process.word, process.connection


def receive(told: Connection) -> None:
    """The process of the receiver, whose first word is its port; ends are confirmed and not told."""
    socket: zmq.Socket[bytes] = zmq.Context().socket(zmq.ROUTER)
    told.send(socket.bind_to_random_port("tcp://127.0.0.1"))
    while True:
        sender, topic, _, *planes = socket.recv_multipart()
        moment_ns = time.monotonic_ns()
        if planes:
            told.send((topic.decode(), moment_ns))
        else:
            socket.send_multipart((sender, b"OK"))


def collect(told: Connection, wanted: dict[str, int]) -> dict[str, list[int]]:
    """The moments by topic, once there are as many as wanted. Raises TimeoutError."""
    arrived: dict[str, list[int]] = {topic: [] for topic in wanted}
    while any(len(arrived[topic]) < count for topic, count in wanted.items()):
        if not told.poll(PATIENCE_S):
            raise TimeoutError("not all elements arrived")
        message: tuple[str, Any] = told.recv()
        arrived[message[0]].append(message[1])
    return arrived


if __name__ == "__main__":
    run("Pacing on a socket", measure)
