"""Encodes pictures as the packets of a stream: a run that begins with a key packet and needs no other.

The stream's document says how: codec, size, pixels, bit rate. Pictures are not reordered, so the dts of a
packet is its pts; and none depends on later ones, so a run that was broken off goes on the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import av
from av.error import FFmpegError

from jobengine.errors import MediaError
from jobengine.media.codec_setup import parameters_of
from jobengine.media.encoders import extradata_of, new_encoder
from jobengine.media.media_element import Buffer
from jobengine.model.element import Element, ElementKind

Json = Any
Coded = tuple[Element, Sequence[Buffer]]
MAX_SIDE_PIXELS = 16_384
_MOST_BETWEEN_KEYS = 100_000
_RATE = (25, 1)


class CodedPictures:
    """One run. The encoder counts pictures; their times are given with them and need not be even."""

    def __init__(self, document: Mapping[str, Json], rate: Sequence[int] | None = None) -> None:
        self._document = document
        self._rate = Fraction(*(document.get("avg_frame_rate") or rate or _RATE))
        self._encoder: Any = None
        self._times: list[tuple[int, int | None]] = []

    def take(self, frame: av.VideoFrame, pts: int, duration: int | None) -> list[Coded]:
        """The packets that a picture completes; ``pts`` rises. Raises MediaError."""
        try:
            if self._encoder is None:
                self._encoder = self._open(frame)
            encoder = self._encoder
            shown = frame.reformat(encoder.width, encoder.height, encoder.pix_fmt)
            shown.pts, shown.time_base = len(self._times), encoder.time_base
            shown.pict_type = 0
            self._times.append((pts, duration))
            return self._elements(encoder.encode(shown))
        except (FFmpegError, ValueError) as error:
            raise self._failure(error) from error

    def finish(self) -> list[Coded]:
        """The packets still on their way."""
        if self._encoder is None:
            return []
        try:
            return self._elements(self._encoder.encode(None))
        except FFmpegError as error:
            raise self._failure(error) from error

    @property
    def learnt(self) -> dict[str, Json]:
        """What became of the pictures, for ``codecpar``, once there were any."""
        encoder = self._encoder
        if encoder is None:
            return {}
        size = {"width": encoder.width, "height": encoder.height, "format": encoder.pix_fmt}
        return {**size, **extradata_of(encoder)}

    def _open(self, frame: av.VideoFrame) -> Any:
        said = parameters_of(self._document)
        encoder: Any = new_encoder(self._document)
        formats = [each.name for each in encoder.codec.video_formats or ()]
        wanted = said.get("format") or ("yuv420p" if "yuv420p" in formats or not formats else formats[0])
        encoder.width, encoder.height = _size(said, frame, str(wanted))
        encoder.pix_fmt = wanted
        encoder.framerate, encoder.time_base = self._rate, 1 / self._rate
        encoder.gop_size, encoder.max_b_frames = _MOST_BETWEEN_KEYS, 0
        if said.get("sample_aspect_ratio"):
            encoder.sample_aspect_ratio = Fraction(*said["sample_aspect_ratio"])
        return encoder

    def _elements(self, packets: Sequence[Any]) -> list[Coded]:
        found: list[Coded] = []
        for packet in packets:
            pts, duration = self._times[packet.pts]
            data = bytes(packet)
            element = Element(
                ElementKind.PACKET,
                pts,
                dts=pts,
                duration=duration,
                is_key=packet.is_keyframe,
                plane_sizes=(len(data),),
            )
            found.append((element, [data]))
        return found

    def _failure(self, error: Exception) -> MediaError:
        name = parameters_of(self._document).get("name")
        return MediaError(f"the pictures can't be encoded as {name} ({error})")


def _size(said: Mapping[str, Json], frame: av.VideoFrame, form: str) -> tuple[int, int]:
    """As the document says; one side alone keeps the proportions, none keeps the size."""
    width, height = int(said.get("width") or 0), int(said.get("height") or 0)
    even = 2 if form.startswith("yuv420") else 1
    if not width and not height:
        width, height = frame.width // even * even, frame.height // even * even
    elif not width:
        width = max(round(frame.width * height / frame.height / even), 1) * even
    elif not height:
        height = max(round(frame.height * width / frame.width / even), 1) * even
    if max(width, height) > MAX_SIDE_PIXELS:
        raise MediaError(f"a picture of {width} by {height} is too large; {MAX_SIDE_PIXELS} pixels at most")
    return width, height
