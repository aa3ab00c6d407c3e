"""Rows of the small tables within one write transaction: streams, segments, and the state of the store.

Each is read once, changed in place, and put back by `SmallRows.flush`. What was read for one commit need not
be read for the next while nobody else commits: of many live streams a commit has one element each, and to
read and unpack their rows would take as long as to write the elements.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jobengine.contents.embedded import keys
from jobengine.contents.embedded.tables import STATE_KEY, SegmentRow, StateRow, StreamRow
from jobengine.contents.embedded.transaction import Transaction

_KEPT_STREAMS: Final = 4096
"""Rows of more streams than this are not kept for the next commit: some 2 MB."""


class SmallRows:
    """Those that a transaction has looked at; whoever gets one may change it."""

    def __init__(self, table: Mapping[str, Any], transaction: Transaction, last: SmallRows | None) -> None:
        """``last``: rows of the commit before this one, which are given up; None unless they are what is
        stored."""
        self._table = table
        self.streams: dict[int, StreamRow | None] = {}
        self.segments: dict[int, SegmentRow] = {}
        self.state: StateRow = StateRow() if last is None else last.state
        if last is None:
            self._former_streams: dict[int, StreamRow | None] = {}
            self._former_segments: dict[int, SegmentRow] = {}
            self.read_again(transaction)
        else:
            self._former_streams, self._former_segments = last._former_streams, last._former_segments
            self._former_streams.update(last.streams)
            self._former_segments.update(last.segments)
            if len(self._former_streams) > _KEPT_STREAMS:
                self._former_streams.clear()

    def stream(self, transaction: Transaction, number: int) -> StreamRow | None:
        """A stream's row, None if it isn't there."""
        if number not in self.streams:
            row = self._former_streams.pop(number, None)
            if row is None and (data := transaction.get(keys.number(number), db=self._table["streams"])):
                row = StreamRow.decode(data)
            self.streams[number] = row
        return self.streams[number]

    def segment(self, transaction: Transaction, number: int) -> SegmentRow:
        """A segment's row. Raises LookupError if it isn't there."""
        row = self.segments.get(number) or self._former_segments.pop(number, None)
        if row is None:
            data = transaction.get(keys.number(number), db=self._table["segments"])
            if data is None:
                raise LookupError(f"the index has no segment {number}")
            row = SegmentRow.decode(data)
        self.segments[number] = row
        return row

    def flush(self, transaction: Transaction) -> None:
        """Put back what was looked at."""
        put, streams, segments = transaction.put, self._table["streams"], self._table["segments"]
        for number, stream in self.streams.items():
            if stream is not None:
                put(keys.number(number), stream.encode(), db=streams)
        for number, segment in self.segments.items():
            put(keys.number(number), segment.encode(), db=segments)
        put(STATE_KEY, self.state.encode(), db=self._table["state"])

    def read_again(self, transaction: Transaction) -> None:
        """What is stored counts, not what was changed since."""
        self.streams.clear()
        self.segments.clear()
        state = transaction.get(STATE_KEY, db=self._table["state"])
        self.state = StateRow.decode(state) if state else StateRow()
