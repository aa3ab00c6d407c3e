"""What a worker does while it waits for a job: it does once what the job will want.

A fork shares its memory with the nursery until it writes there. Of the 13 ms of CPU that the first recording
in a process takes before its first sample, 9 are copies of some 1,600 pages; a second one has them. Here is
the rehearsal of a recording; that of a re-streaming job is `jobengine.worker.restream.rehearsal`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import structlog

from jobengine.clock import Clock
from jobengine.errors import JobEngineError
from jobengine.model.roots import MediaRoots
from jobengine.ports.work import WorkContext
from jobengine.worker.pipe import PipeWork

_TICKS = 1_024
_TONE = {"name": "Audio Synthesizer", "waveform": {"form": "Sine"}, "realTime": True}
_FIRST, _SECOND = "first.wav", "second.wav"


Rehearsal = Callable[[Clock], None]
"""Raises JobEngineError or OSError."""


def get_ready(rehearse: Rehearsal, clock: Clock) -> None:
    """Rehearse. A worker that could not is as good, only slower to begin."""
    try:
        rehearse(clock)
    except (JobEngineError, OSError) as error:
        structlog.get_logger("rehearsal").warning("worker.not_rehearsed", detail=str(error))


def rehearse_recording(place: Path, clock: Clock) -> None:
    """Record a tone, then what was recorded, in a folder below ``place`` that is gone afterwards. Blocks for
    some 30 ms. Raises MediaError or OSError."""
    with tempfile.TemporaryDirectory(dir=place) as folder:
        context = WorkContext("rehearsal", "", MediaRoots(PurePosixPath(folder)))
        for source, target in (
            (_TONE, _FIRST),
            ({"name": "FileReader", "filePath": _FIRST, "realTime": True}, _SECOND),
        ):
            work = PipeWork()
            work.prepare(_description(source, target), context)
            work.start(clock.now())
            work.advance(_TICKS)
            work.progress()
            work.close()


def _description(source: dict[str, Any], target: str) -> dict[str, Any]:
    chain = [{"name": "WAVDest"}, {"name": "FileWriter", "filePath": target}]
    return {
        "pipeSpec": {
            "inputGraph": [{"name": "In", "filter": [source]}],
            "mixer": {"outputLevel": [{"graph": "Out", "level": 1.0}]},
            "outputGraph": [{"name": "Out", "filter": chain}],
        }
    }
