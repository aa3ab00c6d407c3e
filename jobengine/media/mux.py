"""Puts elements together to a media file: copied where the container takes the codec, else encoded anew.

A range begins at its first moment exactly where the container can say so (MP4 and MOV, by an edit list)
and for everything that is encoded anew; other containers begin at the key frame before it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

import av
from av.container import OutputContainer
from av.error import FFmpegError
from av.packet import Packet

from jobengine.errors import MediaError
from jobengine.media.codec_setup import add_copied_stream, make_packet, parameters_of, takes, time_base_of
from jobengine.media.failure import sink_failure
from jobengine.media.media_element import MediaElement
from jobengine.media.transcode import ENCODED, EncodedPictures, EncodedSound
from jobengine.media.window import Window
from jobengine.model.element import ElementKind

Json = Any
CONTAINERS: Mapping[str, str] = {
    "mp4": "mp4",
    "m4a": "ipod",
    "mov": "mov",
    "ts": "mpegts",
    "mkv": "matroska",
    "mka": "matroska",
    "webm": "webm",
    "wav": "wav",
    "flac": "flac",
    "mp3": "mp3",
    "aac": "adts",
    "ogg": "ogg",
    "opus": "opus",
    "aiff": "aiff",
    "avi": "avi",
    "nut": "nut",
}
"""FFmpeg's name of the container by the ending of a file's name."""
_MAX_LATE = 64
_CUTS_EXACTLY = frozenset({"mp4", "mov", "ipod"})
_HOLDS_ONE = frozenset({"wav", "flac", "mp3", "adts", "aiff"})
_OPTIONS: Mapping[str, dict[str, str]] = {"mpegts": {"mpegts_copyts": "1"}, "wav": {"rf64": "auto"}}
_SAYS_ITSELF = frozenset({"major_brand", "minor_version", "compatible_brands", "encoder"})


@dataclass(frozen=True, slots=True)
class Muxed:
    """What became of the streams, by index. ``left_out`` says why. ``is_exact``: a range begins where it
    was asked for; otherwise its pictures begin at the key frame before. Copied pictures may end with a few
    more, which those inside were made from."""

    copied: tuple[int, ...]
    encoded: tuple[int, ...]
    left_out: Mapping[int, str]
    is_exact: bool


class Track(Protocol):
    """One stream on its way into the container."""

    def take(self, item: MediaElement) -> Sequence[Packet[Any]]: ...

    def finish(self) -> Sequence[Packet[Any]]: ...


class CopiedTrack:
    """Packets as they are, moved so that the window begins at 0. ``is_exact``: the container can say that
    sound ends within a packet."""

    def __init__(
        self,
        container: OutputContainer,
        document: Mapping[str, Json],
        window: Window | None,
        is_exact: bool,
    ) -> None:
        self._is_exact = is_exact
        self._stream = add_copied_stream(container, document)
        self._base = time_base_of(document)
        self._shift = round(window.first_s / self._base) if window else 0
        self._end = window.end_in(self._base) if window else None
        self._has_pictures = parameters_of(document).get("codec_type") == "video"
        self._late: list[Packet[Any]] = []

    def take(self, item: MediaElement) -> Sequence[Packet[Any]]:
        if item.element.kind is not ElementKind.PACKET:
            raise MediaError("a stream can't mix packets and raw frames in one file")
        packet = make_packet(item, self._base)
        packet.stream = self._stream
        if packet.pts is not None:
            packet.pts -= self._shift
        if packet.dts is not None:
            packet.dts -= self._shift
        return self._cut(packet)

    def finish(self) -> Sequence[Packet[Any]]:
        return ()

    def _cut(self, packet: Packet[Any]) -> Sequence[Packet[Any]]:
        """What shows beyond the end waits until an earlier picture proves that it is needed."""
        time = packet.dts if packet.pts is None else packet.pts
        if time is None or (self._end is None and not self._shift):
            return (packet,)
        if self._end is not None and time >= self._end - self._shift:
            if len(self._late) < _MAX_LATE and self._has_pictures:
                self._late.append(packet)
            return ()
        if not self._has_pictures and not self._is_heard(packet, time):
            return ()
        late, self._late = self._late, []
        return (*late, packet)

    def _is_heard(self, packet: Packet[Any], time: int) -> bool:
        """Whether sound of it is inside the window; what is beyond its end is taken from the duration."""
        end = time + (packet.duration or 0)
        if self._is_exact and self._end is not None:
            packet.duration = min(end, self._end - self._shift) - time
        return end > 0 or not self._shift


class Muxer:
    """A media file being written. `write` takes elements, `close` ends the file and tells what became of it.

    ``target`` is a new file's path or a seekable binary file; ``container`` FFmpeg's name; ``raw`` the
    indexes of streams whose elements are frames. Streams that can't be put in are left out and told.
    Blocks on the disk. Raises MediaError or DiskFull.
    """

    def __init__(
        self,
        target: Path | IO[bytes],
        container: str,
        streams: Sequence[Mapping[str, Json]],
        window: Window | None = None,
        metadata: Mapping[str, str] | None = None,
        raw: Collection[int] = (),
    ) -> None:
        self._name = str(target) if isinstance(target, Path) else container
        self._form = container
        self._container = _open(target, container)
        self._tracks: dict[int, Track] = {}
        self._copied: list[int] = []
        self._left_out: dict[int, str] = {}
        self._is_exact = True
        self._elements = 0
        with ExitStack() as stack:
            stack.callback(self._container.close)
            for document in streams:
                self._add(document, container, window, raw)
            if not self._tracks:
                raise MediaError(f"nothing can be put into {container}: {'; '.join(self._left_out.values())}")
            said = {key: value for key, value in (metadata or {}).items() if key not in _SAYS_ITSELF}
            self._container.metadata.update(said)
            stack.pop_all()

    def write(self, item: MediaElement) -> None:
        """Add an element; those of streams that are left out are passed over."""
        track = self._tracks.get(item.stream_index)
        if track is None:
            return
        self._mux(track.take(item))

    def close(self) -> Muxed:
        """End the file, which is let go as it is if that fails. Not to be called twice."""
        try:
            self._end()
        except BaseException:
            self.abandon()
            raise
        encoded = tuple(index for index in self._tracks if index not in self._copied)
        return Muxed(tuple(self._copied), encoded, self._left_out, self._is_exact)

    def abandon(self) -> None:
        """Let the file go as it is. Why it is let go is known: that it can't be ended either says no more."""
        with suppress(OSError, FFmpegError):
            self._container.close()

    def _end(self) -> None:
        try:
            for track in self._tracks.values():
                self._mux(track.finish())
            if not self._elements:
                self._container.start_encoding()
            self._container.close()
        except OSError as error:
            raise sink_failure(self._name, error, self._elements) from error

    def _mux(self, packets: Sequence[Packet[Any]]) -> None:
        try:
            for packet in packets:
                self._container.mux_one(packet)
                self._elements += 1
        except OSError as error:
            raise sink_failure(self._name, error, self._elements) from error
        except FFmpegError as error:
            raise MediaError(f"an element can't be put into {self._form} ({error.strerror})") from error

    def _add(
        self, document: Mapping[str, Json], container: str, window: Window | None, raw: Collection[int]
    ) -> None:
        index = int(document.get("index", 0))
        kind = str(parameters_of(document).get("codec_type") or "stream")
        name = str(parameters_of(document).get("name") or "unknown")
        is_cut_sound = container == "wav" and window is not None
        is_exact = container in _CUTS_EXACTLY
        if container in _HOLDS_ONE and self._tracks:
            self._left_out[index] = f"stream {index} ({kind}, {name}): {container} holds one stream"
        elif takes(container, document) and not is_cut_sound and index not in raw:
            self._tracks[index] = CopiedTrack(self._container, document, window, is_exact)
            self._copied.append(index)
            if window is not None and kind == "video" and not is_exact:
                self._is_exact = False
        elif (container, kind) in ENCODED:
            encoded = EncodedPictures if kind == "video" else EncodedSound
            self._tracks[index] = encoded(self._container, document, window)
        else:
            self._left_out[index] = f"stream {index} ({kind}, {name}) has no place in {container}"


def _open(target: Path | IO[bytes], container: str) -> OutputContainer:
    try:
        place: Any = str(target) if isinstance(target, Path) else target
        return av.open(place, "w", format=container, container_options=_OPTIONS.get(container, {}))
    except OSError as error:
        raise sink_failure(str(target), error, 0) from error
    except ValueError as error:
        raise MediaError(f"{container!r} is not a container that can be written here") from error
