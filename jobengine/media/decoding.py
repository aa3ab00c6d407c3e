"""From elements to frames: packets are decoded, raw frames are what they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from av.error import EOFError as EndOfFile
from av.error import FFmpegError
from av.packet import Packet

from jobengine.media.codec_setup import make_packet, open_decoder, parameters_of, time_base_of
from jobengine.media.media_element import MediaElement
from jobengine.media.raw_frames import audio_frame_of, video_frame_of
from jobengine.model.element import ElementKind

Json = Any


class Decoding:
    """The frames of one stream. Damaged packets are passed over and counted; one thread."""

    def __init__(self, document: Mapping[str, Json]) -> None:
        self._document = document
        self._is_video = parameters_of(document).get("codec_type") == "video"
        self._base = time_base_of(document)
        self._decoder: Any = None
        self.damaged_packets = 0

    def take(self, item: MediaElement) -> Sequence[Any]:
        """The frames that an element completes. Raises MediaError if nothing can decode it."""
        if item.element.kind is ElementKind.FRAME:
            return (video_frame_of(item) if self._is_video else audio_frame_of(item),)
        if self._decoder is None:
            self._decoder = open_decoder(self._document)
        return self._decode(make_packet(item, self._base))

    def finish(self) -> Sequence[Any]:
        """The frames that the decoder still holds; a later element begins anew."""
        if self._decoder is None:
            return ()
        frames = self._decode(None)
        self._decoder.flush_buffers()
        return frames

    def _decode(self, packet: Packet[Any] | None) -> Sequence[Any]:
        try:
            return list(self._decoder.decode(packet))
        except EndOfFile:
            return ()
        except FFmpegError:
            self.damaged_packets += 1
            return ()
