"""The sound of a stream as packed samples in their places; what codecs put around it is cut away.

Encoders put some samples before and after the sound; packets tell how many in their side data. They are
cut here and not by the decoder, which would not move the time of what is left.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import floor
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from jobengine.errors import MediaError
from jobengine.media.codec_setup import parameters_of, time_base_of
from jobengine.media.decoding import Decoding
from jobengine.media.layout import default_layout
from jobengine.media.media_element import MediaElement, skipped_samples
from jobengine.model.element import ElementKind

Json = Any
Block = NDArray[Any]
_KINDS: Mapping[str, Any] = {"s16": np.int16, "s32": np.int32, "flt": np.float32}


class DecodedSound:
    """Decodes one stream to ``form``: ``flt``, ``s16`` or ``s32``. One thread."""

    def __init__(self, document: Mapping[str, Json], form: str) -> None:
        parameters = parameters_of(document)
        said = str(parameters.get("channel_layout") or "")
        self.rate = int(parameters.get("sample_rate") or 0)
        self.channels = int(parameters.get("channels") or (av.AudioLayout(said).nb_channels if said else 0))
        if self.rate <= 0 or self.channels <= 0:
            index = document.get("index", 0)
            raise MediaError(f"stream {index} does not declare the sample_rate and the channels of its sound")
        self.layout = said or default_layout(self.channels)
        self.kind = _KINDS[form]
        self._samples_per_tick = time_base_of(document) * self.rate
        self._decoding = Decoding(document)
        self._packer = av.AudioResampler(form, self.layout, self.rate)
        self._to_skip = 0
        self._ends: dict[int | None, int] = {}

    @property
    def damaged_packets(self) -> int:
        """Packets that could not be decoded."""
        return self._decoding.damaged_packets

    def sample_at(self, pts: int) -> int:
        """The place of a pts on the line of samples."""
        return round(pts * self._samples_per_tick)

    def pts_at(self, sample: int) -> int:
        """The tick at or before a place on the line of samples."""
        return floor(sample / self._samples_per_tick)

    def take(self, item: MediaElement) -> Iterator[tuple[Block, int | None]]:
        """Blocks of shape (samples, channels) that an element completes, each with its place if known."""
        if item.element.kind is ElementKind.PACKET:
            begin, end = skipped_samples(item.element)
            self._to_skip += begin
            if end:
                self._ends[item.element.pts] = end
        yield from self._blocks(self._decoding.take(item))

    def finish(self) -> Iterator[tuple[Block, int | None]]:
        """What the decoder still holds; a later element begins anew."""
        yield from self._blocks(self._decoding.finish())

    def _blocks(self, frames: Sequence[Any]) -> Iterator[tuple[Block, int | None]]:
        for frame in frames:
            place = None if frame.pts is None else self.sample_at(frame.pts)
            end = self._ends.pop(frame.pts, 0)
            for packed in self._packer.resample(frame):
                flat = np.frombuffer(memoryview(packed.planes[0]), self.kind)
                block = flat[: packed.samples * self.channels].reshape(-1, self.channels)
                skipped = min(self._to_skip, len(block))
                self._to_skip -= skipped
                block = block[skipped : max(len(block) - end, skipped)]
                if len(block):
                    yield block, None if place is None else place + skipped
                place = None
