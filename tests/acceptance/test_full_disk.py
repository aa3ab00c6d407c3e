"""The disk is full: the job ends in Error with a sentence, and what was written is a whole file."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.documents import (
    assert_counts,
    at_once,
    level,
    on,
    pipe,
    recording,
    samples_of,
    timeline,
)
from tests.acceptance.observing import history_of, output_of, reach
from tests.services import Service


@pytest.fixture
def small_disk(service: Service) -> Iterator[Path]:
    """A file system of one megabyte in the folder of media."""
    folder = service.media / "small"
    folder.mkdir(exist_ok=True)
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount a small file system")
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"needs the right to mount: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_ends_one_job_and_keeps_what_it_wrote(service: Service, small_disk: Path) -> None:
    other = reach(service.client.jobs.submit(recording("elsewhere")), "Running")
    job = service.client.jobs.submit(timeline("full", at_once("Start", pipe("small/full.wav", live=False))))
    reach(job, "Error")
    assert "space" in job.message
    assert "Traceback" not in job.message
    (output,) = job.outputs()
    values = samples_of(output["path"])
    assert len(values) == output["samples"] > 300_000
    assert_counts(values)
    assert history_of(service, job)[-1]["state"] == "Error"
    other.append(on("Immediate", "None", level(1.0)))
    other.finish()
    reach(other, "Finished")
    assert_counts(samples_of(output_of(other)))


def test_a_disk_that_is_full_already_ends_the_job_at_once(service: Service, small_disk: Path) -> None:
    with pytest.raises(OSError, match="No space"):
        (small_disk / "ballast").write_bytes(bytes(2 * 1024 * 1024))
    job = service.client.jobs.submit(timeline("no room", at_once("Start", pipe("small/none.wav"))))
    reach(job, "Error")
    assert "space" in job.message
