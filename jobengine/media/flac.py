"""Writes FLAC through FFmpeg: 16 or 24 bit, lossless. The length is set when the file is closed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.error import FFmpegError

from jobengine.errors import MediaError
from jobengine.media.failure import sink_failure
from jobengine.media.gain import Samples
from jobengine.media.quantise import Quantiser


@dataclass(frozen=True, slots=True)
class FlacForm:
    """What the file shall be; ``layout`` is FFmpeg's name of the channel layout."""

    sample_rate: int
    channels: int
    resolution_bit: int
    layout: str
    title: str = ""
    compression_level: int = 5
    block_samples: int = 16_384


class FlacWriter:
    """Writes float blocks to a file that it owns from now on. Not thread-safe; writes block on the disk."""

    def __init__(self, descriptor: int, path: Path, form: FlacForm) -> None:
        self.samples = 0
        self._path, self._form = path, form
        self._quantiser = Quantiser(form.resolution_bit, form.channels, form.block_samples)
        self._file = _WholeFile(descriptor)
        self._container = av.open(self._file, mode="w", format="flac")
        if form.title:
            self._container.metadata["title"] = form.title
        self._stream: AudioStream = self._container.add_stream(
            "flac", rate=form.sample_rate, layout=form.layout
        )
        self._stream.codec_context.format = av.AudioFormat(self._sample_format)
        self._stream.codec_context.options = {"compression_level": str(form.compression_level)}
        self._is_closed = False

    def write(self, block: Samples) -> None:
        """Append a block. Raises DiskFull or MediaError."""
        integers = self._quantiser.integers(block)
        if self._form.resolution_bit == 24:
            np.left_shift(integers, 8, out=integers)
        packed = integers.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(packed, format=self._sample_format, layout=self._form.layout)
        frame.sample_rate, frame.pts = self._form.sample_rate, self.samples
        try:
            self._container.mux(self._stream.encode(frame))
        except (OSError, FFmpegError) as error:
            raise self._failure(error) from error
        self.samples += len(block)

    def close(self) -> None:
        """Write what the encoder holds, set the length, wait for the disk. Raises DiskFull or MediaError."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            self._container.mux(self._stream.encode(None))
            self._container.close()
            os.fsync(self._file.descriptor)
        except (OSError, FFmpegError) as error:
            raise self._failure(error) from error
        finally:
            self._file.close()

    def _failure(self, error: Exception) -> MediaError:
        cause = self._file.failure or (error if isinstance(error, OSError) else OSError(str(error)))
        return sink_failure(str(self._path), cause, self.samples)

    @property
    def _sample_format(self) -> str:
        return "s16" if self._form.resolution_bit == 16 else "s32"


class _WholeFile:
    """What FFmpeg writes through: all or an error, and the error is kept, as FFmpeg loses it."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.failure: OSError | None = None
        self._place = 0

    def write(self, data: bytes) -> int:
        written = 0
        while written < len(data):
            try:
                written += os.pwrite(self.descriptor, data[written:], self._place + written)
            except OSError as error:
                self.failure = self.failure or error
                raise
        self._place += written
        return written

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = (0, self._place, os.fstat(self.descriptor).st_size)[whence]
        self._place = start + offset
        return self._place

    def tell(self) -> int:
        return self._place

    def close(self) -> None:
        os.close(self.descriptor)
