"""One group in the making: records laid out in memory, and written before the last is made where they may be.

The header comes last. Until it is written there is no group, whatever of its records is in the file.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from jobengine.contents.embedded.group import GROUP_HEADER_BYTES, Group, encode_group, record_seed
from jobengine.contents.embedded.record import RecordType, encode_head, padded, padding
from jobengine.contents.embedded.segments import Segments
from jobengine.contents.embedded.tables import SegmentRow
from jobengine.errors import DiskFull
from jobengine.ports.contents import Buffer

SPILL_BYTES: Final = 512 << 10
"""So much is written ahead at once: half of what groups hold when there is much to write."""
_WORTH_BEGINNING: Final = 64 << 10
"""Less is written faster than the disk is told to begin with it."""
_NO_SPACE: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

Pending = dict[tuple[int, int], Sequence[Buffer]]
"""Metadata and planes that are laid out but not written yet, by segment and offset."""


class Part:
    """One group while it is laid out.

    ``pending`` None: nothing of it will be read or taken out before it is written, so `spill` may be called.
    """

    def __init__(
        self,
        number: int,
        segment: int,
        row: SegmentRow,
        salt: int,
        pending: Pending | None,
        segments: Segments,
    ) -> None:
        self.number = number
        self.segment = segment
        self.offset = row.tail
        self.pending = pending
        self.seed = record_seed(salt, number)
        self.next = row.tail + GROUP_HEADER_BYTES
        self.count = 0
        self.buffers: list[Buffer] = []
        self.is_written = False
        self._lifetime = row.lifetime
        self._salt = salt
        self._segments = segments
        self._header = b""
        self._spilled = self.next

    @property
    def length(self) -> int:
        """So far."""
        return self.next - self.offset

    @property
    def is_empty(self) -> bool:
        """Whether it has no record."""
        return not self.count

    def add(
        self,
        kind: RecordType,
        place: tuple[int, int, int],
        core: bytes,
        metadata: bytes,
        payload: tuple[Sequence[Buffer], int, int] = ((), 0, 0),
    ) -> tuple[int, int]:
        """Lay out a record; where it and its payload begin.

        ``place``: stream, life, sequence. ``payload``: planes, bytes of all, checksum. The planes are not
        copied; they must stay as they are until the group is written.
        """
        planes, size, checksum = payload
        head = encode_head(kind, place, core, metadata, (size, checksum), self.seed)
        offset = self.next
        payload_offset = offset + len(head)
        self.buffers.append(head)
        if self.pending is not None:
            self.pending[self.segment, offset] = (metadata,)
            if size:
                self.pending[self.segment, payload_offset] = planes
        if size:
            self.buffers.extend(planes)
            rest = padding(size)
            if rest:
                self.buffers.append(rest)
        self.next = payload_offset + padded(size)
        self.count += 1
        return offset, payload_offset

    def laid_out(self, place: tuple[int, int]) -> Sequence[Buffer] | None:
        """Metadata or planes of this very commit that are not written yet, by segment and offset."""
        return self.pending.get(place) if self.pending is not None else None

    def advance(self, offset: int, count: int) -> None:
        """Records were put into ``buffers`` up to an offset."""
        self.next = offset
        self.count += count

    def mark(self) -> tuple[int, int, int]:
        """Where it is now, for `back_to`."""
        return self.next, self.count, len(self.buffers)

    def back_to(self, mark: tuple[int, int, int]) -> None:
        """Take out what was added since."""
        self.next, self.count, length = mark
        del self.buffers[length:]

    def finish(self, acknowledged: int) -> Group:
        """Make the header: there will be no further record."""
        group = Group(
            number=self.number,
            acknowledged=acknowledged,
            length=self.length,
            count=self.count,
            segment=self.segment,
            lifetime=self._lifetime,
            offset=self.offset,
        )
        self._header = encode_group(group, self._salt)
        return group

    def spill(self) -> None:
        """Write the records that are laid out, and have the disk begin. Raises DiskFull, OSError."""
        self._write(self._spilled, self.buffers)
        if self.next - self._spilled >= _WORTH_BEGINNING:
            self._segments.begin_writing(self.segment, self._spilled, self.next - self._spilled)
        self.buffers.clear()
        self._spilled = self.next

    def write(self) -> None:
        """Write what is left of a finished group, the header last. Raises DiskFull, OSError."""
        if self._spilled > self.offset + GROUP_HEADER_BYTES:
            self.spill()
            self._write(self.offset, [self._header])
        else:
            self.buffers.insert(0, self._header)
            self._spilled = self.offset
            self.spill()

    def _write(self, offset: int, buffers: Sequence[Buffer]) -> None:
        with refusing_when_full():
            self._segments.reserve(self.segment, self.next)
            self.is_written = True
            self._segments.write(self.segment, offset, buffers)


@contextmanager
def refusing_when_full() -> Iterator[None]:
    """An OSError that means a lack of space becomes DiskFull."""
    try:
        yield
    except OSError as fault:
        if fault.errno in _NO_SPACE:
            raise DiskFull(f"the contents store has no space left, nothing was accepted: {fault}") from fault
        raise
