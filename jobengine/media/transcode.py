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
from av.error import EOFError as EndOfFile
from av.error import FFmpegError
from av.packet import Packet

from jobengine.errors import MediaError
from jobengine.media.codec_setup import make_packet, open_decoder, parameters_of, time_base_of
from jobengine.media.layout import default_layout, is_placed
from jobengine.media.media_element import MediaElement
from jobengine.media.raw_frames import audio_frame_of, video_frame_of
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
_JITTER_S = Fraction(1, 50)
_MOST_SILENCE_S = 3600
_OPUS_RATE_HZ = 48_000


class Decoding:
    """Frames of elements: packets decoded, raw frames as they are. Damaged packets are passed over."""

    def __init__(self, document: Mapping[str, Json], is_raw: bool) -> None:
        self._decoder: Any = None if is_raw else open_decoder(document)
        self._kind = parameters_of(document).get("codec_type")
        self._base = time_base_of(document)
        self.damaged_packets = 0

    def take(self, item: MediaElement) -> Sequence[Any]:
        """The frames that an element completes."""
        if self._decoder is not None:
            return self._decode(make_packet(item, self._base))
        return (video_frame_of(item) if self._kind == "video" else audio_frame_of(item),)

    def finish(self) -> Sequence[Any]:
        """The frames that the decoder still holds."""
        return self._decode(None) if self._decoder is not None else ()

    def _decode(self, packet: Packet[Any] | None) -> Sequence[Any]:
        try:
            return list(self._decoder.decode(packet))
        except EndOfFile:
            return ()
        except FFmpegError:
            self.damaged_packets += 1
            return ()


class EncodedPictures:
    """A stream of pictures, encoded anew."""

    def __init__(
        self, container: OutputContainer, document: Mapping[str, Json], window: Window | None, is_raw: bool
    ) -> None:
        parameters = parameters_of(document)
        self._base = time_base_of(document)
        self._decoding = Decoding(document, is_raw)
        self._first = window.first_in(self._base) if window else None
        self._end = window.end_in(self._base) if window else None
        width, height = int(parameters.get("width", 0)), int(parameters.get("height", 0))
        if width < 2 or height < 2:
            raise MediaError(f"stream {document.get('index', 0)} does not tell the size of its pictures")
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
        self, container: OutputContainer, document: Mapping[str, Json], window: Window | None, is_raw: bool
    ) -> None:
        parameters = parameters_of(document)
        self._base = time_base_of(document)
        self._decoding = Decoding(document, is_raw)
        encoder = _sound_encoder(container.format.name, parameters)
        self._rate = int(parameters.get("sample_rate") or 0)
        if encoder == "libopus":
            self._rate = _OPUS_RATE_HZ
        if self._rate <= 0:
            raise MediaError(f"stream {document.get('index', 0)} does not tell its sample_rate")
        self._layout = _layout_of(parameters)
        self._channels = av.AudioLayout(self._layout).nb_channels
        self._stream: Any = container.add_stream(encoder, rate=self._rate)
        context: Any = self._stream.codec_context
        context.layout = self._layout
        if encoder == "aac":
            context.bit_rate = _AAC_BITS_PER_CHANNEL * self._channels
        self._form = _PACKED.get(context.format.name, "flt")
        self._resampler = av.AudioResampler(format=self._form, layout=self._layout, rate=self._rate)
        tick = Fraction(1, self._rate)
        self._first = window.first_in(tick) if window else 0
        self._end = window.end_in(tick) if window else None
        self._is_cut = window is not None
        self._next: int | None = None

    def take(self, item: MediaElement) -> Sequence[Packet[Any]]:
        """The packets that an element completes."""
        return self._encode(self._decoding.take(item))

    def finish(self) -> Sequence[Packet[Any]]:
        """The packets still on their way."""
        last = [*self._encode(self._decoding.finish()), *self._append(self._resampler.resample(None), None)]
        return [*last, *self._stream.encode(None)]

    def _encode(self, frames: Iterable[Any]) -> list[Packet[Any]]:
        packets: list[Packet[Any]] = []
        for frame in frames:
            place = None if frame.pts is None else round(frame.pts * self._base * self._rate)
            frame.pts = None
            packets += self._append(self._resampler.resample(frame), place)
        return packets

    def _append(self, frames: Iterable[av.AudioFrame], place: int | None) -> list[Packet[Any]]:
        packets: list[Packet[Any]] = []
        for frame in frames:
            if self._next is None:
                self._next = self._begin_at(place or 0)
            if place is not None and abs(place - self._next) > self._rate * _JITTER_S:
                packets += self._jump(place)
            samples = np.frombuffer(memoryview(frame.planes[0]), self._kind)
            packets += self._write(samples[: frame.samples * self._channels])
            place = None
        return packets

    def _begin_at(self, place: int) -> int:
        """The first sample; a window whose sound begins late is silent until then."""
        return min(place, self._first) if self._is_cut else place

    def _jump(self, place: int) -> list[Packet[Any]]:
        """Silence up to ``place``; a step back is an overlap, which goes on seamlessly."""
        missing = place - (self._next or 0)
        if missing > _MOST_SILENCE_S * self._rate:
            raise MediaError(f"a hole of {missing / self._rate:.0f} s in the sound is too long to be filled")
        packets: list[Packet[Any]] = []
        while missing > 0:
            count = min(missing, self._rate)
            packets += self._write(np.zeros(count * self._channels, self._kind))
            missing -= count
        return packets

    def _write(self, samples: Any) -> list[Packet[Any]]:
        begin = self._next or 0
        count = len(samples) // self._channels
        self._next = begin + count
        skip = max(self._first - begin, 0) if self._is_cut else 0
        stop = count if self._end is None else min(count, self._end - begin)
        if skip >= stop:
            return []
        part = samples[skip * self._channels : stop * self._channels].reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(part), format=self._form, layout=self._layout)
        frame.sample_rate = self._rate
        frame.pts = begin + skip - self._first
        frame.time_base = Fraction(1, self._rate)
        return list(self._stream.encode(frame))

    @property
    def _kind(self) -> Any:
        return {"s16": np.int16, "s32": np.int32, "flt": np.float32}[self._form]


def _sound_encoder(container: str, parameters: Mapping[str, Json]) -> str:
    name, form = str(parameters.get("name") or ""), parameters.get("format")
    if container != "wav":
        return ENCODED[container, "audio"]
    if name in ("pcm_f32le", "pcm_s32le", "pcm_s24le", "pcm_s16le"):
        return name
    return "pcm_s24le" if form in _WIDE else "pcm_s16le"


def _layout_of(parameters: Mapping[str, Json]) -> str:
    channels = int(parameters.get("channels") or 2)
    said = str(parameters.get("channel_layout") or "")
    return said if said and is_placed(said) else default_layout(channels)
