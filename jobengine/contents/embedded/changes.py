"""What one transaction changes in the index: elements in all their tables, streams, segments, pins.

Appended elements are collected and put at once, sorted like they came; whoever must find them in the tables
flushes first. What a write means is not here (`deciding`, `replaying`), nor are files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from jobengine.contents.embedded import keys
from jobengine.contents.embedded.index import Index
from jobengine.contents.embedded.ranks import bucket_bits, count_changes
from jobengine.contents.embedded.row import Row, decode_row
from jobengine.contents.embedded.small_rows import SmallRows
from jobengine.contents.embedded.tables import PinRow, SegmentRow, StreamRow
from jobengine.contents.embedded.transaction import Transaction
from jobengine.contents.refusals import stream_gone

_NOTHING: Final = b""


class Changes:
    """Changes within one write transaction; nothing is in the tables before `flush`."""

    def __init__(self, index: Index, transaction: Transaction, last: SmallRows | None = None) -> None:
        """``last``: the `rows` of the commit before this one, None if they may not be what is stored."""
        self._index = index
        self._table = index.table
        self.transaction = transaction
        self.rows = SmallRows(index.table, transaction, last)
        self.new: dict[str, list[tuple[bytes, bytes]]] = {
            name: [] for name in ("rows", "times", "ids", "key_times", "key_ids")
        }
        self._ranks: Counter[tuple[bytes, int, int]] = Counter()
        self._runs: dict[int, list[int]] = {}
        self.state = self.rows.state

    @contextmanager
    def nested(self) -> Iterator[None]:
        """What is changed within is undone if an exception leaves it."""
        self.flush()
        outer, self.transaction = self.transaction, self._index.begin(self.transaction)
        try:
            yield
            self.flush()
        except BaseException:
            self.transaction.abort()
            self._forget()
            raise
        else:
            self.transaction.commit()
        finally:
            self.transaction = outer
            self.rows.read_again(outer)
            self.state = self.rows.state

    # Streams

    def stream(self, number: int) -> StreamRow | None:
        """A stream's row; what is changed in it will be stored."""
        return self.rows.stream(self.transaction, number)

    def stream_there(self, number: int) -> StreamRow:
        """The same of a stream that must be there. Raises StreamGone."""
        stream = self.stream(number)
        if stream is None:
            raise stream_gone([number])
        return stream

    def begin_stream(self, number: int, life: int | None = None) -> StreamRow:
        """A stream's first life, or its next one."""
        if life is None:
            life = self.state.next_life
        self.state.next_life = max(self.state.next_life, life + 1)
        stream = self.rows.streams[number] = StreamRow(life, revision=self.state.group)
        self.transaction.put(keys.number(life), keys.number(number), db=self._table["lives"])
        return stream

    def end_stream(self, number: int, stream: StreamRow) -> None:
        """Forget a stream; its elements are removed later, step by step."""
        self.open_bucket(stream, 0)
        self.flush()
        life = keys.number(stream.life)
        self.rows.streams[number] = None
        self.transaction.delete(keys.number(number), db=self._table["streams"])
        self.transaction.delete(life, db=self._table["lives"])
        self.transaction.put(life, bytes([stream.bucket_bits]), db=self._table["doomed"])
        self.transaction.delete(life, db=self._table["limited"])
        for name, pin in list(self.pins()):
            if pin.life == stream.life:
                self.remove_pin(name)

    def limit_stream(self, stream: StreamRow, age_us: int, size_bytes: int) -> None:
        """Keep payload of this age and size at most; below 0: any."""
        stream.limit_age_us, stream.limit_bytes = age_us, size_bytes
        if stream.is_limited:
            self.transaction.put(keys.number(stream.life), _NOTHING, db=self._table["limited"])
        else:
            self.transaction.delete(keys.number(stream.life), db=self._table["limited"])

    # Elements

    def insert(self, stream: StreamRow, sequence: int, row: Row) -> None:
        """A further element."""
        life, place = keys.number(stream.life), keys.number(sequence)
        time = keys.time_key(life, row.pts, row.kind, place)
        self.new["rows"].append((life + place, row.encode()))
        self.new["times"].append((time, _NOTHING))
        self.new["ids"].append((row.element_id + life, place))
        if row.is_key:
            self.collect_key(stream, time, life + row.element_id, place)
        bucket = row.pts + keys.BIAS >> self.bits_of(stream, row.duration)
        if bucket != stream.open_bucket:
            self.open_bucket(stream, bucket)
        stream.open_count += 1
        stream.count += 1
        stream.last_id = max(stream.last_id, row.element_id)
        self._account(stream, sequence, row)

    @staticmethod
    def bits_of(stream: StreamRow, duration: int) -> int:
        """How many bits of pts are within one bucket; settled by the first element that comes."""
        stream.bucket_bits = stream.bucket_bits or bucket_bits(duration)
        return stream.bucket_bits

    def collect_key(self, stream: StreamRow, time: bytes, identity: bytes, place: bytes) -> None:
        """A further key element, as the tables have it."""
        self.new["key_times"].append((time, _NOTHING))
        self.new["key_ids"].append((identity, place))
        stream.key_count += 1

    def open_bucket(self, stream: StreamRow, bucket: int) -> None:
        """Count from now on in another bucket; what was counted in the last one goes into the counters."""
        if stream.open_count:
            counter = keys.number(stream.life), stream.bucket_bits, stream.open_bucket
            self._ranks[counter] += stream.open_count
        stream.open_bucket, stream.open_count = bucket, 0

    def update(self, stream: StreamRow, sequence: int, before: Row, after: Row) -> None:
        """Another row in the same place; pts, kind and id are the same."""
        life, place = keys.number(stream.life), keys.number(sequence)
        stream.revision = self.state.group
        self._discount(stream, before)
        self.transaction.put(life + place, after.encode(), db=self._table["rows"])
        if before.is_key != after.is_key:
            stream.key_count += after.is_key - before.is_key
            time = keys.time_key(life, after.pts, after.kind, place)
            for table, key, value in (
                ("key_times", time, _NOTHING),
                ("key_ids", life + after.element_id, place),
            ):
                if after.is_key:
                    self.transaction.put(key, value, db=self._table[table])
                else:
                    self.transaction.delete(key, db=self._table[table])
        self._account(stream, sequence, after)

    def remove(self, stream: StreamRow, sequence: int, row: Row) -> None:
        """Take an element out of all tables."""
        life, place = keys.number(stream.life), keys.number(sequence)
        stream.revision = self.state.group
        self._discount(stream, row)
        time = keys.time_key(life, row.pts, row.kind, place)
        self.transaction.delete(life + place, db=self._table["rows"])
        self.transaction.delete(time, db=self._table["times"])
        self.transaction.delete(row.element_id + life, db=self._table["ids"])
        if row.is_key:
            stream.key_count -= 1
            self.transaction.delete(time, db=self._table["key_times"])
            self.transaction.delete(life + row.element_id, db=self._table["key_ids"])
        bits = stream.bucket_bits
        bucket = row.pts + keys.BIAS >> bits
        if bucket == stream.open_bucket and stream.open_count:
            stream.open_count -= 1
        else:
            self._ranks[life, bits, bucket] -= 1
        stream.count -= 1

    def row(self, stream: StreamRow, sequence: int) -> Row | None:
        """The element at one place."""
        self.flush_elements()
        data = self.transaction.get(keys.number(stream.life) + keys.number(sequence), db=self._table["rows"])
        return decode_row(data) if data else None

    def rows_between(
        self, stream: StreamRow, first: int, last: int, limit: int | None = None
    ) -> list[tuple[int, Row]]:
        """Elements from one sequence to another, both inclusive."""
        self.flush_elements()
        life = keys.number(stream.life)
        end = life + keys.number(last)
        found: list[tuple[int, Row]] = []
        with self.transaction.cursor(db=self._table["rows"]) as cursor:
            if cursor.set_range(life + keys.number(first)):
                for key, data in cursor.iternext():
                    if key > end or len(found) == limit:
                        break
                    found.append((keys.to_number(key[8:]), decode_row(data)))
        return found

    def find_id(self, stream: StreamRow, element_id: bytes) -> int | None:
        """The sequence of the element with this id."""
        if element_id > stream.last_id:
            return None
        self.flush_elements()
        data = self.transaction.get(element_id + keys.number(stream.life), db=self._table["ids"])
        return keys.to_number(data) if data else None

    def last_at(self, stream: StreamRow, pts: int, kind: int) -> int | None:
        """The sequence of the latest element of this pts and kind."""
        self.flush_elements()
        prefix = keys.time_key(keys.number(stream.life), pts, kind, _NOTHING)
        with self.transaction.cursor(db=self._table["times"]) as cursor:
            there = cursor.set_range(prefix + keys.LAST_8)
            if not (cursor.prev() if there else cursor.last()):
                return None
            key = cursor.key()
            return keys.to_number(key[-8:]) if key.startswith(prefix) else None

    def sequences_between(self, stream: StreamRow, first_pts: int, last_pts: int) -> Iterator[int]:
        """Of the elements in a range of pts, in order of time. Change nothing while it goes on."""
        self.flush_elements()
        life = keys.number(stream.life)
        end = keys.time_key(life, last_pts, 1, keys.LAST_8)
        with self.transaction.cursor(db=self._table["times"]) as cursor:
            if cursor.set_range(life + keys.signed(first_pts)):
                for key in cursor.iternext(values=False):
                    if key > end:
                        break
                    yield keys.to_number(key[-8:])

    # Pins

    def put_pin(self, name: str, pin: PinRow) -> None:
        """A further pin."""
        self.transaction.put(name.encode(), pin.encode(), db=self._table["pins"])

    def pin(self, name: str) -> PinRow | None:
        """One pin."""
        data = self.transaction.get(name.encode(), db=self._table["pins"])
        return PinRow.decode(data) if data else None

    def remove_pin(self, name: str) -> None:
        """Let a pin go, if it is there."""
        self.transaction.delete(name.encode(), db=self._table["pins"])

    def pins(self) -> Iterator[tuple[str, PinRow]]:
        """All of them."""
        with self.transaction.cursor(db=self._table["pins"]) as cursor:
            for name, data in cursor.iternext():
                yield name.decode(), PinRow.decode(data)

    # Expiry

    def expire_again(self, moment_us: int, life: int, first: int, last: int) -> None:
        """Look at payloads once more at a moment."""
        self._put_run(moment_us, life, first, last)

    # Segments

    def segment(self, number: int) -> SegmentRow:
        """A segment's row; what is changed in it will be stored."""
        return self.rows.segment(self.transaction, number)

    def add_segment(self, number: int, row: SegmentRow) -> None:
        """A new file of the log, which is written to from now on."""
        self.rows.segments[number] = row
        self.state.next_segment = max(self.state.next_segment, number + 1)
        self.transaction.put(keys.number(row.lifetime), keys.number(number), db=self._table["state"])

    def newest_segment(self) -> int:
        """The largest number of a segment that was ever begun and is not removed; 0 if there is none."""
        with self.transaction.cursor(db=self._table["segments"]) as cursor:
            newest = keys.to_number(cursor.key()) if cursor.last() else 0
        return max([newest, *self.rows.segments])

    def open_segment(self, lifetime: int) -> int | None:
        """The segment that is written to of a lifetime class."""
        data = self.transaction.get(keys.number(lifetime), db=self._table["state"])
        return keys.to_number(data) if data else None

    def seal_segment(self, lifetime: int) -> None:
        """Write no more to the segment that is written to."""
        self.transaction.delete(keys.number(lifetime), db=self._table["state"])

    def remove_segment(self, number: int) -> None:
        """Forget a file of the log that nothing points to."""
        self.flush()
        del self.rows.segments[number]
        self.transaction.delete(keys.number(number), db=self._table["segments"])

    # Storing

    def flush_elements(self) -> None:
        """Put what was collected of elements into their tables."""
        if not self.new["rows"]:
            return
        for name, items in self.new.items():
            if items:
                with self.transaction.cursor(db=self._table[name]) as cursor:
                    cursor.putmulti(items)
                items.clear()

    def flush(self) -> None:
        """Put everything that was collected into the tables."""
        self.flush_elements()
        count_changes(self.transaction, self._table["ranks"], self._ranks)
        self._ranks.clear()
        for life in list(self._runs):
            self._end_run(life)
        self.rows.flush(self.transaction)

    def _forget(self) -> None:
        for items in self.new.values():
            items.clear()
        self._ranks.clear()
        self._runs.clear()

    def _account(self, stream: StreamRow, sequence: int, row: Row) -> None:
        self.segment(row.segment).record_bytes += row.head_bytes
        if row.is_here:
            size = row.payload_bytes
            stream.payload_bytes += size
            stream.first_payload = min(stream.first_payload, sequence)
            self.segment(row.payload_segment).payload_bytes += size
            if row.expiry_us is not None:
                self.expires(stream.life, sequence, row.expiry_us)

    def _discount(self, stream: StreamRow, row: Row) -> None:
        self.segment(row.segment).record_bytes -= row.head_bytes
        if row.is_here:
            stream.payload_bytes -= row.payload_bytes
            self.segment(row.payload_segment).payload_bytes -= row.payload_bytes

    def expires(self, life: int, sequence: int, moment_us: int) -> None:
        """A payload goes at a moment; neighbours of one stream that go together are one run."""
        run = self._runs.get(life)
        if run is not None and run[0] == moment_us and run[2] + 1 == sequence:
            run[2] = sequence
            return
        if run is not None:
            self._end_run(life)
        self._runs[life] = [moment_us, sequence, sequence]

    def _end_run(self, life: int) -> None:
        moment_us, first, last = self._runs.pop(life)
        self._put_run(moment_us, life, first, last)

    def _put_run(self, moment_us: int, life: int, first: int, last: int) -> None:
        key = keys.signed(moment_us) + keys.number(life) + keys.number(first)
        there = self.transaction.get(key, db=self._table["expiries"])
        last = max(last, keys.to_number(there or b""))
        self.transaction.put(key, keys.number(last), db=self._table["expiries"])
