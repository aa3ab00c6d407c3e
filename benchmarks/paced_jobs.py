"""Paced jobs at once, more and more of them until they are late: 30 elements a second, 20 kB each.

All are posted before they begin, at one moment, so that what is measured is the sending and not the
posting. How late each element was handed to its sink is counted by the jobs, against their absolute
schedules, from the first element on. Beside it stands how late a process is that does nothing but sleep for a
millisecond again and again meanwhile: no better than that can be had of the machine.

    python -m benchmarks.paced_jobs [--quick] [--first 100] [--most 800] [--seconds 10]
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.element_sink import Sink, receiver
from benchmarks.harness import Figure, Report, median, percentile, run, scratch
from benchmarks.processes import cpu_seconds
from benchmarks.restream_rig import open_contents, record, submit
from benchmarks.rigs import ServiceRig, service
from jobengine.clock import SystemClock, to_text

FRAME_MS = 1000 / 30
PAYLOAD_BYTES = 20_000
LATE_TARGET_MS = 5.0
WANTED_JOBS = 400
POST_S = 0.03
"""What posting one job may take, at most; they begin when all are posted."""
LEAD_S = 3.0
TICK_NS = 1_000_000


def measure(report: Report, given: argparse.Namespace) -> None:
    """Twice as many each time, until p99 is beyond the target."""
    seconds = 5 if given.quick else given.seconds
    count = round(seconds * 1000 / FRAME_MS)
    with scratch() as folder, service(folder) as rig, open_contents(folder) as store, receiver() as sink:
        record(store, "paced", count, PAYLOAD_BYTES, FRAME_MS)
        jobs = given.first
        while jobs <= given.most:
            late_ms = paced(report, rig, sink, jobs, count)
            if late_ms > LATE_TARGET_MS and jobs >= WANTED_JOBS:
                break
            jobs *= 2


def paced(report: Report, rig: ServiceRig, sink: Sink, jobs: int, count: int) -> float:
    """So many jobs over ``count`` elements; the p99 of the median job in ms."""
    begin = SystemClock().now() + timedelta(seconds=LEAD_S + jobs * POST_S)
    topic = f"paced-{jobs}-"
    sink.expect(topic, jobs * count)
    url, start = sink.url["dealer"], to_text(begin)
    ids = [submit(rig, f"{topic}{n}", "paced", url, {"mode": "absolute"}, start) for n in range(jobs)]
    time.sleep(max(0.0, (begin - SystemClock().now()).total_seconds()) + 1)
    workers = sorted(
        {rig.call("GET", f"/api/jobs/{job_id}")["workerProcessId"] for job_id in ids[::20]} - {0}
    )
    with sleeper() as slept:
        slept.send(True)
        begun, before = time.monotonic(), cpu_seconds(workers)
        time.sleep(count * FRAME_MS / 2000)
        used = (cpu_seconds(workers) - before) / (time.monotonic() - begun)
        slept.send(True)
        slept_ms = slept.recv()
        sink.seconds()
    results = [result(rig, job_id) for job_id in ids]
    what, late = f"{jobs} paced jobs", [each["lateMsP99"] for each in results]
    lost = jobs * count - sum(each["elements"] for each in results)
    report.add(Figure(f"{what}: elements lost", "", lost, target="0", met=lost == 0))
    value = median(late)
    is_wanted = jobs == WANTED_JOBS
    limit, met = (f"< {LATE_TARGET_MS:g} ms", value < LATE_TARGET_MS) if is_wanted else ("", None)
    report.add(Figure(f"{what}: p99 late, median job", "ms", value, slept_ms, "a sleeper", limit, met))
    report.add(Figure(f"{what}: p99 late, worst job", "ms", max(late)))
    report.add(Figure(f"{what}: CPU of {len(workers)} workers", "cores", used))
    return value


def result(rig: ServiceRig, job_id: str) -> dict[str, Any]:
    """What a job tells at its end."""
    rig.wait_state(job_id, "Finished")
    last = rig.call("GET", f"/api/jobs/{job_id}/history")[-1]
    told: dict[str, Any] = last["info"]["result"]
    return told


@contextmanager
def sleeper() -> Iterator[Connection]:
    """A process that only sleeps, from the first word that it is sent to the second one; then it tells how
    late it was, p99 in ms."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=sleep_on, args=(theirs,), daemon=True)
    process.start()
    ours.recv()
    try:
        yield ours
    finally:
        process.kill()
        process.join()


def sleep_on(connection: Connection) -> None:
    """The process of the sleeper."""
    connection.send(True)
    connection.recv()
    late_ms, due_ns = [], time.monotonic_ns()
    while not late_ms or not connection.poll(0):
        due_ns = max(due_ns + TICK_NS, time.monotonic_ns())
        time.sleep(max(0, due_ns - time.monotonic_ns()) / 1e9)
        late_ms.append((time.monotonic_ns() - due_ns) / 1e6)
    connection.send(percentile(late_ms, 99))


if __name__ == "__main__":
    run("Paced jobs", measure, ("--first", 100), ("--most", 800), ("--seconds", 10))
