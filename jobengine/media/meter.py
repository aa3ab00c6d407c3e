"""Peak and RMS per channel since last asked."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from jobengine.media.gain import Samples

FLOOR_DBFS = -150.0
_FEW_ROWS = 64


@dataclass(frozen=True, slots=True)
class ChannelLevel:
    """dB of full scale; silence is ``FLOOR_DBFS``. A full-scale sine has an RMS of -3.01."""

    peak_dbfs: float
    rms_dbfs: float


class Meter:
    """Sums squares by adding halves of a block to each other: full lines for numpy, whatever the channels."""

    def __init__(self, channels: int, block_samples: int) -> None:
        self._channels = channels
        self._squares = np.empty((block_samples, channels), np.float32)
        self._halves = np.empty(((block_samples + 1) // 2, channels), np.float32)
        self._reset()

    def add(self, block: Samples) -> None:
        """Take a block of at most ``block_samples`` into account."""
        if not len(block):
            return
        squares = np.multiply(block, block, out=self._squares[: len(block)])
        np.maximum(self._peak, _fold(np.maximum, squares, self._halves), out=self._peak)
        self._sum += _fold(np.add, squares, self._halves)
        self._count += len(block)

    def take(self) -> tuple[ChannelLevel, ...]:
        """The levels since the last call."""
        mean = self._sum / max(self._count, 1)
        pairs = zip(self._peak, mean, strict=True)
        levels = tuple(ChannelLevel(_dbfs(float(peak)), _dbfs(float(power))) for peak, power in pairs)
        self._reset()
        return levels

    def _reset(self) -> None:
        self._peak = np.zeros(self._channels, np.float32)
        self._sum = np.zeros(self._channels, np.float64)
        self._count = 0


def _fold(join: np.ufunc, rows: Samples, scratch: Samples) -> Samples:
    """All rows joined into one. ``rows`` are not changed and not empty; ``scratch`` holds half of them."""
    count = len(rows)
    source = rows
    while count > _FEW_ROWS:
        half = count // 2
        join(source[:half], source[half : 2 * half], out=scratch[:half])
        if count % 2:
            join(scratch[:1], source[count - 1 : count], out=scratch[:1])
        source, count = scratch, half
    joined: Samples = join.reduce(source[:count], axis=0)
    return joined


def _dbfs(power: float) -> float:
    return round(max(10 * math.log10(power), FLOOR_DBFS), 2) if power > 0 else FLOOR_DBFS
