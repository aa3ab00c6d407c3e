"""The waveform (``levl``) chunk of EBU Tech 3285 supplement 3: highest and lowest sample of every 256.

The standard's form 2 is used for every resolution: unsigned 16 bit, in units of 16-bit samples. Values wait
in a nameless file once they are many, so a day's recording needs no more memory than a minute's.
"""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jobengine.media.quantise import Integers

FRAMES_PER_VALUE = 256
_GATHERED = 32 * FRAMES_PER_VALUE
"""Frames that are gathered before they are looked at: to look at a live block costs as much as at many."""
_MEMORY_BYTES = 1 << 18
_COPY_BYTES = 1 << 16
_HEADER = struct.Struct("<4sIIIIIIIII28s60s")
_UNKNOWN = 0xFFFFFFFF


class PeakCollector:
    """Takes every block that is written; `chunks` then gives the finished chunk. Close it."""

    def __init__(
        self, channels: int, resolution_bit: int, block_frames: int, start: datetime, folder: Path
    ) -> None:
        self._channels, self._shift, self._start = channels, max(resolution_bit - 16, 0), start
        self._values = tempfile.SpooledTemporaryFile(  # noqa: SIM115 - closed by `close`
            max_size=_MEMORY_BYTES, dir=str(folder)
        )
        sample = np.int16 if resolution_bit == 16 else np.int32
        self._gathered = np.empty((max(_GATHERED, block_frames + FRAMES_PER_VALUE), channels), sample)
        self._waiting = 0
        self._frames = 0

    @property
    def size_bytes(self) -> int:
        """The whole chunk with its header."""
        return _HEADER.size + 4 * self._channels * self._count

    def room(self, frames: int) -> Integers:
        """Where the next block of right-aligned integers goes, of at most ``block_frames``.

        Blocks before it may be written over. Raises OSError if values find no space.
        """
        if self._waiting + frames > len(self._gathered):
            self._look()
        return self._gathered[self._waiting : self._waiting + frames]

    def add(self, frames: int) -> None:
        """Take so many frames into account, which have been put where `room` told."""
        self._waiting += frames
        self._frames += frames

    def chunks(self) -> Iterator[bytes]:
        """The chunk in parts: its header, then the values. Nothing may be added afterwards. Raises OSError if
        values find no space."""
        self._look()
        if self._waiting:
            rest = self._gathered[: self._waiting]
            self._emit(rest.max(axis=0, keepdims=True), rest.min(axis=0, keepdims=True))
        stamp = self._start.strftime("%Y:%m:%d:%H:%M:%S:") + f"{self._start.microsecond // 1000:03d}"
        size = self.size_bytes
        header = _HEADER.pack(
            b"levl", size - 8, 1, 2, 2, FRAMES_PER_VALUE, self._channels, self._count, _UNKNOWN, _HEADER.size,
            stamp.encode(), b"",
        )  # fmt: skip
        self._values.seek(0)
        yield header
        yield from iter(lambda: self._values.read(_COPY_BYTES), b"")

    def close(self) -> None:
        """Drop the values."""
        self._values.close()

    @property
    def _count(self) -> int:
        """How many values there will be, the last one perhaps of fewer frames."""
        return -(-self._frames // FRAMES_PER_VALUE)

    def _look(self) -> None:
        """Write the whole values of what was gathered; what is left of it goes to the beginning."""
        whole = self._waiting // FRAMES_PER_VALUE * FRAMES_PER_VALUE
        if whole:
            columns = np.ascontiguousarray(self._gathered[:whole].T)
            lines = columns.reshape(self._channels, -1, FRAMES_PER_VALUE)
            self._emit(lines.max(axis=2).T, lines.min(axis=2).T)
        rest = self._waiting - whole
        self._gathered[:rest] = self._gathered[whole : self._waiting]
        self._waiting = rest

    def _emit(self, high: NDArray[np.generic], low: NDArray[np.generic]) -> None:
        pairs = np.empty((*high.shape, 2), np.int32)
        pairs[..., 0], pairs[..., 1] = high, low
        pairs >>= self._shift
        pairs[..., 1] *= -1
        np.maximum(pairs, 0, out=pairs)
        self._values.write(pairs.astype("<u2").tobytes())
