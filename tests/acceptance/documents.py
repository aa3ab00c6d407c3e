"""The documents that the stories post, and the files that come of them.

The counter is a test signal whose sample n has the value n in 24 bits: every sample tells its own place, so a
lost, repeated or changed one can't hide. It lasts 174 s.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

Json = dict[str, Any]
RATE_HZ = 48_000
FRAME_BYTES = 3
COUNTER = f"aevalsrc=exprs=n/{2**23}:sample_rate={RATE_HZ}"


def pipe(name: str, *, live: bool = True, source: Json | None = None) -> Json:
    """A description: the counter, or another source, into one mono WAV of 24 bits."""
    counter = {"name": "Audio Synthesizer", "source": COUNTER, "realTime": live}
    return {
        "pipeSpec": {
            "inputGraph": [{"name": "In", "filter": [source or counter]}],
            "mixer": {"outputLevel": [{"graph": "Out", "level": 1.0}]},
            "outputGraph": [
                {
                    "name": "Out",
                    "format": {"sampleRate": RATE_HZ, "resolution": 24, "channels": 1},
                    "filter": [{"name": "WAVDest"}, {"name": "FileWriter", "filePath": name}],
                }
            ],
        }
    }


def level(value: float) -> Json:
    """A description that only changes the level."""
    return {"pipeSpec": {"mixer": {"outputLevel": [{"graph": "Out", "level": value}]}}}


def on(kind: str, requested: str, description: Json | None = None, **trigger: Any) -> Json:
    """A transition."""
    transition: Json = {"trigger": {"type": kind, "requestedProcState": requested, **trigger}}
    return transition | ({"jobDescription": description} if description else {})


def at_once(requested: str, description: Json | None = None) -> Json:
    """An Immediate transition."""
    return on("Immediate", requested, description)


def after(duration_ms: int, requested: str = "None", description: Json | None = None) -> Json:
    """A Duration transition."""
    return on("Duration", requested, description, duration=duration_ms)


def recording(name: str, *behind: Json, live: bool = True, **members: Any) -> Json:
    """A job that records the counter from now on, with transitions behind its start."""
    return {
        "name": name,
        "transitions": [at_once("Start", pipe(f"{name}.wav", live=live)), *behind],
        **members,
    }


def timeline(name: str, *transitions: Json, **members: Any) -> Json:
    """A job without work: states only."""
    return {"name": name, "transitions": list(transitions), **members}


def samples_of(path: str | Path) -> NDArray[np.int64]:
    """The 24-bit values of a mono WAV, read by libsndfile."""
    values, rate = soundfile.read(path, dtype="int32")
    assert rate == RATE_HZ
    return np.asarray(values, np.int64) >> 8


def assert_counts(values: NDArray[np.int64], first: int = 0) -> None:
    """Each sample is the one that follows the one before it, beginning with ``first``."""
    wrong = np.flatnonzero(values != np.arange(first, first + len(values)))
    assert not len(wrong), f"sample {wrong[0]} is {values[wrong[0]]}, one of {len(wrong)} wrong ones"
