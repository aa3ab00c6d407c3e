"""Test signals: ROAD's waveforms, computed here, and generators of libavfilter."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from itertools import chain

import av
import numpy as np
from av.error import EOFError as EndOfFile
from av.error import FFmpegError

from jobengine.errors import MediaError
from jobengine.media.failure import source_failure
from jobengine.media.frames import FrameFeed
from jobengine.media.gain import Samples
from jobengine.media.layout import default_layout, places_of
from jobengine.media.source import Source, SourceContext
from jobengine.model.filters.synthesizer import AudioSynthesizer, Waveform, split_generator

_RATE_HZ = 48_000
_FREQUENCY_HZ = 440.0
_AMPLITUDE_PERCENT = 50.0
_MAX_PERIOD_SAMPLES = 192_000


def open_synthesizer(synthesizer: AudioSynthesizer, context: SourceContext) -> Source:
    """The waveform or the generator that the filter asks for. Raises MediaError."""
    return GeneratorSource(synthesizer) if synthesizer.source is not None else WaveformSource(synthesizer)


class WaveformSource:
    """A sine or a rectangle, the same on all channels. Sample n depends on n only: it can begin anywhere."""

    is_finite = False
    has_ended = False
    damaged_packets = 0
    holes: Sequence[tuple[float, float]] = ()

    def __init__(self, synthesizer: AudioSynthesizer) -> None:
        wanted = synthesizer.format
        self.is_live = synthesizer.real_time is not False
        self.channels = (wanted.channels if wanted else None) or 2
        self.layout = default_layout(self.channels)
        self.native_rate = (wanted.sample_rate if wanted else None) or _RATE_HZ
        self._waveform = synthesizer.waveform or Waveform()

    def configure(self, rate: int, position: int) -> None:
        self._rate, self._position = rate, position
        self._frequency_hz = self._waveform.frequency or _FREQUENCY_HZ
        percent = self._waveform.amplitude
        self._amplitude = (_AMPLITUDE_PERCENT if percent is None else percent) / 100
        period = rate // math.gcd(rate, int(self._frequency_hz)) if self._frequency_hz.is_integer() else 0
        self._table = self._compute(np.arange(period)) if 0 < period <= _MAX_PERIOD_SAMPLES else None

    def ready(self, samples: int) -> int:
        return samples

    def read(self, into: Samples) -> int:
        places = np.arange(self._position, self._position + len(into))
        wave = self._compute(places) if self._table is None else self._table[places % len(self._table)]
        into[:] = wave[:, np.newaxis]
        self._position += len(into)
        return len(into)

    def discard(self, samples: int) -> None:
        self._position += samples if self.is_live else 0

    def close(self) -> None:
        """Nothing is held."""

    def _compute(self, places: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Samples:
        turns = places * self._frequency_hz / self._rate
        if self._waveform.form == "Sine":
            return (self._amplitude * np.sin(2 * np.pi * (turns % 1.0))).astype(np.float32)
        return np.where(turns % 1.0 < 0.5, self._amplitude, -self._amplitude).astype(np.float32)


class GeneratorSource:
    """One generator of libavfilter, not paced here. It may end by its own ``duration``."""

    is_finite = False
    damaged_packets = 0
    holes: Sequence[tuple[float, float]] = ()

    def __init__(self, synthesizer: AudioSynthesizer) -> None:
        self._name = synthesizer.source or ""
        self.is_live = synthesizer.real_time is not False
        self.has_ended = False
        self._frames = self._generate()
        try:
            first = next(self._frames, None)
        except (FFmpegError, OSError, ValueError) as error:
            raise source_failure(f"the generator {self._name!r}", error) from error
        if first is None:
            raise MediaError(f"the generator {self._name!r} gives no sound")
        self._first = first
        self.channels = first.layout.nb_channels
        self._raw_layout = first.layout.name
        self.layout = places_of(self._raw_layout)
        self.native_rate = first.sample_rate

    def configure(self, rate: int, position: int) -> None:
        frames = chain([self._first], self._frames)
        self._feed = FrameFeed(frames, self.channels, self._raw_layout, self.native_rate, rate)
        if not self.is_live:
            self._feed.drop(position)

    def ready(self, samples: int) -> int:
        return samples

    def read(self, into: Samples) -> int:
        try:
            count = self._feed.read(into)
        except (FFmpegError, OSError, ValueError) as error:
            raise source_failure(f"the generator {self._name!r}", error) from error
        self.has_ended = count < len(into)
        return count

    def discard(self, samples: int) -> None:
        if self.is_live:
            self._feed.drop(samples)

    def close(self) -> None:
        self._frames.close()

    def _generate(self) -> Generator[av.AudioFrame]:
        """The name and options go in by themselves: nothing parses them as a graph."""
        name, options = split_generator(self._name)
        graph = av.filter.Graph()
        generator, sink = graph.add(name, options or None), graph.add("abuffersink")
        generator.link_to(sink)
        graph.configure()
        while True:
            try:
                frame = sink.pull()
            except EndOfFile:
                return
            if isinstance(frame, av.AudioFrame):
                yield frame
