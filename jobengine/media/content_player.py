"""Plays a stream of sound out of a contents store, from an exact moment on.

What is gone from the store, or never came, is silence of exactly its length, and told in ``holes``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

import numpy as np

from jobengine.errors import MediaError
from jobengine.media.codec_setup import parameters_of
from jobengine.media.contents_port import StreamWanted
from jobengine.media.decoded_sound import DecodedSound
from jobengine.media.gain import Samples
from jobengine.media.layout import places_of
from jobengine.media.media_element import MediaElement
from jobengine.media.sample_queue import SampleQueue
from jobengine.media.sound_line import SoundLine
from jobengine.media.source import SourceContext
from jobengine.model.filters.content_source import ContentSource


class ContentPlayer:
    """A stream of a content as a source."""

    is_finite = True

    def __init__(self, source: ContentSource, context: SourceContext) -> None:
        if context.contents is None:
            raise MediaError("this service keeps no contents, so none can be played")
        self._name = f"content {source.content!r}"
        self.is_live = bool(source.real_time)
        self.has_ended = False
        self._line: SoundLine | None = None
        wanted = StreamWanted(
            source.content or "", source.stream, source.from_, source.to, bool(source.follow)
        )
        self._stream = context.contents.play(wanted)
        try:
            self._read_form()
        except BaseException:
            self._stream.close()
            raise

    @property
    def damaged_packets(self) -> int:
        """Packets that could not be decoded, and holes."""
        return self._sound.damaged_packets + (self._line.hole_count if self._line else 0)

    @property
    def holes(self) -> Sequence[tuple[float, float]]:
        """Where sound was missing, in seconds of the content's time: from, to."""
        rate = self.native_rate
        return [(hole.begin / rate, hole.end / rate) for hole in (self._line.holes if self._line else ())]

    def configure(self, rate: int, position: int) -> None:
        begin = self._sound.sample_at(self._stream.first_pts)
        begin += round(Fraction(position * self.native_rate, rate))
        end_pts = self._stream.end_pts
        end = None if end_pts is None else self._sound.sample_at(end_pts)
        self._line = SoundLine(self.native_rate, begin, end)
        self._queue = SampleQueue(self.channels, self._sound.layout, self.native_rate, rate)
        self._blocks = self._read_blocks(self._line)
        self._is_finished = False
        self._stream.seek(self._sound.pts_at(begin))

    def ready(self, samples: int) -> int:
        """How many of ``samples`` `read` gives without waiting for more than 100 ms; at the end, all."""
        has_waited = False
        while self._queue.samples < samples and not self._is_finished:
            try:
                block = next(self._blocks)
            except StopIteration:
                self._queue.finish()
                self._is_finished = True
            else:
                if block is not None:
                    self._queue.put(block)
                elif has_waited:
                    return self._queue.samples
                else:
                    self._stream.wait()
                    has_waited = True
        return samples

    def read(self, into: Samples) -> int:
        while self.ready(len(into)) < len(into):
            continue
        count = self._queue.read(into)
        self.has_ended = self._is_finished and count < len(into)
        return count

    def discard(self, samples: int) -> None:
        """A content stands still while the pipe is paused."""

    def close(self) -> None:
        self._stream.close()

    def _read_form(self) -> None:
        document = self._stream.document
        if parameters_of(document).get("codec_type") != "audio":
            raise MediaError(f"stream {document.get('index', 0)} of {self._name} holds no sound")
        self._sound = DecodedSound(document, "flt")
        self.native_rate, self.channels = self._sound.rate, self._sound.channels
        self.layout = places_of(self._sound.layout)

    def _read_blocks(self, line: SoundLine) -> Iterator[Samples | None]:
        """The sound in blocks; None where nothing has arrived yet."""
        while not line.is_full:
            elements = self._stream.read()
            for item in elements:
                yield from self._sound_of(item, line)
            if not elements and self._stream.has_ended:
                break
            if not elements:
                yield None
        yield from self._place(self._sound.finish(), line)
        if self._stream.end_pts is not None:
            end = self._sound.sample_at(self._stream.end_pts)
            yield from line.silence(end, self.channels, np.float32)

    def _sound_of(self, item: MediaElement, line: SoundLine) -> Iterator[Samples]:
        if item.planes:
            yield from self._place(self._sound.take(item), line)
            return
        yield from self._place(self._sound.finish(), line)
        end = self._sound.sample_at((item.element.pts or 0) + (item.element.duration or 0))
        yield from line.silence(end, self.channels, np.float32)

    def _place(self, blocks: Iterable[tuple[Samples, int | None]], line: SoundLine) -> Iterator[Samples]:
        for block, place in blocks:
            yield from line.put(block, place)
