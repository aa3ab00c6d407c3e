"""Peak and RMS per channel since last asked."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from jobengine.media.gain import Samples

FLOOR_DBFS = -150.0
_WIDTH = 256
_GATHERED = 8_192
"""Samples that are gathered before they are looked at: to look at a live block costs as much as at many."""


@dataclass(frozen=True, slots=True)
class ChannelLevel:
    """dB of full scale; silence is ``FLOOR_DBFS``. A full-scale sine has an RMS of -3.01."""

    peak_dbfs: float
    rms_dbfs: float


class Meter:
    """Holds blocks until it looks at them. Rows are folded so that numpy runs over long lines, not over two
    channels at a time."""

    def __init__(self, channels: int, block_samples: int) -> None:
        self._channels = channels
        self._fold = max(1, _WIDTH // channels)
        self._held = np.empty((max(block_samples, _GATHERED), channels), np.float32)
        self._gathered = 0
        self._reset()

    def room(self, samples: int) -> Samples:
        """Where the next block goes, of at most ``block_samples``. Blocks before it may be written over."""
        if self._gathered + samples > len(self._held):
            self._look()
        return self._held[self._gathered : self._gathered + samples]

    def add(self, samples: int) -> None:
        """Take so many samples into account, which have been put where `room` told."""
        self._gathered += samples

    def take(self) -> tuple[ChannelLevel, ...]:
        """The levels since the last call. No block is valid behind it."""
        self._look()
        mean = self._sum / max(self._count, 1)
        pairs = zip(self._peak, mean, strict=True)
        levels = tuple(ChannelLevel(_dbfs(float(peak)), _dbfs(float(power))) for peak, power in pairs)
        self._reset()
        return levels

    def _look(self) -> None:
        squares = self._held[: self._gathered]
        np.multiply(squares, squares, out=squares)
        whole = self._gathered // self._fold * self._fold
        if whole:
            lines = squares[:whole].reshape(-1, self._fold * self._channels)
            self._take(lines.max(axis=0).reshape(self._fold, -1), lines.sum(axis=0).reshape(self._fold, -1))
        if whole < self._gathered:
            self._take(squares[whole:], squares[whole:])
        self._count += self._gathered
        self._gathered = 0

    def _take(self, peaks: Samples, sums: Samples) -> None:
        np.maximum(self._peak, peaks.max(axis=0), out=self._peak)
        self._sum += sums.sum(axis=0, dtype=np.float64)

    def _reset(self) -> None:
        self._peak = np.zeros(self._channels, np.float32)
        self._sum = np.zeros(self._channels, np.float64)
        self._count = 0


def _dbfs(power: float) -> float:
    return round(max(10 * math.log10(power), FLOOR_DBFS), 2) if power > 0 else FLOOR_DBFS
