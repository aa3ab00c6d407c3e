"""Having the disk begin with what was written without waiting: it works while the rest is made ready."""

from __future__ import annotations

import ctypes
from typing import Any, Final

_BEGIN: Final = 2
"""SYNC_FILE_RANGE_WRITE of Linux."""


def _find() -> Any:
    call = getattr(ctypes.CDLL(None), "sync_file_range", None)
    if call is not None:
        call.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    return call


_SYNC_FILE_RANGE: Final = _find()


def begin_writing(file: int, offset: int, length: int) -> None:
    """Ask for pages of an open file to be written. Other threads of Python run meanwhile.

    Makes nothing durable: only `os.fdatasync` does, and tells what failed. Does nothing where the C library
    has no such call.
    """
    if _SYNC_FILE_RANGE is not None:
        _SYNC_FILE_RANGE(file, offset, length, _BEGIN)
