"""Live packets into the embedded contents store: how late each is acknowledged, beside a synced file.

The first second isn't counted: files, maps and caches are new then, and of four seconds the hundredth part
that p99 leaves aside is one stall of 40 ms.
"""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import psutil

from benchmarks.contents_rig import STREAMS, opened, packet
from benchmarks.harness import Figure, Report, percentile
from jobengine.contents.embedded import EmbeddedContents
from jobengine.garbage import look_seldom
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
        ours_ms = received_ms(store, seconds, recorders)
        cores = (time.process_time() - cpu_s) / seconds
    stolen_s = psutil.cpu_times().steal - stolen_s
    with closing(PlainFile(folder / "plain")) as file:
        plain_ms = received_ms(file, seconds, recorders)
    rate = len(ours_ms) / (seconds - WARM_UP_S)
    threads = "one recorder" if recorders == 1 else f"{recorders} recorders"
    what = f"{STREAMS} streams x {RATE_HZ}/s, {rate:,.0f} packets/s, {threads}: acknowledged, p"
    report.add(Figure(what + "50", "ms", percentile(ours_ms, 50), percentile(plain_ms, 50), "file"))
    p99 = percentile(ours_ms, 99)
    report.add(Figure(what + "99", "ms", p99, percentile(plain_ms, 99), "file", "< 30", p99 < 30))
    report.add(Figure("cores for that", "", cores))
    report.add(Figure("cores that the host took from this machine meanwhile", "", stolen_s / seconds))


def received_ms(store: EmbeddedContents | PlainFile, seconds: int, recorders: int) -> list[float]:
    """How late each packet behind the first second was acknowledged."""
    late_ms: list[list[float]] = [[] for _ in range(recorders)]
    with collecting_seldom():
        due = [moments(number, recorders, seconds) for number in range(recorders)]
        gc.freeze()
        start = time.perf_counter() + 0.1
        threads = [
            threading.Thread(target=receive, args=(store, start, due[number], late_ms[number]))
            for number in range(recorders)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return [late for each in late_ms for late in each]


@contextmanager
def collecting_seldom() -> Iterator[None]:
    """Garbage is looked for as seldom as in a worker process, which freezes what it begins with."""
    before = gc.get_threshold()
    gc.collect()
    look_seldom()
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


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
    late_ms: list[float],
) -> None:
    """A thread that commits what has come of its streams, as fast as it is acknowledged."""
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
        late_ms += [(done - moment) * 1e3 for moment, _, _ in due[at:behind] if moment >= WARM_UP_S]
        at = behind
