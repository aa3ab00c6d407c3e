"""The log: groups of records, laid out in memory, then written to their segments and synced.

Segments are shared by all streams whose payloads have about the same lifetime (`lifetime_class`), so that
payloads that go together stand together and their disk space is freed by removing a file.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import Final

from jobengine.contents.embedded.changes import Changes
from jobengine.contents.embedded.group import (
    GROUP_HEADER_BYTES,
    Group,
    encode_group,
    record_seed,
)
from jobengine.contents.embedded.options import EmbeddedOptions
from jobengine.contents.embedded.record import RecordType, encode_head, padded, padding
from jobengine.contents.embedded.segments import Segments
from jobengine.contents.embedded.tables import KEPT, SegmentRow
from jobengine.errors import DiskFull
from jobengine.ports.contents import Buffer

SHORTEST_LIFETIME_S: Final = 16
NO_SPACE: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


Pending = dict[tuple[int, int], Sequence[Buffer]]
"""Metadata and planes that are laid out but not written yet, by segment and offset."""


def lifetime_class(expires_us: int | None, now_us: int) -> int:
    """0 for what has no expiry, else the power of two of seconds that its lifetime is rounded up to."""
    if expires_us is None:
        return KEPT
    lifetime_s = max(SHORTEST_LIFETIME_S, -(-(expires_us - now_us) // 1_000_000))
    return (lifetime_s - 1).bit_length()


class Part:
    """One group while it is laid out; ``pending`` None: nothing will be read before it is written."""

    def __init__(
        self, number: int, segment: int, row: SegmentRow, salt: int, pending: Pending | None
    ) -> None:
        self.number = number
        self.segment = segment
        self.offset = row.tail
        self._lifetime = row.lifetime
        self.pending = pending
        self.seed = record_seed(salt, number)
        self.next = row.tail + GROUP_HEADER_BYTES
        self.count = 0
        self.buffers: list[Buffer] = [b""]
        self.is_written = False

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

    def finish(self, acknowledged: int, salt: int) -> Group:
        """Put the header before the records."""
        group = Group(
            number=self.number,
            acknowledged=acknowledged,
            length=self.length,
            count=self.count,
            segment=self.segment,
            lifetime=self._lifetime,
            offset=self.offset,
        )
        self.buffers[0] = encode_group(group, salt)
        return group


class Log:
    """Lays out groups and writes them. Only who holds the index's write transaction may use it."""

    def __init__(self, segments: Segments, options: EmbeddedOptions, salt: int) -> None:
        self.segments = segments
        self._options = options
        self.salt = salt

    def begin(self, changes: Changes, lifetime: int, expected_bytes: int, pending: Pending | None) -> Part:
        """A group behind all others, in the open segment of its lifetime or in a new one.

        Raises DiskFull or OSError where no new segment can be made.
        """
        number = changes.open_segment(lifetime)
        if number is not None:
            tail = changes.segment(number).tail
            if tail and tail + expected_bytes > self._options.segment_bytes:
                number = None
        if number is None:
            number = changes.state.next_segment
            self._reserve_new(number, min(expected_bytes, self._options.reserve_bytes))
            changes.add_segment(number, SegmentRow(lifetime))
        changes.state.group += 1
        return Part(changes.state.group, number, changes.segment(number), self.salt, pending)

    def lay(self, changes: Changes, part: Part, acknowledged: int) -> None:
        """The group is complete: its segment ends behind it."""
        group = part.finish(acknowledged, self.salt)
        row = changes.segment(group.segment)
        row.first_number = row.first_number or group.number
        row.last_number = group.number
        row.last_group = group.offset
        row.tail = group.end

    def write(self, parts: Sequence[Part]) -> None:
        """Write groups. Raises DiskFull after the first of them that does not fit."""
        for part in parts:
            try:
                self.segments.reserve(part.segment, part.offset + part.length)
                part.is_written = True
                self.segments.write(part.segment, part.offset, part.buffers)
            except OSError as fault:
                if fault.errno in NO_SPACE:
                    raise _disk_full(fault) from fault
                raise

    def sync(self, parts: Sequence[Part]) -> None:
        """Return when groups are on disk. Raises OSError; what is on disk is not known then."""
        for segment in {part.segment for part in parts}:
            self.segments.sync(segment)

    def take_back(self, parts: Sequence[Part]) -> None:
        """Make groups that were written, but not acknowledged, unreadable. Raises OSError."""
        for part in parts:
            if part.is_written:
                self.segments.write(part.segment, part.offset, [bytes(GROUP_HEADER_BYTES)])
                self.segments.sync(part.segment)

    def _reserve_new(self, number: int, expected_bytes: int) -> None:
        try:
            self.segments.create(number)
            self.segments.reserve(number, expected_bytes)
        except OSError as fault:
            self.segments.remove(number)
            if fault.errno in NO_SPACE:
                raise _disk_full(fault) from fault
            raise


def _disk_full(fault: OSError) -> DiskFull:
    return DiskFull(f"the contents store has no space left, nothing was accepted: {fault}")
