"""Encodes a stream anew where a container does not take it, or where a range must be cut exactly.

Pictures become H.264, sound AAC; in WAV it stays PCM. The window is kept to the picture and to the sample;
holes in the sound become silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.container import OutputContainer
from av.packet import Packet

from jobengine.errors import MediaError
from jobengine.media.codec_setup import parameters_of, time_base_of
from jobengine.media.decoded_sound import DecodedSound
from jobengine.media.decoding import Decoding
from jobengine.media.layout import default_layout, is_placed
from jobengine.media.media_element import MediaElement
from jobengine.media.sound_line import SoundLine
from jobengine.media.window import Window

Json = Any
ENCODED: Mapping[tuple[str, str], str] = {
    **{(container, "video"): "libx264" for container in ("mp4", "mov", "mpegts", "matroska")},
    **{(container, "audio"): "aac" for container in ("mp4", "mov", "ipod", "mpegts", "matroska", "adts")},
    ("wav", "audio"): "pcm_s16le",
    ("flac", "audio"): "flac",
    ("mp3", "audio"): "libmp3lame",
    ("ogg", "audio"): "libopus",
    ("opus", "audio"): "libopus",
    ("webm", "audio"): "libopus",
    ("webm", "video"): "libvpx-vp9",
}
"""The encoder by container and media type."""
_PACKED = {"s16": "s16", "s16p": "s16", "s32": "s32", "s32p": "s32"}
_WIDE = frozenset({"s32", "s32p"})
_H264_OPTIONS = {"preset": "veryfast", "crf": "20"}
_AAC_BITS_PER_CHANNEL = 96_000
_MOST_SILENCE_S = 3600
_OPUS_RATE_HZ = 48_000


class EncodedPictures:
    """A stream of pictures, encoded anew."""

    def __init__(
        self, container: OutputContainer, document: Mapping[str, Json], window: Window | None
    ) -> None:
        parameters = parameters_of(document)
        self._base = time_base_of(document)
        self._decoding = Decoding(document)
        self._first = window.first_in(self._base) if window else None
        self._end = window.end_in(self._base) if window else None
        width, height = int(parameters.get("width", 0)), int(parameters.get("height", 0))
        if width < 2 or height < 2:
            raise MediaError(f"stream {document.get('index', 0)} does not declare the size of its pictures")
        rate = document.get("avg_frame_rate") or (25, 1)
        encoder = ENCODED[container.format.name, "video"]
        options = dict(_H264_OPTIONS) if encoder == "libx264" else {}
        self._stream: Any = container.add_stream(encoder, rate=Fraction(*rate), options=options)
        context: Any = self._stream.codec_context
        context.width, context.height = width & ~1, height & ~1
        context.pix_fmt = "yuv420p"
        context.time_base = self._base

    def take(self, item: MediaElement) -> Sequence[Packet[Any]]:
        """The packets that an element completes."""
        return self._encode(self._decoding.take(item))

    def finish(self) -> Sequence[Packet[Any]]:
        """The packets still on their way."""
        return [*self._encode(self._decoding.finish()), *self._stream.encode(None)]

    def _encode(self, frames: Iterable[Any]) -> Sequence[Packet[Any]]:
        packets: list[Packet[Any]] = []
        for frame in frames:
            if frame.pts is None or (self._first is not None and frame.pts < self._first):
                continue
            if self._end is not None and frame.pts >= self._end:
                continue
            frame.pts -= self._first or 0
            frame.time_base = self._base
            frame.pict_type = 0
            packets += self._stream.encode(frame)
        return packets


class EncodedSound:
    """A stream of sound, encoded anew, without holes."""

    def __init__(
        self, container: OutputContainer, document: Mapping[str, Json], window: Window | None
    ) -> None:
        encoder = _sound_encoder(container.format.name, parameters_of(document))
        stream: Any = container.add_stream(encoder)
        context: Any = stream.codec_context
        self._stream, self._form = stream, _PACKED.get(context.format.name, "flt")
        self._sound = DecodedSound(document, self._form)
        channels = self._sound.channels
        context.layout = self._sound.layout if is_placed(self._sound.layout) else default_layout(channels)
        context.sample_rate = _OPUS_RATE_HZ if encoder == "libopus" else self._sound.rate
        context.time_base = Fraction(1, context.sample_rate)
        if encoder == "aac":
            context.bit_rate = _AAC_BITS_PER_CHANNEL * channels
        self._layout = context.layout.name
        tick = Fraction(1, self._sound.rate)
        self._first = window.first_in(tick) if window else 0
        first, end = (self._first, window.end_in(tick)) if window else (None, None)
        self._line = SoundLine(self._sound.rate, first, end)

    def take(self, item: MediaElement) -> Sequence[Packet[Any]]:
        """The packets that an element completes."""
        return self._encode(self._sound.take(item))

    def finish(self) -> Sequence[Packet[Any]]:
        """The packets still on their way."""
        return [*self._encode(self._sound.finish()), *self._stream.encode(None)]

    def _encode(self, blocks: Iterable[tuple[Any, int | None]]) -> list[Packet[Any]]:
        packets: list[Packet[Any]] = []
        for samples, place in blocks:
            self._check_hole(place)
            for block in self._line.put(samples, place):
                packets += self._write(block, (self._line.position or 0) - len(block))
        return packets

    def _check_hole(self, place: int | None) -> None:
        if place is None or self._line.position is None:
            return
        missing_s = (place - self._line.position) / self._sound.rate
        if missing_s > _MOST_SILENCE_S:
            raise MediaError(f"a hole of {missing_s:.0f} s in the sound is too long to be filled")

    def _write(self, block: Any, place: int) -> list[Packet[Any]]:
        packed = np.ascontiguousarray(block).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(packed, format=self._form, layout=self._layout)
        frame.sample_rate = self._sound.rate
        frame.pts = place - self._first
        frame.time_base = Fraction(1, self._sound.rate)
        return list(self._stream.encode(frame))


def _sound_encoder(container: str, parameters: Mapping[str, Json]) -> str:
    name, form = str(parameters.get("name") or ""), parameters.get("format")
    if container != "wav":
        return ENCODED[container, "audio"]
    if name in ("pcm_f32le", "pcm_s32le", "pcm_s24le", "pcm_s16le"):
        return name
    return "pcm_s24le" if form in _WIDE else "pcm_s16le"
