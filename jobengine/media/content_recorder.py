"""Records blocks of sound into a stream of a contents store, as PCM or encoded.

Elements go to the store in groups: small ones when the pipe is paced by the clock, so that followers hear
soon; large ones when it runs as fast as it can. A group is durable or it is not there.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.codec.context import CodecContext
from av.error import FFmpegError

from jobengine.errors import MediaError
from jobengine.ids import new_element_id
from jobengine.media.contents_port import Contents, RecordingWanted
from jobengine.media.gain import Samples
from jobengine.media.media_element import Buffer, skipping
from jobengine.media.quantise import Quantiser
from jobengine.media.stream_document import binary
from jobengine.media.target import SinkForm
from jobengine.model.element import Element, ElementKind
from jobengine.model.filters.content_writer import ABILITIES, ContentWriter

Json = Any
_ENCODERS = {"flac": "flac", "aac": "aac", "opus": "libopus", "mp3": "libmp3lame"}
_PCM = {16: ("pcm_s16le", "s16"), 24: ("pcm_s24le", "s32"), 32: ("pcm_f32le", "flt")}
_PCM_ELEMENT_S = Fraction(1, 25)
_LIVE_GROUP_S = Fraction(1, 5)
_GROUP_BYTES = 1 << 20
_BITS_PER_CHANNEL = 96_000
_GLOBAL_HEADER = 1 << 22


class ContentRecorder:
    """A stream being recorded. Not thread-safe; `write` blocks while a group is made durable.

    ``begin`` is the first sample's place on the stream clock, at the rate of the recorded stream.
    """

    def __init__(
        self, writer: ContentWriter, form: SinkForm, contents: Contents, name: str, begin: int
    ) -> None:
        self.samples = 0
        codec = writer.codec or "pcm"
        if form.channels > ABILITIES[codec].max_channels:
            raise MediaError(f"{codec} holds {ABILITIES[codec].max_channels} channels, not {form.channels}")
        self._encoder = _Pcm(form) if codec == "pcm" else _Encoder(_ENCODERS[codec], form, writer.bit_rate)
        document = {
            "type": "Stream",
            "time_base": [1, form.sample_rate],
            "codecpar": {"type": "CodecParameters", "codec_type": "audio", **self._encoder.parameters},
        }
        wanted = RecordingWanted(name, writer.stream, form.graph, form.stream_rate, document)
        self._stream = contents.record(wanted)
        self.url = self._stream.url
        self._group: list[tuple[Element, tuple[Buffer]]] = []
        self._group_bytes = self._group_samples = 0
        self._most_samples = int(form.sample_rate * _LIVE_GROUP_S) if form.is_live else None
        self._first_pts = self._stream.first_pts + begin
        self._is_closed = False

    def write(self, block: Samples) -> None:
        """Append a block. Raises DiskFull or MediaError."""
        self._take(self._encoder.encode(block))
        self.samples += len(block)
        self._group_samples += len(block)
        if self._group_bytes >= _GROUP_BYTES or (
            self._most_samples is not None and self._group_samples >= self._most_samples
        ):
            self._hand_over()

    def close(self) -> None:
        """Write what is on its way and end the stream. Idempotent. Raises DiskFull or MediaError."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            self._take(self._encoder.finish())
            self._hand_over()
        finally:
            self._stream.close()

    def _take(self, packets: Iterable[tuple[int, int, Buffer]]) -> None:
        for place, duration, payload in packets:
            element = Element(
                kind=ElementKind.PACKET,
                pts=self._first_pts + place,
                dts=self._first_pts + place,
                duration=duration,
                is_key=True,
                plane_sizes=(len(payload),),
                attributes=skipping(-place) if place < 0 else b"",
                element_id=new_element_id(),
            )
            self._group.append((element, (payload,)))
            self._group_bytes += len(payload)

    def _hand_over(self) -> None:
        if self._group:
            self._stream.append(self._group)
        self._group, self._group_bytes, self._group_samples = [], 0, 0


class _Pcm:
    """Blocks cut into elements of 40 ms of PCM: place, duration and payload of each."""

    def __init__(self, form: SinkForm) -> None:
        codec, kind = _PCM[form.resolution_bit]
        self.parameters = _parameters(codec, kind, form) | {
            "bits_per_coded_sample": form.resolution_bit,
            "bit_rate": form.sample_rate * form.channels * form.resolution_bit,
        }
        self._form = form
        self._quantiser = Quantiser(min(form.resolution_bit, 24), form.channels, form.block_samples)
        self._waiting = bytearray()
        self._frame_bytes = form.channels * form.resolution_bit // 8
        self._element_samples = int(form.sample_rate * _PCM_ELEMENT_S)
        self._place = 0

    def encode(self, block: Samples) -> Iterable[tuple[int, int, Buffer]]:
        self._waiting += self._bytes(block)
        element_bytes = self._element_samples * self._frame_bytes
        whole = len(self._waiting) // element_bytes * element_bytes
        parts = [bytes(self._waiting[at : at + element_bytes]) for at in range(0, whole, element_bytes)]
        del self._waiting[:whole]
        return [self._element(part) for part in parts]

    def finish(self) -> Iterable[tuple[int, int, Buffer]]:
        rest, self._waiting = bytes(self._waiting), bytearray()
        return [self._element(rest)] if rest else []

    def _element(self, payload: bytes) -> tuple[int, int, Buffer]:
        place, samples = self._place, len(payload) // self._frame_bytes
        self._place += samples
        return place, samples, payload

    def _bytes(self, block: Samples) -> bytes:
        if self._form.resolution_bit == 32:
            return np.ascontiguousarray(block, "<f4").tobytes()
        integers = self._quantiser.integers(block)
        if self._form.resolution_bit == 16:
            return integers.astype("<i2", copy=False).tobytes()
        return integers.astype("<i4", copy=False).reshape(-1, 1).view("u1")[:, :3].tobytes()


class _Encoder:
    """An encoder of FFmpeg: place, duration and payload of each of its packets."""

    def __init__(self, name: str, form: SinkForm, bit_rate: int | None) -> None:
        self._form = form
        self._quantiser: Quantiser | None = None
        context: Any = CodecContext.create(name, "w")
        context.sample_rate, context.layout = form.sample_rate, form.layout
        context.time_base = Fraction(1, form.sample_rate)
        context.format = context.codec.audio_formats[0].name
        context.flags |= _GLOBAL_HEADER
        if name == "flac":
            context.format = "s16" if form.resolution_bit == 16 else "s32"
            self._quantiser = Quantiser(form.resolution_bit, form.channels, form.block_samples)
        else:
            context.bit_rate = bit_rate or _BITS_PER_CHANNEL * form.channels
        try:
            context.open()
        except (FFmpegError, ValueError) as error:
            form_said = f"{form.channels} channels at {form.sample_rate} Hz"
            raise MediaError(f"{name} can't be written with {form_said}") from error
        self._context = context
        self.parameters = _parameters(context.codec.canonical_name, context.format.name, form) | {
            "frame_size": context.frame_size,
            "bit_rate": context.bit_rate or 0,
        }
        if context.extradata:
            self.parameters["extradata"] = binary(context.extradata)
        self._place = 0

    def encode(self, block: Samples) -> Iterable[tuple[int, int, Buffer]]:
        frame = self._frame(block)
        frame.sample_rate, frame.pts = self._form.sample_rate, self._place
        frame.time_base = Fraction(1, self._form.sample_rate)
        self._place += len(block)
        return self._packets(frame)

    def finish(self) -> Iterable[tuple[int, int, Buffer]]:
        return self._packets(None)

    def _frame(self, block: Samples) -> av.AudioFrame:
        kind: str = "flt"
        samples: Any = np.ascontiguousarray(block, np.float32)
        if self._quantiser is not None:
            kind = self._context.format.name
            integers = self._quantiser.integers(block)
            samples = integers if self._form.resolution_bit == 16 else np.left_shift(integers, 8)
        return av.AudioFrame.from_ndarray(samples.reshape(1, -1), format=kind, layout=self._form.layout)

    def _packets(self, frame: av.AudioFrame | None) -> Iterable[tuple[int, int, Buffer]]:
        return [
            (packet.pts or 0, packet.duration or 0, bytes(packet)) for packet in self._context.encode(frame)
        ]


def _parameters(codec: str, kind: str, form: SinkForm) -> dict[str, Json]:
    return {
        "codec_id": av.Codec(codec, "r").id,
        "name": codec,
        "format": kind,
        "sample_rate": form.sample_rate,
        "channels": form.channels,
        "channel_layout": form.layout,
    }
