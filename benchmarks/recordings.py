"""Many recordings at once on a real service: nothing lost, and what they cost.

Each job reads a counter in real time (sample n has the value n) and writes it to a WAV, stereo, 24 bit, so
a lost sample is seen in the file. Jobs are posted one by one; the history says when the first sample of
each was. Beside it, afterwards, as many ffmpeg commands doing the same.

The service has some seconds behind its first answer before the first job is posted: workers are forked by a
process that may take one of them to start. The worst of the posts that met no slow processor
(``benchmarks.steadiness``) stands beside the worst of all.

    python -m benchmarks.recordings [--quick] [--jobs 45] [--seconds 30]
"""

from __future__ import annotations

import argparse
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from benchmarks.documents import counter, immediate, read_wav, source, start, wav, write_wav
from benchmarks.harness import Figure, Report, percentile, run, scratch
from benchmarks.processes import cpu_seconds, private_mb
from benchmarks.rigs import ServiceRig, service
from benchmarks.steadiness import Span, watched

PRIVATE_TARGET_MB = 12.0
START_TARGET_MS = 100.0
REST_S = 3.0
SPARE_S = 60
"""How much longer the source is than the recordings."""


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU in percent of one core over all processes, and private memory per process."""

    cpu_percent: float
    private_mb: list[float]


def measure(report: Report, given: argparse.Namespace) -> None:
    """Ours, then ffmpeg."""
    if given.quick:
        given.seconds = min(given.seconds, 10)
    with scratch() as folder:
        with service(folder) as rig:
            write_wav(folder / "media" / "counter.wav", counter(given.seconds + SPARE_S), 3)
            time.sleep(REST_S)
            with watched() as watch:
                cost, late_ms, first, lengths = record(rig, given.jobs, given.seconds)
                steady_ms = watch.steady_ms(first)
        other = record_with_ffmpeg(folder / "media", given.jobs, given.seconds)
    jobs = given.jobs
    print(f"{jobs} files hold {min(lengths):,} to {max(lengths):,} samples, none lost", flush=True)
    report.add(Figure(f"{jobs} recordings: samples lost", "", 0, target="0", met=True))
    cores = "% of a core"
    report.add(Figure(f"{jobs} recordings: CPU", cores, cost.cpu_percent, other.cpu_percent, "ffmpeg"))
    largest, theirs = max(cost.private_mb), max(other.private_mb)
    is_small = largest < PRIVATE_TARGET_MB
    limit = f"< {PRIVATE_TARGET_MB:.0f} MB"
    report.add(Figure("private memory, largest worker", "MB", largest, theirs, "ffmpeg", limit, is_small))
    report.add(Figure("worst lateMs seen", "ms", max(late_ms)))
    for percent, what in ((50, "median"), (100, "worst")):
        value = percentile([span.took_ms for span in first], percent)
        limit = f"< {START_TARGET_MS:.0f} ms"
        report.add(
            Figure(f"POST to first sample, {what}", "ms", value, target=limit, met=value < START_TARGET_MS)
        )
    what = f"the same, worst of the {len(steady_ms)} of {jobs} with a steady processor"
    report.add(Figure(what, "ms", max(steady_ms)))


def record(rig: ServiceRig, jobs: int, seconds: int) -> tuple[Cost, list[float], list[Span], list[int]]:
    """Cost, lateness seen, each POST to its first sample, and samples per file."""
    ids, posted = [], []
    for number in range(jobs):
        posted.append(time.time())
        ids.append(rig.call("POST", "/api/jobs", recording(number))["jobId"])
        time.sleep(0.1)
    found = [rig.wait_state(job_id, "Running") for job_id in ids]
    workers = [job["workerProcessId"] for job in found]
    late_ms: list[float] = []

    def look() -> None:
        for job_id in ids[:: max(1, jobs // 15)]:
            late_ms.append(rig.call("GET", f"/api/jobs/{job_id}/progress").get("lateMs", 0.0))

    cost = watch(workers, seconds, look)
    for job_id in ids:
        rig.call("POST", f"/api/jobs/{job_id}/transitions", immediate("Finish"))
    for job_id in ids:
        rig.wait_state(job_id, "Finished")
    first = [Span(at, first_sample_ms(rig, job_id, at)) for job_id, at in zip(ids, posted, strict=True)]
    lengths = [whole(rig.data / "media" / f"take-{number}.wav", seconds) for number in range(jobs)]
    return cost, late_ms, first, lengths


def recording(number: int) -> dict[str, object]:
    """A job that records the counter."""
    given = source("In", "FileReader", filePath="counter.wav", realTime=True)
    output = wav("Out", f"take-{number}.wav", sampleRate=48000, resolution=24, channels=2)
    return start({"inputGraph": [given], "outputGraph": [output]}, f"Take {number}")


def watch(processes: list[int], seconds: int, look: Callable[[], None]) -> Cost:
    """Let ``seconds`` go by, looking once a second."""
    begun, before = time.perf_counter(), cpu_seconds(processes)
    while (left := begun + seconds - time.perf_counter()) > 0:
        look()
        time.sleep(min(1.0, max(0.0, left)))
    used = cpu_seconds(processes) - before
    return Cost(100 * used / (time.perf_counter() - begun), private_mb(processes))


def first_sample_ms(rig: ServiceRig, job_id: str, posted: float) -> float:
    """From the POST to the moment of the first sample, as the history has it."""
    history = rig.call("GET", f"/api/jobs/{job_id}/history")
    begun = next(row for row in history if row["currentProcState"] == "Running")
    return (datetime.fromisoformat(begun["timeStamp"]).timestamp() - posted) * 1000


def whole(path: Path, seconds: int) -> int:
    """The samples of a file; it must be as long as the recording and count on without a gap."""
    samples = read_wav(path) >> 8
    if len(samples) < seconds * 48_000:
        raise RuntimeError(f"{path.name} holds only {len(samples)} samples")
    if (samples != np.arange(len(samples))[:, np.newaxis]).any():
        raise RuntimeError(f"{path.name} has lost samples")
    return len(samples)


def record_with_ffmpeg(media: Path, jobs: int, seconds: int) -> Cost:
    """As many ffmpeg commands, each reading in real time."""
    command = ["ffmpeg", "-v", "error", "-nostdin", "-re", "-i", "counter.wav", "-c:a", "pcm_s24le"]
    started = [
        subprocess.Popen([*command, f"other-{number}.wav"], cwd=media, stdin=subprocess.DEVNULL)
        for number in range(jobs)
    ]
    try:
        time.sleep(3)
        return watch([process.pid for process in started], seconds, lambda: None)
    finally:
        for process in started:
            process.kill()
            process.wait()


if __name__ == "__main__":
    run("Recordings at once", measure, ("--jobs", 45), ("--seconds", 30))
