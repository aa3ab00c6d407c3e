"""From FFmpeg's frames to float blocks: conversion, resampling, cutting."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from jobengine.errors import MediaError
from jobengine.media.gain import Samples

_PACKED: dict[str, tuple[Any, np.float32]] = {
    "s16": (np.int16, np.float32(2**-15)),
    "s32": (np.int32, np.float32(2**-31)),
    "flt": (np.float32, np.float32(1)),
}


class FrameFeed:
    """Reads blocks out of an iterator of frames of one format. Holds one frame at a time."""

    def __init__(
        self, frames: Iterator[av.AudioFrame], channels: int, layout: str, native_rate: int, rate: int
    ) -> None:
        self.failure: Exception | None = None
        self._frames, self._channels, self._layout, self._native_rate = frames, channels, layout, native_rate
        self._is_direct = native_rate == rate
        self._resampler = av.AudioResampler(format="flt", layout=layout, rate=rate)
        self._waiting: list[av.AudioFrame] = []
        self._view: NDArray[Any] = np.empty((0, channels), np.float32)
        self._scale = np.float32(1)
        self._is_flushed = False

    def read(self, into: Samples) -> int:
        """Fill ``into``; fewer samples only at the end or before `failure`, which the next call raises."""
        filled, wanted = 0, len(into)
        while filled < wanted and self._has_view():
            part = self._view[: wanted - filled]
            count = len(part)
            self._view = self._view[count:]
            target = into[filled : filled + count]
            target[:] = part
            target *= self._scale
            filled += count
        if self.failure and not filled and wanted:
            raise self.failure
        return filled

    def drop(self, samples: int) -> int:
        """Pass over samples; returns how many there were."""
        dropped = 0
        while dropped < samples and self._has_view():
            count = min(len(self._view), samples - dropped)
            self._view = self._view[count:]
            dropped += count
        return dropped

    def is_exhausted(self) -> bool:
        """Whether nothing is left; may decode a frame to know."""
        return not self._has_view()

    def frames(self) -> Iterator[av.AudioFrame]:
        """What is left, as packed float frames. What the iterator raises comes through."""
        while self._has_view():
            packed = np.multiply(self._view, self._scale, dtype=np.float32).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=self._layout)
            frame.sample_rate = self._native_rate
            self._view = self._view[:0]
            yield frame
        if self.failure:
            raise self.failure

    def _has_view(self) -> bool:
        if len(self._view):
            return True
        if self.failure:
            return False
        try:
            return self._next()
        except (FFmpegError, OSError, ValueError, MediaError) as error:
            self.failure = error
            return False

    def _next(self) -> bool:
        while not self._waiting:
            if self._is_flushed:
                return False
            frame = next(self._frames, None)
            if frame is not None and self._is_direct and frame.format.name in _PACKED:
                self._waiting = [frame]
            else:
                self._is_flushed = frame is None
                self._waiting = list(self._resampler.resample(frame))
        self._take(self._waiting.pop(0))
        return True

    def _take(self, frame: av.AudioFrame) -> None:
        kind, self._scale = _PACKED[frame.format.name]
        flat = np.frombuffer(memoryview(frame.planes[0]), kind, frame.samples * self._channels)
        self._view = flat.reshape(-1, self._channels)
