"""Writes Broadcast WAVE files whose header is right after every block, not only at the end.

The whole header is written again after each block in one call, so a reader at any time, also after the
process was killed, sees whole frames only. What it says is in ``wav_header``, reading and repair in ``riff``.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jobengine.errors import MediaError
from jobengine.media.failure import sink_failure
from jobengine.media.gain import Samples
from jobengine.media.peaks import PeakCollector
from jobengine.media.quantise import Integers, Quantiser
from jobengine.media.wav_header import WavForm, WavHeader

_INT16, _INT32, _FLOAT32 = np.dtype("<i2"), np.dtype("<i4"), np.dtype("<f4")
_AROUND_BYTES = 1 << 16
"""More than what is around the sound, but for a waveform chunk of up to a hundredth of it."""


class WavWriter:
    """Writes float blocks to a file that it owns from now on. Not thread-safe; writes block on the disk."""

    def __init__(self, descriptor: int, path: Path, form: WavForm) -> None:
        self.samples = 0
        self._descriptor, self._path, self._form = descriptor, path, form
        integer_bit = 16 if form.resolution_bit == 32 else form.resolution_bit
        self._quantiser = Quantiser(integer_bit, form.channels, form.block_samples)
        self._packed = np.empty((form.block_samples * form.channels, 3), np.uint8)
        self._peaks = (
            PeakCollector(form.channels, integer_bit, form.block_samples, form.bext.start, path.parent)
            if form.levl
            else None
        )
        self._header = WavHeader(form)
        self._frame_bytes = form.frame_bytes
        self._data_start = self._header.size_bytes
        self._is_closed = False
        self._tail_bytes = 0
        try:
            self._write_header()
        except OSError as error:
            self._drop()
            raise sink_failure(str(path), error, 0) from error

    def write(self, block: Samples) -> None:
        """Append a block. Raises DiskFull or MediaError; the file then is whole and readable."""
        if not self._form.rf64:
            self._check_limit(len(block) * self._frame_bytes)
        try:
            self._append(self._converted(block), len(block))
        except OSError as error:
            self._keep_whole_frames()
            raise sink_failure(str(self._path), error, self.samples) from error

    def close(self) -> None:
        """Append the waveform chunk, set the sizes, wait for the disk. Raises DiskFull or MediaError."""
        if self._is_closed:
            return
        try:
            self._append_tail()
            self._write_header()
            os.fsync(self._descriptor)
        except OSError as error:
            self._tail_bytes = 0
            self._keep_whole_frames()
            raise sink_failure(str(self._path), error, self.samples) from error
        finally:
            self._drop()

    @property
    def _data_bytes(self) -> int:
        return self.samples * self._frame_bytes

    def _converted(self, block: Samples) -> NDArray[Any]:
        """As it stands in the file, after the waveform has taken note of it."""
        resolution = self._form.resolution_bit
        if self._peaks is None and resolution == 32:
            return np.ascontiguousarray(block, _FLOAT32)
        room = self._peaks.room(len(block)) if self._peaks else None
        integers = self._quantiser.integers(block, room)
        if self._peaks:
            self._peaks.add(len(block))
        if resolution == 24:
            return _pack_24(integers, self._packed)
        if resolution == 16:
            return np.ascontiguousarray(integers, _INT16)
        return np.ascontiguousarray(block, _FLOAT32)

    def _check_limit(self, more_bytes: int) -> None:
        if self._riff_bytes(more_bytes) > self._form.limit_bytes:
            raise MediaError(
                f"{self._path} reached 4 GB and writeRF64 is false; "
                f"the {self.samples} samples written so far are kept"
            )

    def _riff_bytes(self, more_bytes: int = 0) -> int:
        peaks = self._peaks.size_bytes + 4 * self._form.channels + 1 if self._peaks else 1
        waiting = max(self._tail_bytes, peaks) if not self._is_closed else self._tail_bytes
        return self._data_start - 8 + self._data_bytes + more_bytes + waiting

    def _append(self, data: NDArray[Any], samples: int) -> None:
        place = self._data_start + self._data_bytes
        written = os.pwrite(self._descriptor, data.data, place)
        while written < data.nbytes:
            written += os.pwrite(self._descriptor, data.data.cast("B")[written:], place + written)
        self.samples += samples
        self._write_header()

    def _append_tail(self) -> None:
        place = self._data_start + self._data_bytes
        parts = [b"\0"] if self._data_bytes % 2 else []
        for part in (*parts, *(self._peaks.chunks() if self._peaks else ())):
            written = 0
            while written < len(part):
                written += os.pwrite(self._descriptor, part[written:], place + self._tail_bytes + written)
            self._tail_bytes += len(part)

    def _write_header(self) -> None:
        data_bytes = self._data_bytes
        riff_bytes = self._data_start - 8 + data_bytes + self._tail_bytes
        header = self._header.octets(self.samples, data_bytes, riff_bytes, self._is_rf64(data_bytes))
        if os.pwrite(self._descriptor, header, 0) != len(header):
            raise OSError(28, "short write of the header")

    def _is_rf64(self, data_bytes: int) -> bool:
        """Far from the limit nobody need reckon exactly."""
        if 2 * data_bytes + self._data_start + _AROUND_BYTES < self._form.limit_bytes:
            return False
        return self._form.rf64 and self._riff_bytes() > self._form.limit_bytes

    def _keep_whole_frames(self) -> None:
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, self._data_start + self._data_bytes)
            self._write_header()
            os.fsync(self._descriptor)

    def _drop(self) -> None:
        self._is_closed = True
        if self._peaks:
            self._peaks.close()
        os.close(self._descriptor)


def _pack_24(integers: Integers, into: NDArray[np.uint8]) -> NDArray[np.uint8]:
    octets = integers.astype(_INT32, copy=False).reshape(-1, 1).view(np.uint8)
    packed = into[: len(octets)]
    for place in range(3):
        packed[:, place] = octets[:, place]
    return packed
