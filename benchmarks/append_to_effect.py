"""How long after the POST of a level change the sound of a running job changes.

The source is a constant, so the finished file tells at which sample the level changed; the history tells the
moment of that sample. Beside it the time until the POST is answered, and one row committed by the bare driver
(no durable change can be quicker than that). Besides those of all posts there are the figures of those during
which the processor itself was not slow (``benchmarks.steadiness``).

    python -m benchmarks.append_to_effect [--quick] [--posts 200]
"""

from __future__ import annotations

import argparse
import random
import time
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.databases import Postgresql, Sqlite, Write
from benchmarks.documents import immediate, read_wav, source, start, wav
from benchmarks.harness import Figure, Report, percentile, postgres, run, scratch, timed
from benchmarks.rigs import ServiceRig, service
from benchmarks.steadiness import Watch, slow_stretches, watched

MEDIAN_TARGET_MS, P99_TARGET_MS = 10.0, 50.0
CONSTANT = source("In", "Audio Synthesizer", source="aevalsrc=exprs=0.5:sample_rate=48000")
COMMIT = "INSERT INTO floor VALUES ({})"


@dataclass(frozen=True, slots=True)
class Taken:
    """Milliseconds of each POST to its answer and its first sample, and of bare commits.

    ``steady``: of those in ``effect`` that the processor was not slow in.
    """

    answered: list[float] = field(default_factory=list)
    effect: list[float] = field(default_factory=list)
    committed: list[float] = field(default_factory=list)
    steady: list[float] = field(default_factory=list)


def measure(report: Report, given: argparse.Namespace) -> None:
    """SQLite, then PostgreSQL."""
    posts = min(given.posts, 60) if given.quick else given.posts
    with scratch() as folder:
        measure_on(report, Sqlite(folder), posts)
    with postgres() as server:
        measure_on(report, Postgresql(server), posts)


def measure_on(report: Report, kind: Sqlite | Postgresql, posts: int) -> None:
    """One live job, ``posts`` changes of its level at random moments."""
    with scratch() as folder:
        url = kind.url("ours")
        kind.url("floor")
        with service(folder, url) as rig, kind.bare("floor") as bare, watched() as watch:
            bare([("CREATE TABLE floor (number INTEGER)", [()])])
            taken = change_levels(rig, bare, watch, posts, folder)
    name = kind.name
    for what, percent, limit in (("median", 50, MEDIAN_TARGET_MS), ("p99", 99, P99_TARGET_MS)):
        value = percentile(taken.effect, percent)
        bound = percentile(taken.committed, percent)
        label = f"{name}: POST to changed sample, {what} of {posts}"
        report.add(Figure(label, "ms", value, bound, "bare commit", f"< {limit:.0f} ms", value < limit))
        if taken.steady:
            label = f"{name}: the same, {what} of the {len(taken.steady)} with a steady processor"
            report.add(Figure(label, "ms", percentile(taken.steady, percent)))
        reply = percentile(taken.answered, percent)
        report.add(Figure(f"{name}: POST to answer, {what}", "ms", reply, bound, "bare commit"))


def change_levels(rig: ServiceRig, bare: Write, watch: Watch, posts: int, folder: Path) -> Taken:
    """``posts`` changes of the level of one job, each with a commit behind it."""
    pause_s = random.Random(7)  # so that posts fall anywhere in a block
    output = wav("Out", "levels.wav", sampleRate=48000, resolution=24, channels=1)
    job_id = rig.call("POST", "/api/jobs", start({"inputGraph": [CONSTANT], "outputGraph": [output]}))[
        "jobId"
    ]
    rig.wait_state(job_id, "Running")
    time.sleep(0.5)
    taken, sent = Taken(), {}
    for number in range(posts):
        level = 0.1 + 0.8 * (number + 1) / posts if number % 2 else 0.05 + 0.04 * number / posts
        change = {"pipeSpec": {"mixer": {"outputLevel": [{"graph": "Out", "level": level}]}}}
        posted = time.time()
        made = rig.call("POST", f"/api/jobs/{job_id}/transitions", immediate("None", change))
        taken.answered.append((time.time() - posted) * 1000)
        sent[made[0]["transitionId"]] = posted
        taken.committed.append(1000 * timed(partial(bare, [(COMMIT.format(number), [()])])))
        time.sleep(pause_s.uniform(0.02, 0.08))
    rig.call("POST", f"/api/jobs/{job_id}/transitions", immediate("Finish"))
    rig.wait_state(job_id, "Finished")
    history = rig.call("GET", f"/api/jobs/{job_id}/history")
    changed = [row for row in history if row["transitionId"] in sent]
    heard = first_samples(folder / "media" / "levels.wav")
    if len(heard) != posts:
        raise RuntimeError(f"the file changes its level {len(heard)} times, not {posts}")
    slow = slow_stretches(watch.looks())
    for row, at in zip(changed, heard, strict=True):
        posted = sent[row["transitionId"]]
        took_ms = effect_ms(row, at, posted)
        taken.effect.append(took_ms)
        if not any(s.began_s < posted + took_ms / 1000 and s.ended_s > posted for s in slow):
            taken.steady.append(took_ms)
    return taken


def first_samples(path: Path) -> list[int]:
    """Where the sound changes."""
    samples = read_wav(path)[:, 0]
    return [int(at) + 1 for at in np.flatnonzero(np.diff(samples))]


def effect_ms(row: dict[str, Any], heard: int, posted: float) -> float:
    """From the POST to the moment of sample ``heard``."""
    moment = datetime.fromisoformat(row["timeStamp"]).timestamp()
    behind: int = heard - row["streamPosition"]["samples"]
    return (moment + behind / 48_000 - posted) * 1000


if __name__ == "__main__":
    run("Append to effect", measure, ("--posts", 200))
