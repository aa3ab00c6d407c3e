"""Writes Broadcast WAVE files whose header is right after every block, not only at the end.

RIFF becomes RF64 (EBU Tech 3306) when 32-bit sizes end: space for ``ds64`` is reserved as ``JUNK``. The
whole header is written again after each block in one call, so a reader at any time, also after the
process was killed, sees whole frames only. Reading and repair are in ``riff``.
"""

from __future__ import annotations

import contextlib
import os
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jobengine.errors import MediaError
from jobengine.media.bext import Bext
from jobengine.media.failure import sink_failure
from jobengine.media.gain import Samples
from jobengine.media.peaks import PeakCollector
from jobengine.media.quantise import Integers, Quantiser

RIFF_LIMIT_BYTES = 0xFFFFFFFF
_IN_DS64 = 0xFFFFFFFF
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")


@dataclass(frozen=True, slots=True)
class WavForm:
    """What the file shall be. ``limit_bytes`` is where RIFF ends; only tests lower it."""

    sample_rate: int
    channels: int
    resolution_bit: int
    bext: Bext
    channel_mask: int = 0
    rf64: bool = True
    levl: bool = True
    block_samples: int = 16_384
    limit_bytes: int = RIFF_LIMIT_BYTES

    @property
    def frame_bytes(self) -> int:
        return self.channels * self.resolution_bit // 8


class WavWriter:
    """Writes float blocks to a file that it owns from now on. Not thread-safe; writes block on the disk."""

    def __init__(self, descriptor: int, path: Path, form: WavForm) -> None:
        self.samples = 0
        self._descriptor, self._path, self._form = descriptor, path, form
        integer_bit = 16 if form.resolution_bit == 32 else form.resolution_bit
        self._quantiser = Quantiser(integer_bit, form.channels, form.block_samples)
        self._packed = np.empty((form.block_samples * form.channels, 3), np.uint8)
        self._peaks = (
            PeakCollector(form.channels, integer_bit, form.bext.start, path.parent) if form.levl else None
        )
        self._fixed = _fixed_chunks(form)
        self._frame_bytes = form.frame_bytes
        self._data_start = 12 + 36 + len(self._fixed) + 8
        self._is_closed = False
        self._tail_bytes = 0
        try:
            self._write_header()
        except OSError as error:
            self._drop()
            raise sink_failure(str(path), error, 0) from error

    def write(self, block: Samples) -> None:
        """Append a block. Raises DiskFull or MediaError; the file then is whole and readable."""
        integers = self._quantiser.integers(block) if self._needs_integers else None
        data = self._bytes(block, integers)
        self._check_limit(len(data))
        try:
            if self._peaks and integers is not None:
                self._peaks.add(integers)
            self._append(data)
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
    def _needs_integers(self) -> bool:
        return self._form.resolution_bit != 32 or self._peaks is not None

    @property
    def _data_bytes(self) -> int:
        return self.samples * self._frame_bytes

    def _bytes(self, block: Samples, integers: Integers | None) -> memoryview:
        if integers is None or self._form.resolution_bit == 32:
            return _octets(block, "<f4")
        if self._form.resolution_bit == 16:
            return _octets(integers, "<i2")
        return _octets(_pack_24(integers, self._packed), "u1")

    def _check_limit(self, more_bytes: int) -> None:
        if not self._form.rf64 and self._riff_bytes(more_bytes) > self._form.limit_bytes:
            raise MediaError(
                f"{self._path} reached 4 GB and writeRF64 is false; "
                f"the {self.samples} samples written so far are kept"
            )

    def _riff_bytes(self, more_bytes: int = 0) -> int:
        peaks = self._peaks.size_bytes + 4 * self._form.channels + 1 if self._peaks else 1
        waiting = max(self._tail_bytes, peaks) if not self._is_closed else self._tail_bytes
        return self._data_start - 8 + self._data_bytes + more_bytes + waiting

    def _append(self, data: memoryview) -> None:
        place = self._data_start + self._data_bytes
        written = 0
        while written < len(data):
            written += os.pwrite(self._descriptor, data[written:], place + written)
        self.samples += len(data) // self._frame_bytes
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
        riff_bytes = self._data_start - 8 + self._data_bytes + self._tail_bytes
        is_rf64 = self._form.rf64 and self._riff_bytes() > self._form.limit_bytes
        if is_rf64:
            first = struct.pack("<4sI4s", b"RF64", _IN_DS64, b"WAVE")
            second = struct.pack("<4sIQQQI", b"ds64", 28, riff_bytes, self._data_bytes, self.samples, 0)
        else:
            first = struct.pack("<4sI4s", b"RIFF", riff_bytes, b"WAVE")
            second = struct.pack("<4sI28x", b"JUNK", 28)
        data = struct.pack("<4sI", b"data", _IN_DS64 if is_rf64 else self._data_bytes)
        fixed = self._fixed
        if self._form.resolution_bit == 32:
            fixed = fixed[:-4] + struct.pack("<I", _IN_DS64 if is_rf64 else min(self.samples, _IN_DS64))
        header = first + second + fixed + data
        if os.pwrite(self._descriptor, header, 0) != len(header):
            raise OSError(28, "short write of the header")

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


def _fixed_chunks(form: WavForm) -> bytes:
    """bext, title, fmt and, last and with an open count, fact."""
    body = form.bext.body()
    chunks = struct.pack("<4sI", b"bext", len(body)) + body + _info_chunk(form.bext.description)
    chunks += _format_chunk(form)
    return chunks + struct.pack("<4sII", b"fact", 4, 0) if form.resolution_bit == 32 else chunks


def _info_chunk(title: str) -> bytes:
    text = title.encode() + b"\0"
    text += b"\0" * (len(text) % 2)
    head = struct.pack("<4sI4s4sI", b"LIST", 12 + len(text), b"INFO", b"INAM", len(text))
    return head + text if title else b""


def _format_chunk(form: WavForm) -> bytes:
    tag = _FLOAT if form.resolution_bit == 32 else _PCM
    is_plain = form.channels <= 2 and form.resolution_bit == 16
    rate, frame = form.sample_rate, form.frame_bytes
    common = struct.pack("<HIIHH", form.channels, rate, rate * frame, frame, form.resolution_bit)
    if is_plain:
        return struct.pack("<4sIH", b"fmt ", 16, tag) + common
    extension = struct.pack("<HHIH", 22, form.resolution_bit, form.channel_mask, tag) + _GUID_TAIL
    return struct.pack("<4sIH", b"fmt ", 40, _EXTENSIBLE) + common + extension


def _octets(values: NDArray[np.generic], form: str) -> memoryview:
    plain = np.ascontiguousarray(values, form)
    return plain.data.cast("B")


def _pack_24(integers: Integers, into: NDArray[np.uint8]) -> NDArray[np.uint8]:
    octets = integers.astype("<i4", copy=False).reshape(-1).view(np.uint8).reshape(-1, 4)
    packed = into[: len(octets)]
    for place in range(3):
        np.copyto(packed[:, place], octets[:, place])
    return packed
