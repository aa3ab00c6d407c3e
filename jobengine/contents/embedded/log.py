"""The log: groups of records, laid out in memory, then written to their segments and synced.

Segments are shared by all streams whose payloads have about the same lifetime (`lifetime_class`), so that
payloads that go together stand together and their disk space is freed by removing a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from jobengine.contents.embedded.changes import Changes
from jobengine.contents.embedded.group import GROUP_HEADER_BYTES
from jobengine.contents.embedded.options import EmbeddedOptions
from jobengine.contents.embedded.part import Part, Pending, refusing_when_full
from jobengine.contents.embedded.segments import Segments
from jobengine.contents.embedded.spare import Spare
from jobengine.contents.embedded.tables import KEPT, SegmentRow
from jobengine.errors import DiskFull

SHORTEST_LIFETIME_S: Final = 16


def lifetime_class(expires_us: int | None, now_us: int) -> int:
    """0 for what has no expiry, else the power of two of seconds that its lifetime is rounded up to."""
    if expires_us is None:
        return KEPT
    lifetime_s = max(SHORTEST_LIFETIME_S, -(-(expires_us - now_us) // 1_000_000))
    return (lifetime_s - 1).bit_length()


class Log:
    """Lays out groups and writes them. Only who holds the index's write transaction may use it."""

    def __init__(self, segments: Segments, options: EmbeddedOptions, salt: int) -> None:
        self.segments = segments
        self.spare = Spare(segments, options)
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
            number = self.spare.take(changes) or self._new_segment(changes.state.next_segment, expected_bytes)
            changes.add_segment(number, SegmentRow(lifetime))
        changes.state.group += 1
        return Part(changes.state.group, number, changes.segment(number), self.salt, pending, self.segments)

    def lay(self, changes: Changes, part: Part, acknowledged: int) -> None:
        """The group is complete: its segment ends behind it."""
        group = part.finish(acknowledged)
        row = changes.segment(group.segment)
        row.first_number = row.first_number or group.number
        row.last_number = group.number
        row.last_group = group.offset
        row.tail = group.end
        if row.tail > self._options.segment_bytes // 2:
            self.spare.want(changes)

    def write(self, parts: Sequence[Part]) -> None:
        """Write groups. Raises DiskFull after the first of them that does not fit, OSError."""
        for part in parts:
            part.write()

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

    def _new_segment(self, number: int, expected_bytes: int) -> int:
        try:
            with refusing_when_full():
                self.segments.create(number)
                self.segments.reserve(number, min(expected_bytes, self._options.reserve_bytes))
        except (OSError, DiskFull):
            self.segments.remove(number)
            raise
        return number
