"""Makes payloads of elements of blocks of sound: PCM that is cut to length, or packets of an encoder."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple, Protocol

import av
import numpy as np
from av.codec.context import CodecContext
from av.error import FFmpegError

from jobengine.errors import MediaError
from jobengine.media.gain import Samples
from jobengine.media.quantise import Quantiser
from jobengine.media.stream_document import binary
from jobengine.media.target import SinkForm
from jobengine.model.filters.content_writer import ABILITIES, ContentWriter

Json = Any
_ENCODERS = {"flac": "flac", "aac": "aac", "opus": "libopus", "mp3": "libmp3lame"}
_PCM = {16: ("pcm_s16le", "s16"), 24: ("pcm_s24le", "s32"), 32: ("pcm_f32le", "flt")}
_PCM_ELEMENT_S = Fraction(1, 25)
_BITS_PER_CHANNEL = 96_000
_GLOBAL_HEADER = 1 << 22


class Part(NamedTuple):
    """What becomes one element: ``place`` and ``samples`` count from the first sample that was given.

    Encoders may begin before that.
    """

    place: int
    samples: int
    payload: bytes


class BlockEncoder(Protocol):
    """Takes blocks in order; ``parameters`` are those of the stream's document."""

    parameters: dict[str, Json]

    def encode(self, block: Samples) -> list[Part]: ...
    def finish(self) -> list[Part]: ...


def encoder_for(writer: ContentWriter, form: SinkForm) -> BlockEncoder:
    """The encoder that a graph asks for. Raises MediaError for a form that its codec does not hold."""
    codec = writer.codec or "pcm"
    if form.channels > ABILITIES[codec].max_channels:
        raise MediaError(f"{codec} holds {ABILITIES[codec].max_channels} channels, not {form.channels}")
    return _Pcm(form) if codec == "pcm" else _Encoder(_ENCODERS[codec], form, writer.bit_rate)


class _Pcm:
    """Blocks cut into elements of 40 ms of PCM."""

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

    def encode(self, block: Samples) -> list[Part]:
        self._waiting += self._bytes(block)
        element_bytes = self._element_samples * self._frame_bytes
        whole = len(self._waiting) // element_bytes * element_bytes
        parts = [bytes(self._waiting[at : at + element_bytes]) for at in range(0, whole, element_bytes)]
        del self._waiting[:whole]
        return [self._element(part) for part in parts]

    def finish(self) -> list[Part]:
        rest, self._waiting = bytes(self._waiting), bytearray()
        return [self._element(rest)] if rest else []

    def _element(self, payload: bytes) -> Part:
        place, samples = self._place, len(payload) // self._frame_bytes
        self._place += samples
        return Part(place, samples, payload)

    def _bytes(self, block: Samples) -> bytes:
        if self._form.resolution_bit == 32:
            return np.ascontiguousarray(block, "<f4").tobytes()
        integers = self._quantiser.integers(block)
        if self._form.resolution_bit == 16:
            return integers.astype("<i2", copy=False).tobytes()
        return integers.astype("<i4", copy=False).reshape(-1, 1).view("u1")[:, :3].tobytes()


class _Encoder:
    """An encoder of FFmpeg."""

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

    def encode(self, block: Samples) -> list[Part]:
        frame = self._frame(block)
        frame.sample_rate, frame.pts = self._form.sample_rate, self._place
        frame.time_base = Fraction(1, self._form.sample_rate)
        self._place += len(block)
        return self._packets(frame)

    def finish(self) -> list[Part]:
        return self._packets(None)

    def _frame(self, block: Samples) -> av.AudioFrame:
        kind: str = "flt"
        samples: Any = np.ascontiguousarray(block, np.float32)
        if self._quantiser is not None:
            kind = self._context.format.name
            integers = self._quantiser.integers(block)
            samples = integers if self._form.resolution_bit == 16 else np.left_shift(integers, 8)
        return av.AudioFrame.from_ndarray(samples.reshape(1, -1), format=kind, layout=self._form.layout)

    def _packets(self, frame: av.AudioFrame | None) -> list[Part]:
        packets = self._context.encode(frame)
        return [Part(packet.pts or 0, packet.duration or 0, bytes(packet)) for packet in packets]


def _parameters(codec: str, kind: str, form: SinkForm) -> dict[str, Json]:
    return {
        "codec_id": av.Codec(codec, "r").id,
        "name": codec,
        "format": kind,
        "sample_rate": form.sample_rate,
        "channels": form.channels,
        "channel_layout": form.layout,
    }
