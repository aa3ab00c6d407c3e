"""Segments mapped into memory for readers, who get what they ask for without a copy.

Young segments are read as they are mapped: they were written or looked at lately, so they are in memory. Of
old ones the stretch that is asked for is brought in first, since a page fault within Python's memcpy would
keep all threads waiting for the disk, and a disk that fails would end the process instead of one look-up.

Which payloads of an old segment were checked is known as long as it stays mapped and whatever is read of it
is found in memory. Once a stretch had to be read from the disk, nothing of its segment counts as checked.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from weakref import WeakValueDictionary

import numpy as np

from jobengine.contents.embedded.options import EmbeddedOptions
from jobengine.errors import UnavailableError

_POPULATE_READ: Final = 22
"""MADV_POPULATE_READ, of Linux since 5.14."""
_NO_SUCH_ADVICE: Final = (errno.EINVAL, errno.ENOSYS)
_IN_MEMORY: Final = b"\1"
"""What `mincore` says of a page that is there; its further bits are reserved."""
_OLD_KEPT: Final = 2
"""So many old segments stay mapped though nobody holds anything of them."""


def _find(name: str, *arguments: Any) -> ctypes._NamedFuncPointer:
    call: ctypes._NamedFuncPointer = getattr(ctypes.CDLL(None, use_errno=True), name)
    call.argtypes = arguments
    return call


_madvise: Final = _find("madvise", ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
_mincore: Final = _find("mincore", ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)


class SegmentMaps:
    """The maps of one store. Safe to share between threads."""

    def __init__(self, path: Callable[[int], Path], options: EmbeddedOptions) -> None:
        """``path``: where a segment is."""
        self.path = path
        self._hot_segments = options.hot_segments
        self._lock = threading.Lock()
        self._maps: WeakValueDictionary[int, mmap.mmap] = WeakValueDictionary()
        self._kept: dict[int, mmap.mmap] = {}
        self._checked: dict[int, set[int]] = {}
        self._newest = 0

    def note(self, number: int) -> None:
        """There is a segment of this number."""
        self._newest = max(self._newest, number)

    def is_young(self, number: int) -> bool:
        """Whether it is one of the newest segments that this process knows of."""
        self._newest = max(self._newest, number)
        return number > self._newest - self._hot_segments

    def mapped(self, number: int, end: int) -> mmap.mmap:
        """A segment up to an offset at least.

        Raises FileNotFoundError once it is removed, UnavailableError if the file is shorter, OSError.
        """
        mapped = self._kept.get(number)
        return self._map(number, end) if mapped is None or end > len(mapped) else mapped

    def bring_in(self, number: int, mapped: mmap.mmap, start: int, end: int) -> None:
        """Have a stretch of an old segment in memory. Blocks for the disk while other threads of Python run.

        Raises OSError if the disk can't be read.
        """
        if not bring_in(mapped, start, end):
            self.checked(number).clear()

    def checked(self, number: int) -> set[int]:
        """Offsets of payloads that were checked since they came into memory; who checks one adds it."""
        return self._checked.get(number, set())

    def forget(self, number: int) -> None:
        """Let one go; views of it stay valid."""
        with self._lock:
            self._let_go(number)
            self._maps.pop(number, None)

    def close(self) -> None:
        """Let all go."""
        with self._lock:
            self._kept.clear()
            self._checked.clear()
            self._maps.clear()

    def _map(self, number: int, end: int) -> mmap.mmap:
        with self._lock:
            mapped = self._maps.get(number)
            if mapped is None or end > len(mapped):
                file = os.open(self.path(number), os.O_RDONLY | os.O_CLOEXEC)
                try:
                    if end > (size := os.fstat(file).st_size):
                        raise UnavailableError(f"segment {number} ends at {size}, wanted is {end}")
                    mapped = self._maps[number] = mmap.mmap(file, 0, access=mmap.ACCESS_READ)
                finally:
                    os.close(file)
            self._kept.pop(number, None)
            self._kept[number] = mapped
            self._checked.setdefault(number, set())
            # Others may have removed files; their space is free when nobody holds them.
            for each in [each for each in self._kept if not self.path(each).exists()]:
                self._let_go(each)
            for each in [each for each in self._kept if not self.is_young(each)][:-_OLD_KEPT]:
                self._let_go(each)
            return mapped

    def _let_go(self, number: int) -> None:
        self._kept.pop(number, None)
        self._checked.pop(number, None)


def bring_in(mapped: mmap.mmap, start: int, end: int) -> bool:
    """Have a stretch of a file in memory; whether it was there. Blocks for the disk, without Python's lock.

    Raises OSError if the disk can't be read. Systems that are too old to tell only begin to read.
    """
    start -= start % mmap.PAGESIZE
    address, length = _address(mapped) + start, end - start
    if _is_in_memory(address, length):
        return True
    _madvise(address, length, mmap.MADV_WILLNEED)
    if _madvise(address, length, _POPULATE_READ):
        fault = ctypes.get_errno()
        if fault not in _NO_SUCH_ADVICE:
            raise OSError(errno.EIO, f"a segment can't be read ({os.strerror(fault)})")
    return False


def _is_in_memory(address: int, length: int) -> bool:
    """Whether the system has all pages of a mapped stretch; asking takes a tenth of bringing them in."""
    count = -(-length // mmap.PAGESIZE)
    pages = ctypes.create_string_buffer(count)
    return _mincore(address, length, pages) == 0 and pages.raw.count(_IN_MEMORY) == count


def _address(mapped: mmap.mmap) -> int:
    return int(np.frombuffer(mapped, np.uint8).__array_interface__["data"][0])
