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
from functools import cached_property
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
BLOCK_BITS: Final = 12
"""A block is 4 kB, so of payloads that are as long at least each begins in another one."""


def _find(name: str, *arguments: Any) -> ctypes._NamedFuncPointer:
    call: ctypes._NamedFuncPointer = getattr(ctypes.CDLL(None, use_errno=True), name)
    call.argtypes = arguments
    return call


_madvise: Final = _find("madvise", ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
_mincore: Final = _find("mincore", ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)


class SegmentMap(mmap.mmap):
    """One file, and what is known of it while it is mapped."""

    @cached_property
    def address(self) -> int:
        """Where it is in the memory of this process."""
        return int(np.frombuffer(self, np.uint8).__array_interface__["data"][0])

    @cached_property
    def checked(self) -> bytearray:
        """Of each block, whether the payload that begins in it was checked since it came into memory; who
        checks one notes it."""
        return bytearray((len(self) >> BLOCK_BITS) + 1)

    def bring_in(self, start: int, end: int) -> None:
        """Have a stretch in memory. Blocks for the disk while other threads of Python run.

        Raises OSError if the disk can't be read. Systems that are too old to tell only begin to read.
        """
        start -= start % mmap.PAGESIZE
        address, length = self.address + start, end - start
        if _is_in_memory(address, length):
            return
        self.__dict__.pop("checked", None)  # it is made anew
        _madvise(address, length, mmap.MADV_WILLNEED)
        if _madvise(address, length, _POPULATE_READ):
            fault = ctypes.get_errno()
            if fault not in _NO_SUCH_ADVICE:
                raise OSError(errno.EIO, f"a segment can't be read ({os.strerror(fault)})")


class SegmentMaps:
    """The maps of one store. Safe to share between threads."""

    def __init__(self, path: Callable[[int], Path], options: EmbeddedOptions) -> None:
        """``path``: where a segment is."""
        self.path = path
        self._folder = str(path(0).parent)
        self._looked_ns = 0
        self._hot_segments = options.hot_segments
        self._lock = threading.Lock()
        self._maps: WeakValueDictionary[int, SegmentMap] = WeakValueDictionary()
        self._kept: dict[int, SegmentMap] = {}
        self._newest = 0

    def note(self, number: int) -> None:
        """There is a segment of this number."""
        self._newest = max(self._newest, number)

    def is_young(self, number: int) -> bool:
        """Whether it is one of the newest segments that this process knows of."""
        self._newest = max(self._newest, number)
        return number > self._newest - self._hot_segments

    def mapped(self, number: int, end: int) -> SegmentMap:
        """A segment up to an offset at least.

        Raises FileNotFoundError once it is removed, UnavailableError if the file is shorter, OSError.
        """
        mapped = self._kept.get(number)
        return self._map(number, end) if mapped is None or end > len(mapped) else mapped

    def forget(self, number: int) -> None:
        """Let one go; views of it stay valid."""
        with self._lock:
            self._kept.pop(number, None)
            self._maps.pop(number, None)

    def close(self) -> None:
        """Let all go."""
        with self._lock:
            self._kept.clear()
            self._maps.clear()

    def _map(self, number: int, end: int) -> SegmentMap:
        with self._lock:
            mapped = self._maps.get(number)
            if mapped is None or end > len(mapped):
                file = os.open(self.path(number), os.O_RDONLY | os.O_CLOEXEC)
                try:
                    if end > (size := os.fstat(file).st_size):
                        raise UnavailableError(f"segment {number} ends at {size}, wanted is {end}")
                    mapped = self._maps[number] = SegmentMap(file, 0, access=mmap.ACCESS_READ)
                finally:
                    os.close(file)
            self._kept.pop(number, None)
            self._kept[number] = mapped
            self._let_go_of_removed()
            for each in [each for each in self._kept if not self.is_young(each)][:-_OLD_KEPT]:
                del self._kept[each]
            return mapped

    def _let_go_of_removed(self) -> None:
        """Others may have removed files; their space is free when nobody holds them.

        Files are looked for once their folder has changed. Before Linux 6.13 a change right behind a look may
        have its time, and is noticed with the next one.
        """
        changed_ns = os.stat(self._folder).st_mtime_ns
        if changed_ns != self._looked_ns:
            self._looked_ns = changed_ns
            for each in [each for each in self._kept if not self.path(each).exists()]:
                del self._kept[each]


def _is_in_memory(address: int, length: int) -> bool:
    """Whether the system has all pages of a mapped stretch; asking takes a tenth of bringing them in."""
    count = -(-length // mmap.PAGESIZE)
    pages = ctypes.create_string_buffer(count)
    return _mincore(address, length, pages) == 0 and pages.raw.count(_IN_MEMORY) == count
