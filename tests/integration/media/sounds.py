"""Sounds made for tests, and pipes over them in one line."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import soundfile

from jobengine.media.pipe import Pipe, PipeContext
from jobengine.model.pipe import PipeSpec, check_pipe
from jobengine.model.roots import MediaRoots

AT = datetime(2026, 12, 1, 11, 0, 0, 250_000, UTC)


def constant(path: Path, samples: int, value: float = 0.5, channels: int = 2, rate: int = 48_000) -> Path:
    """A file in which every sample is ``value``."""
    soundfile.write(path, np.full((samples, channels), value), rate, subtype="FLOAT")
    return path


def counter(path: Path, samples: int, rate: int = 48_000) -> Path:
    """A 24-bit mono file in which every sample is its own index."""
    soundfile.write(path, (np.arange(samples, dtype=np.int32) << 8)[:, np.newaxis], rate, subtype="PCM_24")
    return path


def noise(path: Path, samples: int, channels: int = 2, rate: int = 48_000, subtype: str = "PCM_16") -> Path:
    """White noise at half of full scale, the same for the same name."""
    generator = np.random.default_rng(list(path.name.encode()))
    soundfile.write(path, generator.uniform(-0.5, 0.5, (samples, channels)), rate, subtype=subtype)
    return path


def read(path: str | Path | None) -> np.ndarray[Any, Any]:
    """The file's samples as multiples of 2**-31 of full scale, in the shape (samples, channels).

    ``path``: of an output as well, which must be a file.
    """
    assert path is not None
    values = soundfile.read(path, dtype="float64", always_2d=True)[0]
    samples: np.ndarray[Any, Any] = np.rint(values * 2**31).astype(np.int64)
    return samples


def spec(inputs: Sequence[str], mixer: Any = None, **changes: Any) -> dict[str, Any]:
    """Files into one WAV. ``changes``: format, encoder, file, and members of the first input graph."""
    encoder = changes.pop("encoder", {"name": "WAVDest"})
    sink = {"name": "FileWriter", "filePath": changes.pop("file", "out.wav")}
    form = changes.pop("format", None)
    graphs = [{"name": name, "filter": [{"name": "FileReader", "filePath": name}]} for name in inputs]
    graphs[0] |= changes
    return {
        "inputGraph": graphs,
        "mixer": mixer,
        "outputGraph": [{"name": "Out", "format": form, "filter": [encoder, sink]}],
    }


def prepare(folder: Path, document: dict[str, Any], **context: Any) -> Pipe:
    """A prepared pipe whose media are in ``folder``."""
    roots = MediaRoots(PurePosixPath(folder))
    checked = PipeSpec.model_validate(document)
    assert check_pipe(checked, roots) == []
    return Pipe.prepare(checked, PipeContext(roots, host="studio-1", **context))


def run(pipe: Pipe, block: int = 1 << 20) -> Path:
    """Run to the end of the input and close; the path of the first output."""
    pipe.start(AT)
    while not pipe.at_end:
        pipe.advance(block)
    pipe.close()
    return Path(pipe.outputs[0].path or "")


def mixer(level: float, ramp_ms: int = 0) -> Any:
    """An effective mixer with one output level."""
    return PipeSpec.model_validate(
        {"mixer": {"outputLevel": [{"graph": "Out", "level": level, "rampMs": ramp_ms}]}}
    ).mixer
