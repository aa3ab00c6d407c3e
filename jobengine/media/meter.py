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
    """Sums squares. Rows are folded so that numpy runs over long lines, not over two channels at a time."""

    def __init__(self, channels: int, block_samples: int) -> None:
        self._channels = channels
        self._fold = max(1, _WIDTH // channels)
        self._squares = np.empty((max(block_samples, _GATHERED), channels), np.float32)
        self._gathered = 0
        self._reset()

    def add(self, block: Samples) -> None:
        """Take a block of at most ``block_samples`` into account."""
        begin = self._gathered
        if begin + len(block) > len(self._squares):
            self._look()
            begin = 0
        self._gathered = begin + len(block)
        np.multiply(block, block, out=self._squares[begin : self._gathered])

    def take(self) -> tuple[ChannelLevel, ...]:
        """The levels since the last call."""
        self._look()
        mean = self._sum / max(self._count, 1)
        pairs = zip(self._peak, mean, strict=True)
        levels = tuple(ChannelLevel(_dbfs(float(peak)), _dbfs(float(power))) for peak, power in pairs)
        self._reset()
        return levels

    def _look(self) -> None:
        squares = self._squares[: self._gathered]
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
