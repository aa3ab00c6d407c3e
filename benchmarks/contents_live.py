"""Live packets into the embedded contents store: how late each is acknowledged, beside a synced file.

The first second isn't counted: files, maps and caches are new then, and of four seconds the hundredth part
that p99 leaves aside is one stall of 40 ms. Besides the figures of all packets there are those of the packets
that no slow stretch of the processor fell upon between their coming and their acknowledgement
(``benchmarks.steadiness``); what piled up in a stretch and is acknowledged behind it counts among the steady
if it came behind it.
"""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.contents_rig import STREAMS, opened, packet
from benchmarks.harness import Figure, Report, percentile
from benchmarks.steadiness import Stretch, slow_stretches, watched
from jobengine.contents.embedded import EmbeddedContents
from jobengine.ports.contents import PutElement

RATE_HZ, WARM_UP_S = 30, 1
RECORDERS = (1, 4)
"""One ingest job commits in one thread and never waits for others. Four callers of one process are gathered
for the commit interval."""
_BUFFERS_AT_ONCE = 1024
"""How many `os.writev` takes (IOV_MAX of Linux)."""


class PlainFile:
    """What commits of several threads cost without a store: payloads in one file, synced under a lock."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb", buffering=0)
        self._lock = threading.Lock()

    def commit(self, writes: Sequence[PutElement]) -> None:
        """Payloads on disk."""
        planes = [plane for write in writes for plane in write.planes or ()]
        with self._lock:
            for first in range(0, len(planes), _BUFFERS_AT_ONCE):
                os.writev(self._file.fileno(), planes[first : first + _BUFFERS_AT_ONCE])
            os.fdatasync(self._file.fileno())

    def close(self) -> None:
        """Let the file go."""
        self._file.close()


def live(report: Report, folder: Path, seconds: int) -> None:
    """From the moment a packet comes to its acknowledgement, 200 streams over so many seconds."""
    for recorders in RECORDERS:
        _live(report, folder / str(recorders), seconds + WARM_UP_S, recorders)


def _live(report: Report, folder: Path, seconds: int, recorders: int) -> None:
    stolen_s = psutil.cpu_times().steal
    with opened(folder / "live") as store:
        cpu_s = time.process_time()
        ours = received(store, seconds, recorders)
        cores = (time.process_time() - cpu_s) / seconds
    stolen_s = psutil.cpu_times().steal - stolen_s
    with closing(PlainFile(folder / "plain")) as file:
        plain = received(file, seconds, recorders)
    rate = len(ours.late_ms) / (seconds - WARM_UP_S)
    threads = "one recorder" if recorders == 1 else f"{recorders} recorders"
    what = f"{STREAMS} streams x {RATE_HZ}/s, {rate:,.0f} packets/s, {threads}: acknowledged, p"
    report.add(Figure(what + "50", "ms", percentile(ours.late_ms, 50), percentile(plain.late_ms, 50), "file"))
    p99 = percentile(ours.late_ms, 99)
    report.add(Figure(what + "99", "ms", p99, percentile(plain.late_ms, 99), "file", "< 30", p99 < 30))
    share = 100 * len(ours.steady_ms) / len(ours.late_ms)
    steady, plain_steady = percentile(ours.steady_ms, 99), percentile(plain.steady_ms, 99)
    what = f"p99 of the {share:.0f} % of them with a steady processor"
    report.add(Figure(what, "ms", steady, plain_steady, "file"))
    report.add(Figure("time of a second that the processor was slow", "ms", ours.slow_ms / seconds))
    report.add(Figure("cores for that", "", cores))
    report.add(Figure("cores that the host took from this machine meanwhile", "", stolen_s / seconds))


@dataclass(frozen=True, slots=True)
class Received:
    """How late each packet behind the first second was acknowledged, ``steady_ms`` of those alone that no
    slow stretch fell upon; ``slow_ms``: how long the processor was slow."""

    late_ms: list[float]
    steady_ms: list[float]
    slow_ms: float


def received(store: EmbeddedContents | PlainFile, seconds: int, recorders: int) -> Received:
    """What came of so many seconds."""
    late_ms: list[list[tuple[float, float]]] = [[] for _ in range(recorders)]
    with without_collections(), watched() as watch:
        due = [moments(number, recorders, seconds) for number in range(recorders)]
        gc.freeze()
        start, began_s = time.perf_counter() + 0.1, time.time() + 0.1
        threads = [
            threading.Thread(target=receive, args=(store, start, due[number], late_ms[number]))
            for number in range(recorders)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        slow = slow_stretches(watch.looks())
    all_late = [late for each in late_ms for late in each]
    steady = [late for at, late in all_late if not _is_met(slow, began_s + at, began_s + at + late / 1e3)]
    slow_ms = sum(1e3 * max(0.0, stretch.ended_s - max(stretch.began_s, began_s)) for stretch in slow)
    return Received([late for _, late in all_late], steady, slow_ms)


def _is_met(slow: Sequence[Stretch], since_s: float, until_s: float) -> bool:
    return any(stretch.began_s < until_s and stretch.ended_s > since_s for stretch in slow)


@contextmanager
def without_collections() -> Iterator[None]:
    """Garbage is not looked for, as in a shared worker that is busy."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def moments(recorder: int, recorders: int, seconds: int) -> list[tuple[float, int, int]]:
    """When packets come to the streams of a recorder, in seconds from the start: moment, stream, number."""
    return [
        (n / RATE_HZ + stream / STREAMS / RATE_HZ, stream, n)
        for n in range(seconds * RATE_HZ)
        for stream in range(recorder, STREAMS, recorders)
    ]


def receive(
    store: EmbeddedContents | PlainFile,
    start: float,
    due: Sequence[tuple[float, int, int]],
    late: list[tuple[float, float]],
) -> None:
    """A thread that commits what has come of its streams, as fast as it is acknowledged.

    ``late`` gets when each packet came, in seconds from the start, and how many ms late it was acknowledged.
    """
    at = 0
    while at < len(due):
        now = time.perf_counter() - start
        behind = at
        while behind < len(due) and due[behind][0] <= now:
            behind += 1
        if behind == at:
            time.sleep(due[at][0] - now)
            continue
        store.commit([packet(n, stream) for _, stream, n in due[at:behind]])
        done = time.perf_counter() - start
        late += [(moment, (done - moment) * 1e3) for moment, _, _ in due[at:behind] if moment >= WARM_UP_S]
        at = behind
