"""The delivery ledger: how far a job's sink has got, noted after every element.

One small file for each job, mapped into memory: noting costs a microsecond, and what was noted survives the
death of the worker and of the service (not of the machine: then the last report tells, less exactly). Two
records take turns, each with a checksum, so one that was torn leaves the one before.
"""

from __future__ import annotations

import mmap
import os
import struct
import zlib
from pathlib import Path

import msgspec

_RECORD = struct.Struct("<QQQQQQIQQQqq16sQ")
_CHECK = struct.Struct("<I")
_SLOT_BYTES = 128
_FILE_BYTES = 2 * _SLOT_BYTES


class Delivered(msgspec.Struct, frozen=True, gc=False):
    """Everything up to here is delivered and safe.

    ``stream`` is the store's number of what is read, ``kind`` the kind of elements that are sent,
    ``sequence`` what to go on with, ``first_sequence`` where the present loop began, ``goal`` tells the
    anchor and offset that led there. ``elements``, ``key_elements``, ``position`` (microseconds of media) and
    ``last_id`` are the stream clock there. ``timestamp`` is that of the last element as it is stored, in
    ticks, and ``shift`` how far it was moved.
    """

    stream: int
    kind: int
    sequence: int
    first_sequence: int
    loop: int
    goal: int
    elements: int
    key_elements: int
    position: int
    timestamp: int
    shift: int
    last_id: bytes


class Ledger:
    """Owns its file while open. ``last`` is the last note, with the ``mark`` of the sink
    (`jobengine.ports.sink.Sink.mark`). Raises OSError if the disk has no room for it at the opening."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            os.posix_fallocate(fd, 0, _FILE_BYTES)
            self._map = mmap.mmap(fd, _FILE_BYTES)
        finally:
            os.close(fd)
        self._turn = 0
        self.last, self.mark = self._read()

    def note(self, delivered: Delivered, mark: int) -> None:
        """Everything up to here is safe, and the sink stands at ``mark``."""
        self._turn += 1
        record = _RECORD.pack(self._turn, *msgspec.structs.astuple(delivered), mark)
        place = _SLOT_BYTES * (self._turn & 1)
        self._map[place : place + len(record) + _CHECK.size] = record + _CHECK.pack(zlib.crc32(record))
        self.last, self.mark = delivered, mark

    def close(self) -> None:
        """Let go; the file stays. Idempotent."""
        self._map.close()

    def _read(self) -> tuple[Delivered | None, int]:
        whole = [found for found in map(self._slot, (0, 1)) if found is not None]
        if not whole:
            return None, 0
        self._turn, last, mark = max(whole, key=lambda slot: slot[0])
        return last, mark

    def _slot(self, number: int) -> tuple[int, Delivered, int] | None:
        place = _SLOT_BYTES * number
        record = self._map[place : place + _RECORD.size]
        (check,) = _CHECK.unpack(self._map[place + _RECORD.size : place + _RECORD.size + _CHECK.size])
        turn, *members, mark = _RECORD.unpack(record)
        return (turn, Delivered(*members), mark) if turn and zlib.crc32(record) == check else None
