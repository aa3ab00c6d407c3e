"""A worker's reports on disk, so that nothing it did is lost when worker and service both die.

Records are a four-byte length and a MessagePack report, written with one call each. They survive the
death of the processes; they are not forced to the platter, since after a power cut the worker is gone
and the media files themselves tell how far it got.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import msgspec
import structlog

from jobengine.messaging.worker_messages import UNREADABLE, AnyReport, encode

_MEMORY = Path("/dev/shm")  # noqa: S108 - names are unique, modes 0600, links not followed
_LENGTH = struct.Struct("<I")
_decoder = msgspec.msgpack.Decoder(AnyReport)


class Spool:
    """Appends reports to one file. The owner closes it; the engine removes the file."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def append(self, report: AnyReport) -> None:
        """Write one report. Raises OSError when the disk refuses it; then nothing of it is kept."""
        packed = encode(report)
        record = _LENGTH.pack(len(packed)) + packed
        written = os.write(self._fd, record)
        if written < len(record):
            os.ftruncate(self._fd, os.fstat(self._fd).st_size - written)
            raise OSError(errno.ENOSPC, "the disk took only a part of the report")

    def close(self) -> None:
        os.close(self._fd)


def ledger_of(spool: Path) -> Path:
    """Where a work keeps what must survive its worker, but not the machine: in memory, if there is a file
    system for that. On a disk the loop of the worker would wait now and then for a sync of somebody else."""
    name = f"{spool.stem}.delivered"
    if os.access(_MEMORY, os.W_OK):
        return _MEMORY / f"jobengine-{os.getuid()}-{name}"
    return spool.with_name(name)


def read_spool(path: Path) -> Iterator[AnyReport]:
    """The reports of a spool in order; a record that is torn or can't be read ends it."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    offset = 0
    while offset + _LENGTH.size <= len(content):
        (length,) = _LENGTH.unpack_from(content, offset)
        offset += _LENGTH.size
        if offset + length > len(content):
            return
        try:
            yield _decoder.decode(content[offset : offset + length])
        except UNREADABLE as error:
            structlog.get_logger("spool").warning("spool.unreadable", path=str(path), detail=str(error))
            return
        offset += length
