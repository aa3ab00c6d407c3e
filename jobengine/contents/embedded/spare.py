"""The next segment, made while the present one fills up, so that no commit waits for a file to be made.

Making a file means to wait for the file system's journal, which all programs of a machine share. So once a
segment is half full, a number is set aside in the index by the commit that notices, and a thread of its own
makes the file with all its disk space. There is one spare at most, for whatever lifetime needs it first. One
that was not used is removed at the end, or by whoever opens the store next.
"""

from __future__ import annotations

import os
import threading

import structlog

from jobengine.contents.embedded.changes import Changes
from jobengine.contents.embedded.options import EmbeddedOptions
from jobengine.contents.embedded.segments import Segments

log = structlog.get_logger(__name__)


class Spare:
    """One segment ahead. Only who holds the index's write transaction may use it."""

    def __init__(self, segments: Segments, options: EmbeddedOptions) -> None:
        self._segments = segments
        self._options = options
        self._number: int | None = None
        self._is_taken = False
        self._is_new = False
        self._file: os.stat_result | None = None
        self._maker: threading.Thread | None = None

    def want(self, changes: Changes) -> None:
        """Set a number aside for the next segment, unless there is a spare."""
        if self._number is None:
            self._number = changes.state.next_segment
            self._is_new = True
            changes.state.next_segment += 1

    def take(self, changes: Changes) -> int | None:
        """The spare for good, if this commit succeeds; None if there is none that may be used.

        Segments of one lifetime follow each other in order of their numbers, so a spare is none any more
        once a younger segment was begun.
        """
        if self._number is None or self._is_taken or self._file is None:
            return None
        if self._number < changes.newest_segment() or not self._segments.is_file(self._number, self._file):
            self._segments.remove(self._number)
            self._number = self._file = None
            return None
        self._is_taken = True
        return self._number

    def settle(self, is_done: bool) -> None:
        """The commit was done or not: what it wanted is made, what it took is used."""
        if self._is_taken:
            self._is_taken = False
            if is_done:
                self._number = self._file = None
        if self._is_new:
            self._is_new = False
            if is_done and self._number is not None:
                self._maker = threading.Thread(target=self._make, args=(self._number,), daemon=True)
                self._maker.start()
            else:
                self._number = None

    def close(self) -> None:
        """Remove a spare that was not used. Waits for the disk, as long as a commit does."""
        if self._maker is not None:
            self._maker.join(self._options.timeout_s)
        if self._number is not None:
            self._segments.remove(self._number)
            self._number = None

    def _make(self, number: int) -> None:
        try:
            self._file = self._segments.make(number, self._options.segment_bytes)
        except OSError as fault:
            # Whoever needs a segment makes one then, and tells of it if that fails too.
            log.info("contents_spare_segment_failed", segment=number, fault=str(fault))
            self._segments.remove(number)
            self._number = None
