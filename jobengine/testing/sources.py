"""Sound files whose every sample is known."""

from __future__ import annotations

import math
import wave
from pathlib import Path

import numpy as np

_FULL_SCALE = 2**23 - 1


def write_ramp(path: Path, samples: int, sample_rate: int = 48_000, channels: int = 1) -> Path:
    """A 24-bit WAV file in which the value of every sample is its own index, modulo 2**23.

    What was cut where can be read off the result. Raises OSError.
    """
    return _write(path, np.arange(samples, dtype=np.int64) % 2**23, sample_rate, channels)


def write_tone(
    path: Path,
    duration_s: float,
    frequency_hz: float = 1000.0,
    level_dbfs: float = -18.0,
    sample_rate: int = 48_000,
) -> Path:
    """A 24-bit mono WAV file with a sine of this peak level. Raises OSError."""
    phase = 2 * math.pi * frequency_hz / sample_rate * np.arange(round(duration_s * sample_rate))
    values = np.rint(np.sin(phase) * 10 ** (level_dbfs / 20) * _FULL_SCALE).astype(np.int64)
    return _write(path, values, sample_rate, 1)


def _write(path: Path, values: np.ndarray, sample_rate: int, channels: int) -> Path:
    frames = np.repeat(values.astype("<i4"), channels)
    packed = frames.view(np.uint8).reshape(-1, 4)[:, :3]
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(3)
        file.setframerate(sample_rate)
        file.writeframes(packed.tobytes())
    return path
