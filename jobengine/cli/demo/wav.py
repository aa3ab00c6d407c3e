"""Reading WAV files back, without any of the code that wrote them: headers and raw frames."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_FROM_DS64 = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class WavFile:
    """What the header says; ``data_start`` and ``data_bytes`` are the samples' place in the file."""

    path: Path
    rate_hz: int
    channels: int
    resolution_bit: int
    data_start: int
    data_bytes: int

    @property
    def frame_bytes(self) -> int:
        return self.channels * self.resolution_bit // 8

    @property
    def frames(self) -> int:
        """Samples per channel."""
        return self.data_bytes // self.frame_bytes

    @property
    def seconds(self) -> float:
        return self.frames / self.rate_hz

    def raw_frames(self) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
        """The frames as rows of bytes."""
        wanted = self.frames * self.frame_bytes
        raw = np.fromfile(self.path, np.uint8, count=wanted, offset=self.data_start)
        return raw.reshape(-1, self.frame_bytes)


def read_wav(path: Path) -> WavFile:
    """The header of a RIFF or RF64 file. Raises ValueError with what is wrong."""
    chunks: dict[bytes, tuple[int, int]] = {}
    with path.open("rb") as file:
        kind, _, form = struct.unpack("<4sI4s", file.read(12))
        if kind not in (b"RIFF", b"RF64") or form != b"WAVE":
            raise ValueError(f"{path} is not a WAV file")
        while len(head := file.read(8)) == 8:
            name, size = struct.unpack("<4sI", head)
            chunks[name] = (file.tell(), size)
            if name == b"data" and size == _FROM_DS64:
                file.seek(chunks[b"ds64"][0] + 8)
                chunks[name] = (chunks[name][0], struct.unpack("<Q", file.read(8))[0])
            file.seek(chunks[name][0] + chunks[name][1] + chunks[name][1] % 2)
        if b"fmt " not in chunks or b"data" not in chunks:
            raise ValueError(f"{path} has no format or no samples")
        file.seek(chunks[b"fmt "][0])
        _, channels, rate_hz, _, _, resolution_bit = struct.unpack("<HHIIHH", file.read(16))
    start, size = chunks[b"data"]
    if start + size > path.stat().st_size:
        raise ValueError(f"{path} is shorter than its header says")
    return WavFile(path, rate_hz, channels, resolution_bit, start, size)


def differing(first: WavFile, second: WavFile) -> tuple[int, int] | None:
    """First and last frame in which two files of one form differ; None if they are equal."""
    common = min(first.frames, second.frames)
    unequal = (first.raw_frames()[:common] != second.raw_frames()[:common]).any(axis=1)
    places = np.flatnonzero(unequal)
    return (int(places[0]), int(places[-1])) if places.size else None
