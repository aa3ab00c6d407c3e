"""Sound on its way to a pipe: blocks of one rate in, blocks of another out."""

from __future__ import annotations

from collections import deque

import av
import numpy as np

from jobengine.media.gain import Samples


class SampleQueue:
    """Holds what was put in and not yet read. One thread."""

    def __init__(self, channels: int, layout: str, from_rate: int, to_rate: int) -> None:
        self._channels, self._layout, self._from_rate = channels, layout, from_rate
        self._resampler = av.AudioResampler("flt", layout, to_rate) if from_rate != to_rate else None
        self._blocks: deque[Samples] = deque()
        self.samples = 0
        """How many samples can be read now."""

    def put(self, block: Samples) -> None:
        """Add samples of shape (samples, channels)."""
        if self._resampler is None:
            self._append(block)
            return
        packed = np.ascontiguousarray(block, np.float32).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=self._layout)
        frame.sample_rate = self._from_rate
        self._convert(self._resampler, frame)

    def finish(self) -> None:
        """Add what the conversion still holds; nothing is put in after that."""
        if self._resampler is not None and self.samples:
            self._convert(self._resampler, None)

    def read(self, into: Samples) -> int:
        """Fill ``into``, as far as there is something."""
        filled = 0
        while filled < len(into) and self._blocks:
            block = self._blocks.popleft()
            count = min(len(block), len(into) - filled)
            into[filled : filled + count] = block[:count]
            if count < len(block):
                self._blocks.appendleft(block[count:])
            filled += count
        self.samples -= filled
        return filled

    def _convert(self, resampler: av.AudioResampler, frame: av.AudioFrame | None) -> None:
        for converted in resampler.resample(frame):
            flat = np.frombuffer(memoryview(converted.planes[0]), np.float32)
            self._append(flat[: converted.samples * self._channels].reshape(-1, self._channels))

    def _append(self, block: Samples) -> None:
        if len(block):
            self._blocks.append(block)
            self.samples += len(block)
