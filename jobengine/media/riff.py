"""Reads the chunks of a WAVE file, and mends the header of one whose writer was killed."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path

from jobengine.errors import MediaError
from jobengine.media.failure import source_failure

UNKNOWN_BYTES = 0xFFFFFFFF
PLAIN_TAGS = frozenset({1, 3, 0xFFFE})


@dataclass(frozen=True, slots=True)
class WaveLayout:
    """Where the sound is. ``declared_bytes`` is what the header promises, None if it does not know."""

    is_rf64: bool
    format_tag: int
    frame_bytes: int
    sample_rate: int
    ds64_place: int | None
    fact_place: int | None
    data_place: int
    declared_bytes: int | None
    file_bytes: int

    @property
    def present_bytes(self) -> int:
        return max(self.file_bytes - self.data_place, 0)

    @property
    def is_truncated(self) -> bool:
        return self.declared_bytes is not None and self.declared_bytes > self.present_bytes


def read_layout(descriptor: int) -> WaveLayout | None:
    """The layout of an open file; None if it is no WAVE file with a format and a data chunk."""
    file_bytes = os.fstat(descriptor).st_size
    head = os.pread(descriptor, 12, 0)
    if len(head) < 12 or head[:4] not in (b"RIFF", b"RF64") or head[8:] != b"WAVE":
        return None
    chunks: dict[bytes, int] = {}
    place, data_size = 12, 0
    while (header := os.pread(descriptor, 8, place)) and len(header) == 8:
        name, size = struct.unpack("<4sI", header)
        chunks.setdefault(name, place + 8)
        if name == b"data":
            data_size = size
            break
        place += 8 + size + size % 2
    if b"data" not in chunks or b"fmt " not in chunks:
        return None
    return _layout(descriptor, chunks, data_size, file_bytes, head[:4] == b"RF64")


def measure_output(path: str | os.PathLike[str]) -> int:
    """Whole sample frames in a WAVE file left by a killed writer; mends its header where that is wrong.

    What is on disk rules. Raises MediaError if the file is no WAVE file or can't be read or mended.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise source_failure(str(path), error) from error
    try:
        layout = read_layout(descriptor)
        if layout is None or not layout.frame_bytes:
            raise MediaError(f"{Path(path)} is not a WAVE file; what it holds can't be measured")
        if _is_finished(descriptor, layout):
            return (layout.declared_bytes or 0) // layout.frame_bytes
        samples = layout.present_bytes // layout.frame_bytes
        _mend(descriptor, layout, samples)
        return samples
    except OSError as error:
        raise source_failure(str(path), error) from error
    finally:
        os.close(descriptor)


def _layout(
    descriptor: int, chunks: dict[bytes, int], size: int, file_bytes: int, is_rf64: bool
) -> WaveLayout:
    tag, _, rate, _, frame_bytes = struct.unpack("<HHIIH", os.pread(descriptor, 14, chunks[b"fmt "]))
    declared: int | None = None if size in (0, UNKNOWN_BYTES) else size
    ds64 = chunks.get(b"ds64") or chunks.get(b"JUNK")
    if is_rf64 and size == UNKNOWN_BYTES and b"ds64" in chunks:
        declared = struct.unpack("<8xQ", os.pread(descriptor, 16, chunks[b"ds64"]))[0]
    fact = chunks.get(b"fact")
    return WaveLayout(is_rf64, tag, frame_bytes, rate, ds64, fact, chunks[b"data"], declared, file_bytes)


def _is_finished(descriptor: int, layout: WaveLayout) -> bool:
    """The header is right: the data ends with the file or with a chunk after it."""
    if layout.declared_bytes is None:
        return layout.present_bytes == 0
    end = layout.data_place + layout.declared_bytes
    if end == layout.file_bytes:
        return True
    return os.pread(descriptor, 4, end + end % 2) in (b"levl", b"LIST")


def _mend(descriptor: int, layout: WaveLayout, samples: int) -> None:
    data_bytes = samples * layout.frame_bytes
    end = layout.data_place + data_bytes
    os.ftruncate(descriptor, end)
    is_rf64 = layout.is_rf64 or end - 8 >= UNKNOWN_BYTES
    if is_rf64:
        if layout.ds64_place is None:
            raise MediaError("the file is larger than 4 GB and has no place for a 64-bit size")
        sizes = struct.pack("<4sIQQQI", b"ds64", 28, end - 8, data_bytes, samples, 0)
        os.pwrite(descriptor, sizes, layout.ds64_place - 8)
    os.pwrite(
        descriptor, struct.pack("<4sI", *((b"RF64", UNKNOWN_BYTES) if is_rf64 else (b"RIFF", end - 8))), 0
    )
    os.pwrite(descriptor, struct.pack("<I", UNKNOWN_BYTES if is_rf64 else data_bytes), layout.data_place - 4)
    if layout.fact_place is not None:
        os.pwrite(descriptor, struct.pack("<I", min(samples, UNKNOWN_BYTES)), layout.fact_place)
    os.fsync(descriptor)
