"""Takes a file apart: any container that FFmpeg reads becomes documents and elements, nothing is decoded.

Packets come out bit by bit as they stand in the file, one at a time, so memory is flat whatever the size.
A damaged file gives what is readable; what is missing is told as `ReadFault`. Networks are not read here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import av
from av import Packet
from av.container import InputContainer
from av.error import EOFError as EndOfFile
from av.error import FFmpegError

from jobengine.media.failure import source_failure
from jobengine.media.file_reader import harmless_formats
from jobengine.media.media_element import MediaElement, write_attributes
from jobengine.media.stream_document import describe_format, describe_stream
from jobengine.model.element import Element, ElementKind

Json = Any
_MAX_FAULTS_IN_A_ROW = 100
_MAX_FAULTS = 1000
_HOLE_BYTES = 65_536
_WITH_HOLES = frozenset({"matroska,webm"})
"""Readers of these pass over damage without a word, to the next place where they can begin."""
_TELLS_LENGTH = frozenset({"matroska,webm", "wav", "flac", "avi", "aiff", "caf", "w64"})
_SHORT_S = 1.0
_PACKETS_BYTES = {"mpegts": (188, 192, 204)}
"""Containers that are a row of packets of one of these sizes, so that a part of one shows that it was cut."""


@dataclass(frozen=True, slots=True)
class ReadFault:
    """Where a file could not be read and why. ``position_bytes``: the last byte known to be good."""

    position_bytes: int
    reason: str


class Demuxer:
    """An opened media file. ``format`` and ``streams`` are its documents, `elements` what stands in it.

    ``faults`` grows while the elements are taken. Use it in a ``with`` statement, from one thread.
    """

    def __init__(self, path: Path) -> None:
        """Open and probe; blocks on the disk. Raises MediaError if nothing is readable."""
        self._name = path.name
        self._container = _open(path)
        self.format: dict[str, Json] = describe_format(self._container)
        self.streams: list[dict[str, Json]] = [describe_stream(s) for s in self._container.streams]
        self.faults: list[ReadFault] = []
        self.position_bytes = 0
        self.size_bytes = path.stat().st_size
        self._counts = [0] * len(self.streams)
        self._end_s = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def elements(self) -> Iterator[MediaElement]:
        """Every packet in the order of the file. The payload is valid as long as it is referenced."""
        in_a_row = 0
        while True:
            try:
                for packet in self._container.demux():
                    in_a_row = 0
                    if not _is_flush(packet):
                        yield self._take(packet)
                break
            except EndOfFile:
                break
            except (FFmpegError, OSError) as error:
                self._note(source_failure(self._name, error).detail)
                in_a_row += 1
                if in_a_row > _MAX_FAULTS_IN_A_ROW:
                    break
        self._check_promises()

    def close(self) -> None:
        """Let the file go; may be called twice."""
        self._container.close()

    def _take(self, packet: Packet[Any]) -> MediaElement:
        index = packet.stream_index
        self._counts[index] += 1
        if packet.pos is not None:
            self._note_hole(packet.pos)
            self.position_bytes = max(self.position_bytes, packet.pos + packet.size)
        if packet.pts is not None and packet.time_base:
            self._end_s = max(self._end_s, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        if packet.is_corrupt:
            self._note(f"packet {self._counts[index]} of stream {index} is damaged or cut short")
        return MediaElement(index, _element_of(packet), (memoryview(packet),))

    def _note(self, reason: str) -> None:
        if len(self.faults) < _MAX_FAULTS:
            self.faults.append(ReadFault(self.position_bytes, reason))

    def _note_hole(self, place: int) -> None:
        missing = place - self.position_bytes
        if self.position_bytes and missing > _HOLE_BYTES and self.format["iformat"] in _WITH_HOLES:
            self._note(f"{missing} bytes of {self._name} hold nothing that could be read")

    def _check_promises(self) -> None:
        """Containers with an index promise a number of packets, others a length, or a size of packets."""
        sizes = _PACKETS_BYTES.get(self.format["iformat"], ())
        if sizes and all(self.size_bytes % size for size in sizes):
            self._note(f"{self._name} ends within a packet of its container: its end is missing")
        promised_s = self.format.get("duration", 0) / 1e6
        if self.format["iformat"] in _TELLS_LENGTH and self._end_s < promised_s - _SHORT_S:
            self._note(f"{self._name} promised {promised_s:.3f} s, {self._end_s:.3f} s could be read")
        for stream, count in zip(self._container.streams, self._counts, strict=True):
            if stream.index_entries and count < len(stream.index_entries):
                promised = len(stream.index_entries)
                self._note(f"stream {stream.index} promised {promised} packets, {count} could be read")


def _open(path: Path) -> InputContainer:
    try:
        options = {"format_whitelist": harmless_formats(), "protocol_whitelist": "file"}
        return av.open(str(path), options=options)
    except (FFmpegError, OSError) as error:
        raise source_failure(str(path), error) from error


def _is_flush(packet: Packet[Any]) -> bool:
    """PyAV ends every stream with an empty packet for its decoder."""
    return packet.size == 0 and packet.dts is None and packet.pts is None and packet.pos is None


def _element_of(packet: Packet[Any]) -> Element:
    flags = {
        "KEY": packet.is_keyframe,
        "CORRUPT": packet.is_corrupt,
        "DISCARD": packet.is_discard,
        "TRUSTED": packet.is_trusted,
        "DISPOSABLE": packet.is_disposable,
    }
    members: dict[str, Json] = {}
    if any(is_set for name, is_set in flags.items() if name != "KEY"):
        members["flags"] = {name: True for name, is_set in flags.items() if is_set}
    if packet.pos is not None:
        members["pos"] = packet.pos
    if packet.pts is None and packet.dts is not None:
        members["pts_from_dts"] = True
    side_data = {data.data_type: bytes(data) for data in packet.iter_sidedata()}
    if side_data:
        members["side_data"] = {"type": "PacketSideData", **side_data}
    return Element(
        kind=ElementKind.PACKET,
        pts=packet.dts if packet.pts is None else packet.pts,
        dts=packet.dts,
        duration=packet.duration or None,
        is_key=packet.is_keyframe,
        plane_sizes=(packet.size,),
        attributes=write_attributes(members),
    )
