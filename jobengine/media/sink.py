"""The end of an output graph: conversion to its format, its meter, its file.

The file is made at the first Running, not before. Encoders by filter are in ``ENCODERS``: a further one
is one writer class in one file and one function here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import av
import numpy as np

from jobengine.errors import MediaError
from jobengine.media.bext import Bext, originator_reference, samples_since_midnight
from jobengine.media.devices import refuse_device
from jobengine.media.flac import FlacForm, FlacWriter
from jobengine.media.gain import Samples
from jobengine.media.layout import wave_mask
from jobengine.media.meter import Meter
from jobengine.media.places import create_file, find_target
from jobengine.media.wav import WavForm, WavWriter
from jobengine.model.filters.devices import Device
from jobengine.model.filters.file_writer import FileWriter
from jobengine.model.filters.filter import Filter
from jobengine.model.filters.flac_dest import FlacDest
from jobengine.model.filters.wav_dest import OriginatorReference, WavDest
from jobengine.model.placeholder import fill_start_time
from jobengine.model.roots import MediaRoots

DEFAULT_RESOLUTION_BIT = 16


class Writer(Protocol):
    """A file being written."""

    samples: int

    def write(self, block: Samples) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class OutputState:
    """A file really written. ``start_position`` is on the stream clock, ``samples`` at the file's rate."""

    graph: str
    kind: str
    path: str
    start_position: int
    start_time: datetime
    samples: int
    sample_rate: int
    closed: bool


@dataclass(frozen=True, slots=True)
class SinkForm:
    """The format of an output and what its header may say."""

    graph: str
    stream_rate: int
    sample_rate: int
    resolution_bit: int
    channels: int
    layout: str
    block_samples: int
    host: str
    country: str


class Sink:
    """One output graph. `open` makes its file; `write` takes blocks at the stream's rate."""

    def __init__(self, form: SinkForm, chain: Sequence[Filter], roots: MediaRoots) -> None:
        self.form = form
        self.meter = Meter(form.channels, form.block_samples)
        self._encoder, self._target = _read_chain(chain, form.host)
        self._roots = roots
        find_target(roots, self._target.file_path or "")
        if type(self._encoder) not in ENCODERS:
            raise MediaError(f"{self._encoder.name} can't write a file")
        self._resampler = _resampler(form) if form.sample_rate != form.stream_rate else None
        self._file: _File | None = None
        self._is_resampling = self._is_closed = False

    def open(self, at: datetime, position: int) -> None:
        """Make the file; ``at`` fills its name and title. Raises DiskFull or MediaError."""
        descriptor, path = create_file(self._roots, fill_start_time(self._target.file_path or "", at))
        writer = ENCODERS[type(self._encoder)](self._encoder, self.form, descriptor, path, at)
        self._file = _File(writer, path, position, at)

    def write(self, block: Samples) -> None:
        """Meter and append a block. Raises DiskFull or MediaError."""
        if self._file is None:
            raise MediaError(f"the output {self.form.graph!r} has no file yet")
        self.meter.add(block)
        if self._resampler is None:
            self._file.writer.write(block)
            return
        self._is_resampling = True
        frame = av.AudioFrame.from_ndarray(block.reshape(1, -1), format="flt", layout=self.form.layout)
        frame.sample_rate = self.form.stream_rate
        self._write_frames(self._file.writer, self._resampler.resample(frame))

    def close(self) -> None:
        """Write what is on its way, finish the file. May be called twice. Raises DiskFull or MediaError."""
        if self._is_closed or self._file is None:
            return
        self._is_closed = True
        try:
            if self._resampler and self._is_resampling:
                self._write_frames(self._file.writer, self._resampler.resample(None))
        finally:
            self._file.writer.close()

    @property
    def state(self) -> OutputState | None:
        """What was written so far; None before the file is made."""
        if self._file is None:
            return None
        return OutputState(
            graph=self.form.graph,
            kind="file",
            path=str(self._file.path),
            start_position=self._file.position,
            start_time=self._file.at,
            samples=self._file.writer.samples,
            sample_rate=self.form.sample_rate,
            closed=self._is_closed,
        )

    def _write_frames(self, writer: Writer, frames: Sequence[av.AudioFrame]) -> None:
        channels, most = self.form.channels, self.form.block_samples
        for frame in frames:
            samples = np.frombuffer(memoryview(frame.planes[0]), np.float32, frame.samples * channels)
            for start in range(0, frame.samples, most):
                writer.write(samples.reshape(-1, channels)[start : start + most])


@dataclass(frozen=True, slots=True)
class _File:
    writer: Writer
    path: Path
    position: int
    at: datetime


def _read_chain(chain: Sequence[Filter], host: str) -> tuple[Filter, FileWriter]:
    last = chain[-1]
    if isinstance(last, Device):
        refuse_device(last, host)
    if not isinstance(last, FileWriter):
        raise MediaError(f"{last.name} can't end an output graph")
    return chain[-2], last


def _resampler(form: SinkForm) -> av.AudioResampler:
    return av.AudioResampler(format="flt", layout=form.layout, rate=form.sample_rate)


def _open_wav(encoder: WavDest, form: SinkForm, descriptor: int, path: Path, at: datetime) -> Writer:
    reference = encoder.originator_ref or OriginatorReference()
    bext = Bext(
        description=fill_start_time(encoder.title or "", at),
        originator=encoder.originator or "jobengine",
        originator_reference=originator_reference(
            reference.country_code or form.country,
            reference.organization_code or "NNN",
            reference.serial_number or form.host,
            at,
        ),
        start=at,
        time_reference=samples_since_midnight(at, form.sample_rate),
    )
    wav = WavForm(
        sample_rate=form.sample_rate,
        channels=form.channels,
        resolution_bit=form.resolution_bit,
        bext=bext,
        channel_mask=wave_mask(form.layout),
        rf64=encoder.write_rf64 is not False,
        levl=encoder.write_levl_chunk is not False,
        block_samples=form.block_samples,
    )
    return WavWriter(descriptor, path, wav)


def _open_flac(encoder: FlacDest, form: SinkForm, descriptor: int, path: Path, at: datetime) -> Writer:
    flac = FlacForm(
        sample_rate=form.sample_rate,
        channels=form.channels,
        resolution_bit=form.resolution_bit,
        layout=form.layout,
        title=fill_start_time(encoder.title or "", at),
        compression_level=5 if encoder.compression_level is None else encoder.compression_level,
        block_samples=form.block_samples,
    )
    return FlacWriter(descriptor, path, flac)


ENCODERS: dict[type[Filter], Callable[[Any, SinkForm, int, Path, datetime], Writer]] = {
    WavDest: _open_wav,
    FlacDest: _open_flac,
}
