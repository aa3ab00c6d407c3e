"""Encodes a stretch of sound as the elements of a stream, on a grid that every stretch shares.

Element n covers the samples from ``n * size - padding`` on, counted from time 0, whatever stretch it was
made in: so stretches that were made apart lie side by side. Encoders lean on what comes before and look at
what comes after; both are encoded along and thrown away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.error import FFmpegError

from jobengine.errors import MediaError
from jobengine.media.codec_setup import parameters_of, time_base_of
from jobengine.media.coded_pictures import Coded
from jobengine.media.encoders import extradata_of, new_encoder
from jobengine.media.gain import Samples
from jobengine.media.layout import default_layout
from jobengine.media.media_element import write_attributes
from jobengine.model.element import Element, ElementKind

Json = Any
BEFORE, BEHIND = 4, 2
"""Elements that are encoded along on either side."""
_SIZE = 1024
_RAW_FORMAT = "fltp"
_PREFERRED = ("fltp", "flt", "s32", "s32p", "s16", "s16p")


@dataclass(frozen=True, slots=True)
class SoundGrid:
    """Where the elements of a stream of sound are. ``size`` and ``padding`` in samples at ``rate`` Hz."""

    rate: int
    size: int
    padding: int
    time_base: Fraction

    def sample(self, number: int) -> int:
        """The first sample of an element."""
        return number * self.size - self.padding

    def pts(self, number: int) -> int:
        """The pts of an element."""
        return round(Fraction(self.sample(number), self.rate) / self.time_base)

    def number(self, pts: int) -> int | None:
        """The element that has exactly this pts; None if there is none."""
        near = round((pts * self.time_base * self.rate + self.padding) / self.size)
        return near if self.pts(near) == pts else None

    def numbers(self, first: Fraction, end: Fraction) -> range:
        """The elements that begin between two moments in seconds, the end exclusive."""
        begin, stop = (-(-(t * self.rate + self.padding) // self.size) for t in (first, end))
        return range(int(begin), int(stop))


class SoundForm:
    """What elements of sound a stream's document asks for: packets of a codec, or raw frames.

    What the document does not say is as in ``like``, the document of the source. Raises MediaError.
    """

    def __init__(self, document: Mapping[str, Json], like: Mapping[str, Json], kind: ElementKind) -> None:
        said, source = parameters_of(document), parameters_of(like)
        self._document, self._kind = document, kind
        self.rate = int(said.get("sample_rate") or source.get("sample_rate") or 0)
        self.channels = _channels(said) or _channels(source)
        if self.rate <= 0 or self.channels <= 0:
            raise MediaError("neither the stream nor its source tells the sample_rate and the channels")
        self.layout = str(said.get("channel_layout") or default_layout(self.channels))
        self.learnt: dict[str, Json] = {
            "sample_rate": self.rate,
            "channels": self.channels,
            "channel_layout": self.layout,
        }
        """What becomes of the sound, for ``codecpar``."""
        size, padding = int(said.get("frame_size") or _SIZE), 0
        if kind is ElementKind.PACKET:
            encoder = self._opened()
            size = encoder.frame_size or size
            self.learnt |= {"format": encoder.format.name, "frame_size": size, **extradata_of(encoder)}
            padding = _padding(encoder, size, self.layout)
        self.grid = SoundGrid(self.rate, size, padding, time_base_of(document))

    def first_sample(self, numbers: range) -> int:
        """The first sample that is needed to make these elements."""
        return (numbers.start - BEFORE) * self.grid.size

    def end_sample(self, numbers: range) -> int:
        """The end, exclusive, of what is needed."""
        return (numbers.stop + BEHIND) * self.grid.size

    def elements(self, numbers: range, samples: Samples) -> list[Coded]:
        """The elements of these numbers; ``samples`` from `first_sample` to `end_sample`."""
        frames = np.ascontiguousarray(samples).reshape(-1, self.grid.size, self.channels)
        if self._kind is ElementKind.FRAME:
            return [self._raw(number, frames[number - numbers.start + BEFORE]) for number in numbers]
        try:
            return self._coded(numbers, frames)
        except (FFmpegError, ValueError) as error:
            raise self._failure(error) from error

    def _coded(self, numbers: range, frames: Any) -> list[Coded]:
        encoder = self._opened()
        packets: list[Any] = []
        for place, block in enumerate(frames):
            packets += encoder.encode(self._frame(block, (numbers.start - BEFORE + place) * self.grid.size))
        packets += encoder.encode(None)
        found: list[Coded] = []
        for packet in packets:
            number, left = divmod(packet.pts + self.grid.padding, self.grid.size)
            if left == 0 and number in numbers:
                found.append(self._element(number, [bytes(packet)], is_key=packet.is_keyframe))
        return found

    def _raw(self, number: int, block: Any) -> Coded:
        form = str(parameters_of(self._document).get("format") or _RAW_FORMAT)
        try:
            made = av.AudioResampler(format=form, layout=self.layout, rate=self.rate).resample(
                self._frame(block, 0)
            )
        except (FFmpegError, ValueError) as error:
            raise self._failure(error) from error
        width = made[0].format.bytes * (1 if made[0].format.is_planar else self.channels)
        planes = [bytes(plane)[: self.grid.size * width] for plane in made[0].planes]
        members = {
            "nb_samples": self.grid.size,
            "sample_rate": self.rate,
            "channels": self.channels,
            "channel_layout": self.layout,
            "format": form,
        }
        return self._element(number, planes, attributes=write_attributes(members))

    def _element(
        self, number: int, planes: list[bytes], is_key: bool = True, attributes: bytes = b""
    ) -> Coded:
        pts = self.grid.pts(number)
        element = Element(
            self._kind,
            pts,
            dts=pts,
            duration=self.grid.pts(number + 1) - pts,
            is_key=is_key,
            plane_sizes=tuple(len(plane) for plane in planes),
            attributes=attributes,
        )
        return element, planes

    def _frame(self, block: Any, pts: int) -> av.AudioFrame:
        frame = av.AudioFrame.from_ndarray(block.reshape(1, -1), format="flt", layout=self.layout)
        frame.sample_rate, frame.pts, frame.time_base = self.rate, pts, Fraction(1, self.rate)
        return frame

    def _opened(self) -> Any:
        said = parameters_of(self._document)
        encoder: Any = new_encoder(self._document)
        formats = [each.name for each in encoder.codec.audio_formats or ()]
        preferred = next((name for name in _PREFERRED if name in formats), "s16")
        encoder.format = said["format"] if said.get("format") in formats else preferred
        encoder.sample_rate, encoder.layout = self.rate, self.layout
        encoder.time_base = Fraction(1, self.rate)
        try:
            encoder.open()
        except (FFmpegError, ValueError) as error:
            raise self._failure(error) from error
        return encoder

    def _failure(self, error: Exception) -> MediaError:
        name = parameters_of(self._document).get("name")
        told = f"{self.channels} channels at {self.rate} Hz"
        return MediaError(f"the sound can't be made as {name} of {told} ({error})")


def _channels(parameters: Mapping[str, Json]) -> int:
    said = parameters.get("channel_layout")
    return int(parameters.get("channels") or (av.AudioLayout(str(said)).nb_channels if said else 0))


def _padding(encoder: Any, size: int, layout: str) -> int:
    """How far an encoder's packets lie before the sound that they were made of, in samples."""
    count = size * av.AudioLayout(layout).nb_channels
    silence = np.zeros((1, count), np.float32)
    for place in range(BEFORE):
        frame = av.AudioFrame.from_ndarray(silence, format="flt", layout=layout)
        frame.sample_rate, frame.pts = encoder.sample_rate, place * size
        frame.time_base = Fraction(1, encoder.sample_rate)
        for packet in encoder.encode(frame):
            return -int(packet.pts)
    packets: Sequence[Any] = encoder.encode(None)
    return -int(packets[0].pts) if packets else 0
