"""Files as targets. Encoders by filter are in ``ENCODERS``: a further one is one writer class in one file
and one function here.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from jobengine.errors import MediaError
from jobengine.media.bext import Bext, originator_reference, samples_since_midnight
from jobengine.media.flac import FlacForm, FlacWriter
from jobengine.media.layout import wave_mask
from jobengine.media.places import create_file, find_target
from jobengine.media.target import Opened, SinkForm, Writer
from jobengine.media.wav import WavWriter
from jobengine.media.wav_header import WavForm
from jobengine.model.filters.file_writer import FileWriter
from jobengine.model.filters.filter import Filter
from jobengine.model.filters.flac_dest import FlacDest
from jobengine.model.filters.wav_dest import OriginatorReference, WavDest
from jobengine.model.placeholder import fill_start_time
from jobengine.model.roots import MediaRoots


class FileTarget:
    """A file, made at the first Running and never over another one."""

    def __init__(self, encoder: Filter, writer: FileWriter, roots: MediaRoots) -> None:
        self._encoder, self._path, self._roots = encoder, writer.file_path or "", roots
        find_target(roots, self._path)
        if type(encoder) not in ENCODERS:
            raise MediaError(f"{encoder.name} can't write a file")

    def open(self, form: SinkForm, at: datetime, position: int) -> Opened:
        descriptor, path = create_file(self._roots, fill_start_time(self._path, at))
        writer = ENCODERS[type(self._encoder)](self._encoder, form, descriptor, path, at)
        return Opened(writer, "file", str(path), None)


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
