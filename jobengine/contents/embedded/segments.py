"""The files of the log: made, written and synced by who holds the index's write transaction, read by all.

Elements are read through `maps`, groups of records by system calls. Files never shrink; one that is removed
stays readable for those who hold a view of it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from jobengine.contents.embedded.maps import SegmentMaps
from jobengine.contents.embedded.options import EmbeddedOptions
from jobengine.contents.embedded.writeback import begin_writing
from jobengine.ports.contents import Buffer

SUFFIX: Final = ".segment"
_FILES_AT_ONCE: Final = 8
"""How many are kept open to be written to; few lifetimes are in use at once."""
_BUFFERS_AT_ONCE: Final = 1024
"""How many `os.pwritev` takes (IOV_MAX of Linux)."""


class Segments:
    """The files of one store, by number. Safe to share between threads."""

    def __init__(self, folder: Path, options: EmbeddedOptions) -> None:
        self._folder = folder
        self._options = options
        self._lock = threading.Lock()
        self._writing: dict[int, int] = {}
        self._allocated: dict[int, int] = {}
        self.maps = SegmentMaps(self.path, options)

    def path(self, number: int) -> Path:
        """Where a segment is."""
        return self._folder / f"{number:012d}{SUFFIX}"

    def numbers(self) -> list[int]:
        """Of all files there are, rising."""
        found = sorted(int(path.stem) for path in self._folder.glob(f"*{SUFFIX}"))
        self.maps.note(found[-1] if found else 0)
        return found

    def create(self, number: int) -> None:
        """A new file to be written to, its name on disk. Raises OSError."""
        self.forget(number)
        file = _new_file(self.path(number))
        with self._lock:
            self._writing[number] = file
            self._allocated[number] = 0
        sync_folder(self._folder)

    def make(self, number: int, size_bytes: int) -> os.stat_result:
        """A new file with all its space on disk, which nobody writes to yet. Raises OSError."""
        file = _new_file(self.path(number))
        try:
            os.posix_fallocate(file, 0, size_bytes)
            os.fsync(file)
            made = os.fstat(file)
        finally:
            os.close(file)
        sync_folder(self._folder)
        return made

    def reserve(self, number: int, end: int) -> None:
        """Take disk space up to an offset, and some beyond. Raises OSError if there is none."""
        file = self._file(number)
        allocated = self._allocated[number]
        if end <= allocated:
            return
        step = self._options.reserve_bytes
        wanted = max(end, min(-(-end // step) * step, self._options.segment_bytes))
        os.posix_fallocate(file, allocated, wanted - allocated)
        self._allocated[number] = wanted

    def write(self, number: int, offset: int, buffers: Sequence[Buffer]) -> None:
        """Write buffers one behind the other. Raises OSError."""
        file = self._file(number)
        for first in range(0, len(buffers), _BUFFERS_AT_ONCE):
            offset = _write_all(file, offset, buffers[first : first + _BUFFERS_AT_ONCE])

    def begin_writing(self, number: int, offset: int, length: int) -> None:
        """Have the disk begin with what was written, without waiting. Raises OSError if there's no file."""
        begin_writing(self._file(number), offset, length)

    def sync(self, number: int) -> None:
        """Return when everything written to it is on disk. Raises OSError, then nothing is known."""
        os.fdatasync(self._file(number))

    def read(self, number: int, offset: int, length: int) -> bytes:
        """Bytes of any segment, read. Fewer where the file ends; raises FileNotFoundError."""
        file = os.open(self.path(number), os.O_RDONLY | os.O_CLOEXEC)
        try:
            # One call nearly always; a buffer of its own would be filled with zeros first.
            data = os.pread(file, length, offset)
            while len(data) < length and (more := os.pread(file, length - len(data), offset + len(data))):
                data += more
        finally:
            os.close(file)
        return data

    def size(self, number: int) -> int:
        """Bytes of the file, with what is reserved."""
        return self.path(number).stat().st_size

    def is_file(self, number: int, file: os.stat_result) -> bool:
        """Whether a segment is still the file that was made."""
        try:
            return os.path.samestat(self.path(number).stat(), file)
        except FileNotFoundError:
            return False

    def remove(self, number: int) -> None:
        """Unlink a file and let it go; views of it stay valid."""
        self.forget(number)
        with suppress(FileNotFoundError):
            self.path(number).unlink()

    def sync_names(self) -> None:
        """Return when files that were made or removed are so on disk. Raises OSError."""
        sync_folder(self._folder)

    def forget(self, number: int) -> None:
        """Close what is open of one file."""
        with self._lock:
            file = self._writing.pop(number, None)
            self._allocated.pop(number, None)
        self.maps.forget(number)
        if file is not None:
            os.close(file)

    def close(self) -> None:
        """Close all."""
        for number in list(self._writing):
            self.forget(number)
        self.maps.close()

    def _file(self, number: int) -> int:
        with self._lock:
            file = self._writing.get(number)
            if file is None:
                file = os.open(self.path(number), os.O_RDWR | os.O_CLOEXEC)
                while len(self._writing) >= _FILES_AT_ONCE:
                    os.close(self._writing.pop(next(iter(self._writing))))
                self._writing[number] = file
                self._allocated[number] = os.fstat(file).st_size
            return file


def _new_file(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to disk. Raises OSError."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _write_all(file: int, offset: int, buffers: Sequence[Buffer]) -> int:
    """Write all of the buffers; where the next byte goes."""
    end = offset + sum(map(len, buffers))
    offset += os.pwritev(file, buffers, offset)
    if offset < end:
        rest = memoryview(b"".join(buffers))
        while offset < end:
            offset += os.pwrite(file, rest[offset - end :], offset)
    return end
