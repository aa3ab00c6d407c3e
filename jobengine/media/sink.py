"""The end of an output graph: conversion to its format, its meter, its target.

The target is made at the first Running, not before. A further kind of target is one class and one line in
`_read_chain`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import av
import numpy as np

from jobengine.errors import MediaError
from jobengine.media.content_target import ContentTarget
from jobengine.media.contents_port import Contents
from jobengine.media.devices import refuse_device
from jobengine.media.file_target import FileTarget
from jobengine.media.gain import Samples
from jobengine.media.meter import Meter
from jobengine.media.target import Opened, SinkForm, Target, Writer
from jobengine.model.filters.content_writer import ContentWriter
from jobengine.model.filters.devices import Device
from jobengine.model.filters.file_writer import FileWriter
from jobengine.model.filters.filter import Filter
from jobengine.model.roots import MediaRoots

DEFAULT_RESOLUTION_BIT = 16


@dataclass(frozen=True, slots=True)
class OutputState:
    """What was really written. ``start_position`` is on the stream clock, ``samples`` at its own rate."""

    graph: str
    kind: str
    path: str | None
    url: str | None
    start_position: int
    start_time: datetime
    samples: int
    sample_rate: int
    closed: bool


class Sink:
    """One output graph. `open` makes its target; `write` takes blocks at the stream's rate."""

    def __init__(
        self, form: SinkForm, chain: Sequence[Filter], roots: MediaRoots, contents: Contents | None = None
    ) -> None:
        self.form = form
        self.meter = Meter(form.channels, form.block_samples)
        self._target = _read_chain(chain, form.host, roots, contents)
        self._resampler = _resampler(form) if form.sample_rate != form.stream_rate else None
        self._open: _Open | None = None
        self._is_resampling = self._is_closed = False

    def open(self, at: datetime, position: int) -> None:
        """Make the target; ``at`` fills its name and title. Raises DiskFull or MediaError."""
        self._open = _Open(self._target.open(self.form, at, position), position, at)

    def write(self, block: Samples) -> None:
        """Append a block that was put where the meter has room. Raises DiskFull or MediaError."""
        if self._open is None:
            raise MediaError(f"the output {self.form.graph!r} has not been opened")
        self.meter.add(len(block))
        if self._resampler is None:
            self._open.opened.writer.write(block)
            return
        self._is_resampling = True
        frame = av.AudioFrame.from_ndarray(block.reshape(1, -1), format="flt", layout=self.form.layout)
        frame.sample_rate = self.form.stream_rate
        self._write_frames(self._open.opened.writer, self._resampler.resample(frame))

    def close(self) -> None:
        """Write what is on its way, finish the file. May be called twice. Raises DiskFull or MediaError."""
        if self._is_closed or self._open is None:
            return
        self._is_closed = True
        try:
            if self._resampler and self._is_resampling:
                self._write_frames(self._open.opened.writer, self._resampler.resample(None))
        finally:
            self._open.opened.writer.close()

    @property
    def state(self) -> OutputState | None:
        """What was written so far; None before the target is made."""
        if self._open is None:
            return None
        return OutputState(
            graph=self.form.graph,
            kind=self._open.opened.kind,
            path=self._open.opened.path,
            url=self._open.opened.url,
            start_position=self._open.position,
            start_time=self._open.at,
            samples=self._open.opened.writer.samples,
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
class _Open:
    opened: Opened
    position: int
    at: datetime


def _read_chain(chain: Sequence[Filter], host: str, roots: MediaRoots, contents: Contents | None) -> Target:
    last = chain[-1]
    if isinstance(last, Device):
        refuse_device(last, host)
    if isinstance(last, ContentWriter):
        return ContentTarget(last, contents)
    if isinstance(last, FileWriter):
        return FileTarget(chain[-2], last, roots)
    raise MediaError(f"{last.name} can't end an output graph")


def _resampler(form: SinkForm) -> av.AudioResampler:
    return av.AudioResampler(format="flt", layout=form.layout, rate=form.sample_rate)
