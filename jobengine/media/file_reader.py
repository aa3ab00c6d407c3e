"""Reads sound files and URLs through FFmpeg, from an exact sample on, without decoding ahead.

Seeking is used only where it is exact: PCM and FLAC. Everything else is decoded from its beginning and
passed over. Damaged packets are passed over and counted; a source that breaks off gives what is readable
and then fails.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cache
from itertools import chain, islice

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import EOFError as EndOfFile
from av.error import FFmpegError

from jobengine.errors import MediaError
from jobengine.media.failure import source_failure
from jobengine.media.frames import FrameFeed
from jobengine.media.gain import Samples
from jobengine.media.layout import places_of
from jobengine.media.places import find_source
from jobengine.media.riff import PLAIN_TAGS, WaveLayout, read_layout
from jobengine.media.source import SourceContext
from jobengine.model.filters.file_reader import FileReader

_TIMEOUT_S = (10.0, 10.0)
_WAVE_OPTIONS = {"max_size": "65536", "probesize": "4096"}
_REFERRING = frozenset(
    {"concat", "dash", "hls", "image2", "image2pipe", "imf", "lavfi", "rtp", "rtsp", "sap", "sdp"}
    | {"webm_dash_manifest"}
)
_MAX_DAMAGED_IN_A_ROW = 100
_RESAMPLER_MEMORY = 1024


class FileSource:
    """A file or URL. Local files are never opened by what another file says (playlists are refused)."""

    is_finite = True
    damaged_packets = 0
    holes: Sequence[tuple[float, float]] = ()

    def __init__(self, reader: FileReader, context: SourceContext) -> None:
        self.is_live = bool(reader.real_time)
        self.has_ended = False
        self._name = reader.file_path or ""
        self._context = context
        self._place = find_source(context.roots, self._name)
        self._wave = _look_at(self._place, self._name)
        self._container = self._open()
        try:
            self._stream = self._find_stream()
            self._frames = self._decode()
            first = self._first_frame()
        except BaseException:
            self._container.close()
            raise
        self._head: list[av.AudioFrame] = [first]
        self.channels = first.layout.nb_channels
        self._raw_layout = first.layout.name
        self.layout = places_of(self._raw_layout)
        self.native_rate = first.sample_rate
        self._delivered = 0

    def configure(self, rate: int, position: int) -> None:
        self._rate, self._delivered = rate, position
        length_ms = self._context.length_ms
        self._limit = None if length_ms is None else (length_ms * rate + 500) // 1000
        offset = (self._context.offset_ms * self.native_rate + 500) // 1000
        step = math.gcd(rate, self.native_rate)
        in_step, out_step = self.native_rate // step, rate // step
        groups = position // out_step
        if in_step != out_step:
            groups = max(groups - _RESAMPLER_MEMORY // out_step - 1, 0)
        self._feed = self._feed_from(offset + groups * in_step, rate)
        if self._context.offset_ms and not position and self._feed.is_exhausted():
            raise MediaError(f"the startOffset is beyond the end of {self._name}")
        self._feed.drop(position - groups * out_step)

    def ready(self, samples: int) -> int:
        return samples

    def read(self, into: Samples) -> int:
        wanted = len(into) if self._limit is None else max(min(len(into), self._limit - self._delivered), 0)
        try:
            count = self._feed.read(into[:wanted])
        except (FFmpegError, OSError, ValueError) as error:
            broke_off = f"; it broke off at {self._delivered / self._rate:.3f} s"
            raise source_failure(self._name, error, broke_off) from error
        self._delivered += count
        self.has_ended = count < len(into) and (self._feed.failure is None or count == wanted)
        return count

    def discard(self, samples: int) -> None:
        """A file stands still while the pipe is paused."""

    def close(self) -> None:
        self._container.close()

    def _open(self) -> InputContainer:
        is_wave = self._wave is not None and self._wave.format_tag in PLAIN_TAGS
        is_url = "://" in self._place
        options = {"format_whitelist": harmless_formats(), **(_WAVE_OPTIONS if is_wave else {})}
        options["protocol_whitelist"] = "http,https,tcp,tls" if is_url else "file"
        try:
            timeout = _TIMEOUT_S if is_url else None
            return av.open(self._place, format="wav" if is_wave else None, options=options, timeout=timeout)
        except (FFmpegError, OSError) as error:
            raise source_failure(self._name, error) from error

    def _find_stream(self) -> AudioStream:
        if not self._container.streams.audio:
            raise MediaError(f"{self._name} has no sound in it")
        best = self._container.streams.best("audio")
        return best if isinstance(best, AudioStream) else self._container.streams.audio[0]

    def _first_frame(self) -> av.AudioFrame:
        try:
            first = next(self._frames, None)
        except MediaError:
            raise
        except (FFmpegError, OSError) as error:
            raise source_failure(self._name, error) from error
        if first is None:
            raise MediaError(f"{self._name} has no sound that can be decoded: empty, truncated or damaged")
        return first

    def _decode(self) -> Iterator[av.AudioFrame]:
        in_a_row = 0
        last: av.AudioFrame | None = None
        for packet in self._container.demux(self._stream):
            try:
                frames = self._stream.decode(packet)
            except EndOfFile:
                break
            except FFmpegError:
                self.damaged_packets += 1
                in_a_row += 1
                if in_a_row > _MAX_DAMAGED_IN_A_ROW:
                    raise
                continue
            for frame in frames:
                in_a_row = 0
                yield frame
                last = frame
        self._check_length(last)

    def _check_length(self, last: av.AudioFrame | None) -> None:
        """Formats that know their length exactly tell whether something is missing."""
        duration = self._stream.duration
        if not self._is_exact or not duration or last is None:
            return
        end = self._from_pts(last.pts, last.sample_rate) + last.samples
        promised = self._from_pts((self._stream.start_time or 0) + duration, self._stream.rate)
        if end < promised:
            raise MediaError(f"{self._name} is truncated: {promised} samples were promised, {end} came")

    def _feed_from(self, start: int, rate: int) -> FrameFeed:
        """A feed at ``rate`` whose first sample is native sample ``start``."""
        frames, surplus = self._find(start)
        first_rate = self.native_rate if surplus else rate
        feed = FrameFeed(frames, self.channels, self._raw_layout, self.native_rate, first_rate)
        feed.drop(surplus)
        if surplus and rate != self.native_rate:
            return FrameFeed(feed.frames(), self.channels, self._raw_layout, self.native_rate, rate)
        return feed

    def _find(self, start: int) -> tuple[Iterator[av.AudioFrame], int]:
        """The frames from the one that holds native sample ``start``, and how much of it comes before."""
        place = 0
        head = self._head
        if start and self._is_exact:
            head = self._seek(start)
            place = self._from_pts(head[0].pts, self.native_rate) if head else start
        frames = chain(head, self._frames)
        for frame in frames:
            if place + frame.samples > start:
                return chain([frame], frames), start - place
            place += frame.samples
        return iter(()), 0

    def _seek(self, start: int) -> list[av.AudioFrame]:
        try:
            self._container.seek(self._to_pts(start), stream=self._stream)
            self._frames = self._decode()
            return list(islice(self._frames, 1))
        except (FFmpegError, OSError) as error:
            raise source_failure(self._name, error) from error

    @property
    def _is_exact(self) -> bool:
        """Whether seeking and the declared length are exact to the sample."""
        name = self._stream.codec_context.name
        return name.startswith("pcm_") or name == "flac"

    def _samples_per_tick(self, rate: int) -> Fraction:
        base = self._stream.time_base
        return Fraction(base.numerator, base.denominator) * rate if base else Fraction(1)

    def _to_pts(self, sample: int) -> int:
        return (self._stream.start_time or 0) + int(sample / self._samples_per_tick(self.native_rate))

    def _from_pts(self, pts: int | None, rate: int) -> int:
        return round(((pts or 0) - (self._stream.start_time or 0)) * self._samples_per_tick(rate))


def _look_at(place: str, name: str) -> WaveLayout | None:
    """Refuse what is empty or cut short; know the chunks of a WAVE file."""
    if "://" in place:
        return None
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise source_failure(name, error, "" if place == name else f" ({place})") from error
    except OSError as error:
        raise source_failure(name, error) from error
    try:
        if os.fstat(descriptor).st_size == 0:
            raise MediaError(f"{name} is empty")
        wave = read_layout(descriptor)
    except OSError as error:
        raise source_failure(name, error) from error
    finally:
        os.close(descriptor)
    if wave and wave.is_truncated and wave.frame_bytes:
        there = wave.present_bytes // wave.frame_bytes
        promised = (wave.declared_bytes or 0) // wave.frame_bytes
        raise MediaError(f"{name} is truncated: its header promises {promised} samples, {there} are there")
    return wave


@cache
def harmless_formats() -> str:
    """Every demuxer but those that open what a file names."""
    return ",".join(sorted(name for name in av.formats_available if name not in _REFERRING))
