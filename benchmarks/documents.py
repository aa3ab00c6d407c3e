"""Job documents and sounds that benchmarks post."""

from __future__ import annotations

import wave
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

Json = dict[str, Any]
Samples = np.ndarray[Any, np.dtype[Any]]


def start(specification: Mapping[str, Any], name: str = "Bench") -> Json:
    """A job that starts at once."""
    trigger = {"type": "Immediate", "requestedProcState": "Start"}
    return {
        "name": name,
        "transitions": [{"trigger": trigger, "jobDescription": {"pipeSpec": dict(specification)}}],
    }


def immediate(requested: str, description: Mapping[str, Any] | None = None) -> Json:
    """A transition to append."""
    made: Json = {"trigger": {"type": "Immediate", "requestedProcState": requested}}
    return made | ({"jobDescription": dict(description)} if description else {})


def source(graph: str, name: str, **members: Any) -> Json:
    """An input graph of the filter ``name``."""
    return {"name": graph, "filter": [{"name": name, **members}]}


def wav(name: str, path: str, **form: Any) -> Json:
    """An output graph that writes a WAV file."""
    chain = [{"name": "WAVDest"}, {"name": "FileWriter", "filePath": path}]
    return {"name": name, "format": form, "filter": chain}


def write_wav(path: Path, frames: Samples, width: int) -> None:
    """``frames`` (whole numbers, channels as columns) as PCM of ``width`` bytes at 48 kHz."""
    packed = frames.astype("<i4").view(np.uint8).reshape(*frames.shape, 4)[..., :width]
    with wave.open(str(path), "wb") as file:
        file.setparams((frames.shape[1], width, 48_000, len(frames), "NONE", ""))
        file.writeframes(packed.tobytes())


def read_wav(path: Path) -> Samples:
    """The samples at the upper end of 32 bit, channels as columns."""
    samples: Samples = soundfile.read(path, dtype="int32", always_2d=True)[0]
    return samples


def noise(seconds: int, seed: int) -> Samples:
    """Stereo 16-bit noise that two of may be added without clipping."""
    return np.random.default_rng(seed).integers(-20_000, 20_000, (seconds * 48_000, 2), np.int32)


def counter(seconds: int) -> Samples:
    """Stereo 24-bit; sample n has the value n, so a lost one is seen."""
    numbers = np.arange(seconds * 48_000, dtype=np.int32)
    return np.column_stack([numbers, numbers])
