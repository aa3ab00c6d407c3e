"""A stretch of a stream of sound in memory: in its place, at any rate, with what is missing as silence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, gcd
from typing import Any

import av
import numpy as np
from av.error import FFmpegError

from jobengine.errors import MediaError
from jobengine.media.decoded_sound import DecodedSound
from jobengine.media.gain import Samples
from jobengine.media.media_element import MediaElement
from jobengine.media.sound_line import SoundLine

Json = Any
_MARGIN_S = Fraction(1, 100)
"""What a resampler sees beside the stretch, so that its filter finds no edge there."""


@dataclass(frozen=True, slots=True)
class SoundSpan:
    """``samples`` of shape (samples, channels) from ``first`` on, counted from time 0 at ``rate`` Hz."""

    rate: int
    first: int
    samples: Samples
    layout: str


def sound_between(
    document: Mapping[str, Json], elements: Iterable[MediaElement], rate: int, first: int, end: int
) -> SoundSpan:
    """The sound from place ``first`` to ``end`` (exclusive) at ``rate`` Hz.

    ``elements`` by rising time from some before the stretch on (decoders need them); none is taken that is
    not needed. Raises MediaError if nothing can decode them.
    """
    sound = DecodedSound(document, "flt")
    if sound.rate == rate:
        return _decoded(sound, elements, first, end)
    begin = Fraction(first, rate) - _MARGIN_S
    stop = Fraction(end, rate) + _MARGIN_S
    # Both rates have a sample at whole multiples of this, so places stay exact.
    tick = Fraction(1, gcd(sound.rate, rate))
    begin, stop = floor(begin / tick) * tick, ceil(stop / tick) * tick
    native = _decoded(sound, elements, int(begin * sound.rate), int(stop * sound.rate))
    return _cut(_resampled(native, rate), first, end)


def _decoded(sound: DecodedSound, elements: Iterable[MediaElement], first: int, end: int) -> SoundSpan:
    line = SoundLine(sound.rate, first, end)
    into = np.zeros((end - first, sound.channels), np.float32)

    def place(blocks: Iterable[tuple[Any, int | None]]) -> None:
        for samples, at in blocks:
            for block in line.put(samples, at):
                behind = (line.position or 0) - first
                into[behind - len(block) : behind] = block

    for item in elements:
        place(sound.take(item))
        if line.is_full:
            break
    else:
        place(sound.finish())
    return SoundSpan(sound.rate, first, into, sound.layout)


def _resampled(native: SoundSpan, rate: int) -> SoundSpan:
    frame = av.AudioFrame.from_ndarray(native.samples.reshape(1, -1), format="flt", layout=native.layout)
    frame.sample_rate = native.rate
    resampler = av.AudioResampler(format="flt", layout=native.layout, rate=rate)
    channels = native.samples.shape[1]
    try:
        made = [*resampler.resample(frame), *resampler.resample(None)]
    except (FFmpegError, ValueError) as error:
        raise MediaError(f"the sound can't be resampled from {native.rate} to {rate} Hz ({error})") from error
    parts = [np.frombuffer(memoryview(p.planes[0]), np.float32)[: p.samples * channels] for p in made]
    samples = np.concatenate(parts).reshape(-1, channels) if parts else native.samples[:0]
    factor = Fraction(rate, native.rate)
    return SoundSpan(rate, int(native.first * factor), samples, native.layout)


def _cut(span: SoundSpan, first: int, end: int) -> SoundSpan:
    part = span.samples[first - span.first : end - span.first]
    missing = end - first - len(part)
    if missing:
        part = np.concatenate([part, np.zeros((missing, part.shape[1]), np.float32)])
    return SoundSpan(span.rate, first, part, span.layout)
