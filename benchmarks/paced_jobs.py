"""Paced jobs at once, more and more of them until they are late: 30 elements a second, 20 kB each.

Counted is how late each element was handed to its sink, by the jobs themselves and against their absolute
schedules: every element of every job, from the first one to the last, put together in one distribution. All
are posted before they begin. In one run they begin one after the other, so that it shows how jobs run beside
each other; in another all begin at one moment, which shows what that costs: when the last one began, and how
late elements were with those of the rush among them. Beside it stands how late a process is that does nothing
but sleep for a millisecond again and again meanwhile: no better than that can be had of the machine.

A processor that runs at a tenth of its speed for some ten milliseconds makes everything late that is due then
(`benchmarks.steadiness`). Counters don't tell which elements those were, so their share is told, by the time
that it was slow; and a p99 without them, in which they are taken for the latest of all. What was late because
others before it were, when the processor was fast again, still counts.

Until 22 November 2026 the figure was the median over the jobs of each one's p99, all of them begun at one
moment and run for 5 s, in a counter that ended at 100 ms: one stall of 50 ms decided it, and worse could not
be told apart.

    python -m benchmarks.paced_jobs [--quick] [--first 100] [--most 800] [--seconds 20]
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.beside import beside
from benchmarks.element_sink import Sink, receiver
from benchmarks.harness import Figure, Report, percentile, run, scratch
from benchmarks.processes import cpu_seconds
from benchmarks.restream_rig import open_contents, record, submit
from benchmarks.rigs import ServiceRig, service
from benchmarks.steadiness import watched
from jobengine.clock import SystemClock, to_text

FRAME_MS = 1000 / 30
PAYLOAD_BYTES = 20_000
LATE_TARGET_MS = 5.0
WANTED_JOBS = 400
POST_S = 0.02
"""What posting one job may take, at most; they begin when all are posted."""
LEAD_S = 2.0
APART = timedelta(microseconds=23_457)
"""Between the starts of two jobs: their elements are then spread over the time of one."""
AT_ONCE = timedelta()
TICK_NS = 1_000_000
REST_MS = 1.0
"""Of the receiver: the jobs tell how late elements were, it only counts them."""


def measure(report: Report, given: argparse.Namespace) -> None:
    """Twice as many each time, until p99 is beyond the target."""
    jobs, seconds = (WANTED_JOBS, 8) if given.quick else (given.first, given.seconds)
    with (
        scratch() as folder,
        service(folder) as rig,
        open_contents(folder) as store,
        receiver(REST_MS) as sink,
    ):
        while jobs <= given.most:
            span_s = seconds + jobs * APART.total_seconds()
            count = round(span_s * 1000 / FRAME_MS)
            record(store, f"paced-{jobs}", count, PAYLOAD_BYTES, FRAME_MS)
            late_ms = one_by_one(report, rig, sink, Jobs(jobs, count, APART))
            if jobs == WANTED_JOBS:
                record(store, "rush", round(seconds * 1000 / FRAME_MS), PAYLOAD_BYTES, FRAME_MS)
                at_one_moment(report, rig, sink, Jobs(jobs, round(seconds * 1000 / FRAME_MS), AT_ONCE))
            if given.quick or (late_ms > LATE_TARGET_MS and jobs >= WANTED_JOBS):
                break
            jobs *= 2


@dataclass(frozen=True, slots=True)
class Jobs:
    """So many jobs over ``elements`` elements each, which begin ``apart`` from each other."""

    number: int
    elements: int
    apart: timedelta

    @property
    def content(self) -> str:
        return f"paced-{self.number}" if self.apart else "rush"


@dataclass(frozen=True, slots=True)
class Outcome:
    """``late`` counts elements by the upper bound of their lateness in ms; ``begun_ms`` is how late the last
    job began, ``slept_ms`` p99 of a process that only slept, ``cores`` the CPU of ``workers`` processes,
    ``slow_share`` how much of the time, from 0 to 1, the processor was slow."""

    late: Counter[float]
    lost: int
    begun_ms: float
    slept_ms: float
    cores: float
    workers: int
    slow_share: float

    def late_ms(self, percent: float) -> float:
        """What ``percent`` of all elements did not exceed."""
        left = self.late.total() * percent / 100
        for end_ms, count in sorted(self.late.items()):
            left -= count
            if left <= 0:
                return end_ms
        return 0.0

    @property
    def steady_late_ms(self) -> float:
        """The p99 of the elements that did not fall due while the processor was slow, if those were the
        latest."""
        return self.late_ms(99 * (1 - self.slow_share))

    @property
    def in_time_percent(self) -> float:
        in_time = sum(count for end_ms, count in self.late.items() if end_ms <= LATE_TARGET_MS)
        return 100 * in_time / self.late.total()


def one_by_one(report: Report, rig: ServiceRig, sink: Sink, jobs: Jobs) -> float:
    """Jobs that begin one after the other; the p99 over all of their elements in ms."""
    outcome = paced(rig, sink, jobs)
    what, value = f"{jobs.number} paced jobs", outcome.late_ms(99)
    is_wanted = jobs.number == WANTED_JOBS
    limit, met = (f"< {LATE_TARGET_MS:g} ms", value < LATE_TARGET_MS) if is_wanted else ("", None)
    report.add(Figure(f"{what}: elements lost", "", outcome.lost, target="0", met=outcome.lost == 0))
    report.add(Figure(f"{what}: late, p50", "ms", outcome.late_ms(50)))
    report.add(Figure(f"{what}: late, p99", "ms", value, outcome.slept_ms, "a sleeper", limit, met))
    report.add(Figure(f"{what}: late, worst", "ms", outcome.late_ms(100)))
    report.add(Figure(f"{what}: due while the processor was slow", "%", 100 * outcome.slow_share))
    report.add(Figure(f"{what}: late, p99 of the others, at best", "ms", outcome.steady_late_ms))
    report.add(Figure(f"{what}: in time ({LATE_TARGET_MS:g} ms)", "%", outcome.in_time_percent))
    report.add(Figure(f"{what}: CPU of {outcome.workers} workers", "cores", outcome.cores))
    return value


def at_one_moment(report: Report, rig: ServiceRig, sink: Sink, jobs: Jobs) -> None:
    """Jobs that begin together."""
    outcome = paced(rig, sink, jobs)
    what = f"{jobs.number} paced jobs begun at one moment"
    report.add(Figure(f"{what}: elements lost", "", outcome.lost, target="0", met=outcome.lost == 0))
    report.add(Figure(f"{what}: the last began after", "ms", outcome.begun_ms))
    report.add(Figure(f"{what}: late, p99", "ms", outcome.late_ms(99), outcome.slept_ms, "a sleeper"))


def paced(rig: ServiceRig, sink: Sink, jobs: Jobs) -> Outcome:
    """Run them."""
    begin = SystemClock().now() + timedelta(seconds=LEAD_S + jobs.number * POST_S)
    topic = f"{jobs.content}-"
    sink.expect(topic, jobs.number * jobs.elements)
    ids = post(rig, sink, jobs, begin, topic)
    span = timedelta(milliseconds=jobs.elements * FRAME_MS) + jobs.number * jobs.apart
    with watched() as watch:
        used, workers, slept_ms = follow(rig, sink, jobs, begin, ids)
        slow_share = watch.slow_ms(begin, span) / (span / timedelta(milliseconds=1))
    late: Counter[float] = Counter()
    elements, begun_ms = 0, 0.0
    for job_id in ids:
        rig.wait_state(job_id, "Finished")
        history = rig.call("GET", f"/api/jobs/{job_id}/history")
        result: dict[str, Any] = history[-1]["info"]["result"]
        elements += result["elements"]
        begun_ms = max([begun_ms, *(entry.get("latenessMs") or 0.0 for entry in history)])
        for end_ms, count in result["lateness"]:
            late[end_ms] += count
    lost = jobs.number * jobs.elements - elements
    return Outcome(late, lost, begun_ms, slept_ms, used, workers, slow_share)


def follow(
    rig: ServiceRig, sink: Sink, jobs: Jobs, begin: datetime, ids: Sequence[str]
) -> tuple[float, int, float]:
    """Wait until all was received: the cores that the jobs' processes used, how many these are, and the p99
    of a sleeper in ms, both of a time in which all jobs run."""
    time.sleep(max(0.0, (begin - SystemClock().now() + jobs.number * jobs.apart).total_seconds()))
    told = [rig.call("GET", f"/api/jobs/{job_id}") for job_id in ids[::20]]
    workers = sorted({job["workerProcessId"] for job in told} - {0})
    with sleeper() as slept:
        slept.send(True)
        begun, before = time.monotonic(), cpu_seconds(workers)
        time.sleep((jobs.elements * FRAME_MS / 1000 - jobs.number * jobs.apart.total_seconds()) / 2)
        used = (cpu_seconds(workers) - before) / (time.monotonic() - begun)
        slept.send(True)
        slept_ms = slept.recv()
        sink.seconds()
    return used, len(workers), slept_ms


def post(rig: ServiceRig, sink: Sink, jobs: Jobs, begin: datetime, topic: str) -> Sequence[str]:
    """The ids of the jobs."""
    url, terms = sink.url["dealer"], {"pacing": {"mode": "absolute"}}
    return [
        submit(rig, f"{topic}{n}", jobs.content, url, terms, to_text(begin + n * jobs.apart))
        for n in range(jobs.number)
    ]


@contextmanager
def sleeper() -> Iterator[Connection]:
    """A process that only sleeps, from the first word that it is sent to the second one; then it tells how
    late it was, p99 in ms."""
    with beside(sleep_on) as process:
        yield process.connection


def sleep_on(connection: Connection) -> None:
    """The process of the sleeper."""
    connection.send(True)
    connection.recv()
    late_ms: list[float] = []
    due_ns = time.monotonic_ns()
    while not late_ms or not connection.poll(0):
        due_ns = max(due_ns + TICK_NS, time.monotonic_ns())
        time.sleep(max(0, due_ns - time.monotonic_ns()) / 1e9)
        late_ms.append((time.monotonic_ns() - due_ns) / 1e6)
    connection.send(percentile(late_ms, 99))


if __name__ == "__main__":
    run("Paced jobs", measure, ("--first", 100), ("--most", 800), ("--seconds", 20))
