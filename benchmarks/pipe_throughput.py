"""CPU seconds of mixing two files into one, by a real job and by the ffmpeg command.

Two stereo 48 kHz 16-bit WAVs, gains, a matrix, one WAV. The samples must be those of ffmpeg, bit for bit.
Ours is counted twice: what the job's worker process used (forked from the warm parent), and what a whole
Python process uses that is started for this pipe alone, with its imports, as the ffmpeg command starts too.

    python -m benchmarks.pipe_throughput [--quick] [--seconds 300] [--rounds 5]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks.documents import noise, read_wav, source, start, wav, write_wav
from benchmarks.harness import Figure, Report, median, run, scratch, take_turns
from benchmarks.processes import cpu_until_gone
from benchmarks.rigs import ServiceRig, service

TARGET = 0.6
GAINS = {"a": 0.7, "b": 0.5}
MIXING = "[0]volume=0.7[a];[1]volume=0.5[b];[a][b]amix=inputs=2:normalize=0"


def measure(report: Report, given: argparse.Namespace) -> None:
    """By turns: the job, a whole Python process, ffmpeg."""
    seconds, rounds = (60, 2) if given.quick else (given.seconds, given.rounds)
    with scratch() as folder, service(folder) as rig:
        media = folder / "media"
        for seed, name in enumerate(GAINS):
            write_wav(media / f"{name}.wav", noise(seconds, seed), 2)
        numbers = count()
        cases = {
            "job": partial(mix_in_job, rig, numbers),
            "process": partial(mix_in_process, media, numbers),
            "ffmpeg": partial(mix_with_ffmpeg, media),
        }
        cases["job"]()
        taken = {name: median(values) for name, values in take_turns(cases, rounds).items()}
        check_same(media)
    for name, label in (("job", "the job's worker"), ("process", "a whole Python process")):
        quicker = taken["ffmpeg"] / taken[name]
        report.add(
            Figure(f"CPU of {label}, {seconds} s of sound", "s", taken[name], taken["ffmpeg"], "ffmpeg")
        )
        limit = f">= {TARGET}" if name == "job" else ""
        met = quicker >= TARGET if name == "job" else None
        report.add(Figure(f"ffmpeg / {label}", "", quicker, target=limit, met=met))


def specification(number: int) -> dict[str, Any]:
    """Two inputs with levels, a matrix of four points, one output."""
    points = [
        {"input": name, "inChannel": channel, "output": "Out", "outChannel": channel, "gain": 1.0}
        for name in GAINS
        for channel in (0, 1)
    ]
    levels = [{"graph": name, "level": gain} for name, gain in GAINS.items()]
    return {
        "inputGraph": [source(name, "FileReader", filePath=f"{name}.wav") for name in GAINS],
        "mixer": {"inputLevel": levels, "matrix": points},
        "outputGraph": [wav("Out", f"out-{number}.wav", sampleRate=48000, resolution=16, channels=2)],
    }


def mix_in_job(rig: ServiceRig, numbers: Iterator[int]) -> float:
    """CPU seconds of the worker process of a real job."""
    job = rig.call("POST", "/api/jobs", start(specification(next(numbers))))
    process_id = job["workerProcessId"]
    while not process_id:
        job = rig.call("GET", f"/api/jobs/{job['jobId']}")
        process_id = job["workerProcessId"]
        if not job["isActive"]:
            raise RuntimeError(f"the job ended too early to be measured: {job['statusMessage']}")
    used_s = cpu_until_gone(process_id)
    rig.wait_state(job["jobId"], "Finished")
    return used_s


def mix_in_process(media: Path, numbers: Iterator[int]) -> float:
    """CPU seconds of a Python process that runs the pipe and nothing else, with its start."""
    given = json.dumps([str(media), specification(next(numbers))])
    command = [sys.executable, "-m", "benchmarks.one_pipe", given]
    return cpu_of_command(command, Path(__file__).parent.parent)


def mix_with_ffmpeg(media: Path) -> float:
    """CPU seconds of the ffmpeg command."""
    inputs = ["-i", "a.wav", "-i", "b.wav"]
    command = ["ffmpeg", "-v", "error", "-y", *inputs, "-filter_complex", MIXING, "reference.wav"]
    return cpu_of_command(command, media)


def cpu_of_command(command: list[str], folder: Path) -> float:
    """CPU seconds of a command that must succeed."""
    before = os.times()
    subprocess.run(command, cwd=folder, check=True, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"})
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def check_same(media: Path) -> None:
    """Every file that was written has the samples of ffmpeg's."""
    reference = read_wav(media / "reference.wav")
    for path in media.glob("out-*.wav"):
        ours = read_wav(path)
        if ours.shape != reference.shape or (ours != reference).any():
            raise RuntimeError(f"{path.name} differs from ffmpeg's file")
    print("every file has exactly the samples of ffmpeg's", flush=True)


if __name__ == "__main__":
    run("Pipe throughput", measure, ("--seconds", 300), ("--rounds", 5))
