"""What is sent next: elements of the stored stream in order, gaps told, over and over if there are loops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

from jobengine.clock import Clock
from jobengine.model.element import ElementKind, Gap, PayloadState
from jobengine.model.message import Message
from jobengine.model.restream import RestreamSpec
from jobengine.ports.contents import Buffer
from jobengine.worker.restream.counts import Counters
from jobengine.worker.restream.failures import SourceGap, SourceIdle
from jobengine.worker.restream.reader import Batch, Entry, Reader, Run
from jobengine.worker.restream.shared_store import SharedStore
from jobengine.worker.restream.source import Source, has_ended

TURN_ENTRIES = 64
POLL_NS = 1_000_000
POLL_MAX_NS = 4_000_000
END_CHECK_NS = 100_000_000
STOOD_STILL_NS = 200_000_000
"""Who looks later than he wanted to by more than this stood still, perhaps with whoever writes the stream."""
END_OF_RECORDING = "end of recording"


@dataclass(frozen=True, slots=True)
class Place:
    """Where to read: on from ``sequence``, in round ``loop`` (from 0) over what begins at ``first``.

    ``goal`` tells what was looked for from anything else (`goal_of`).
    """

    sequence: int
    first: int
    loop: int = 0
    goal: int = 0


def goal_of(spec: RestreamSpec) -> int:
    """A number of 32 bits for the anchor and offset of a specification."""
    return crc32(spec.model_dump_json(include={"anchor", "offset"}).encode())


class Feed:
    """Reads on from a place; ``sequence``, ``first`` and ``loop`` are where it is now.

    ``ended`` tells why there is nothing more; ``is_end`` whether the last entry taken is an end of stream;
    ``has_waited`` whether the store did not have it when it was looked for; ``is_short`` whether it is time
    to `get_ahead`.
    """

    def __init__(
        self, source: Source, kind: ElementKind, shared: SharedStore, clock: Clock, place: Place
    ) -> None:
        self._source = source
        self._stream = source.stream
        self.number = source.number
        self._tick_ns = source.stream.time_base.numerator * 1_000_000_000
        self._tick_parts = source.stream.time_base.denominator
        self.kind = kind
        self.sequence, self.first, self.loop = place.sequence, place.first, place.loop
        self.goal = place.goal
        self._shared = shared
        self._clock = clock
        self._idle_since_ns: int | None = None
        self._poll_ns = POLL_NS
        self._check_ns = 0
        self._loop_count = 0
        self.ended = ""
        self.is_end = self.is_short = False
        self.has_waited = False
        self.is_new_loop = False
        self.wake_ns = 0
        self._with_payload = True
        self._reader: Reader | None = None

    def timestamp_ns(self, timestamp: int) -> int:
        """A time of the stream, which is in its ticks."""
        return timestamp * self._tick_ns // self._tick_parts

    def take(self, spec: RestreamSpec, counters: Counters, now_ns: int) -> Entry | None:
        """The next element to send; None: look again at ``wake_ns``, or it has ``ended``."""
        reader = self._reader
        if reader is None or self._with_payload is spec.metadata_only:
            reader = self._open(not spec.metadata_only)
        for _ in range(TURN_ENTRIES):
            entry = reader.take()
            if entry is None:
                self._at_live_end(spec, now_ns)
                return None
            if isinstance(entry, Gap):
                self._count_gap(spec, counters, entry.last_sequence - entry.first_sequence + 1)
                self.sequence = entry.last_sequence + 1
            elif self._is_sent(entry, spec, counters):
                self.has_waited = self._idle_since_ns is not None
                if self.has_waited:
                    self._idle_since_ns, self._poll_ns = None, POLL_NS
                self.is_short = reader.is_short
                return entry
            else:
                self.sequence = entry.stored.sequence + 1
        self.wake_ns = now_ns
        return None

    def plain(self, spec: RestreamSpec, batch: Batch) -> Run:
        """What comes next, as far as it is at hand and needs no second look; `sent_plain` takes it. If there
        is nothing at hand, at most so much is read."""
        reader = self._reader
        if reader is None or self._with_payload is spec.metadata_only:
            reader = self._open(not spec.metadata_only)
        return reader.plain(self.kind, batch)

    @property
    def is_waiting(self) -> bool:
        """Whether the store had nothing more."""
        return self._idle_since_ns is not None

    def get_ahead(self, spec: RestreamSpec) -> None:
        """Read on before the next element is wanted."""
        (self._reader or self._open(not spec.metadata_only)).get_ahead()
        self.is_short = False

    def sent(self, entry: Entry) -> None:
        """The entry taken last is on its way."""
        self._loop_count += 1
        self.is_new_loop = False
        self.sequence = entry.stored.sequence + 1

    def sent_plain(self, count: int, sequence: int) -> None:
        """So many of what was `plain` are on their way; ``sequence`` is the place behind them."""
        if self._reader is None:
            raise RuntimeError("nothing was read")
        self._reader.pass_over(count)
        self._idle_since_ns, self._poll_ns, self.is_end = None, POLL_NS, False
        self._loop_count += count
        self.sequence = sequence

    def look_ahead(self) -> None:
        """Find out whether it is time to `get_ahead`."""
        self.is_short = self._reader is not None and self._reader.is_short

    def planes(self, entry: Entry) -> Sequence[Buffer]:
        """The payload of an entry, also if it was taken without."""
        if entry.planes is not None:
            return entry.planes
        is_here = entry.stored.payload is PayloadState.HERE
        return (self._stream.store.payloads([entry.stored])[0] or ()) if is_here else ()

    def close(self) -> None:
        """Read no further."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _open(self, with_payload: bool) -> Reader:
        self.close()
        self._with_payload = with_payload
        self._reader = Reader(self._shared, self.number, self.sequence, self._clock, with_payload)
        return self._reader

    def _is_sent(self, entry: Entry, spec: RestreamSpec, counters: Counters) -> bool:
        stored = entry.stored
        if stored.element.kind is not self.kind:
            counters.skipped += 1
            return False
        message = entry.message
        self.is_end = message is Message.END_OF_STREAM
        if self.is_end:
            return not (spec.end_of_stream and spec.end_of_stream.skip_intermediary)
        if message is not None:
            counters.skipped += 1
            return False
        if entry.planes is None and stored.payload is PayloadState.GONE and not spec.metadata_only:
            self._count_gap(spec, counters, 1)
            return False
        return True

    def _count_gap(self, spec: RestreamSpec, counters: Counters, elements: int) -> None:
        counters.gaps += 1
        counters.gone += elements
        if spec.on_gap == "fail":
            raise SourceGap(f"{elements} elements from {self.sequence} on are gone from the store")

    def _at_live_end(self, spec: RestreamSpec, now_ns: int) -> None:
        """Nothing to send now: is there anything to come?"""
        late_ns = now_ns - self.wake_ns
        if self._idle_since_ns is None:
            self._idle_since_ns = self._check_ns = now_ns
        elif late_ns > STOOD_STILL_NS:
            self._idle_since_ns += late_ns
        if now_ns >= self._check_ns:
            self._check_ns = now_ns + END_CHECK_NS
            is_over = has_ended(self._shared.catalogue, self._source) and self._is_read_out()
            if is_over and spec.at_end == "finish":
                self._end(spec, END_OF_RECORDING)
                return
        idle_ns = now_ns - self._idle_since_ns
        if idle_ns > spec.max_idle_ms * 1e6:
            detail = f"no further element within {spec.max_idle_ms:g} ms"
            if spec.on_idle == "fail":
                raise SourceIdle(detail)
            self._end(spec, detail)
            return
        wait_ns = self._poll_ns if self._shared.bell is None else END_CHECK_NS
        self.wake_ns = min(now_ns + wait_ns, self._idle_since_ns + int(spec.max_idle_ms * 1e6) + 1)
        self._poll_ns = min(2 * self._poll_ns, POLL_MAX_NS)

    def _is_read_out(self) -> bool:
        """Whether nothing stands behind what was read, now that it is known to have ended."""
        return not self._stream.store.scan(self.number, self.sequence, 1)

    def _end(self, spec: RestreamSpec, reason: str) -> None:
        """The end of one round, and of all if it was the last."""
        if self._loop_count == 0 or self.loop + 1 == spec.loops:
            self.ended = reason
            return
        self.close()
        self.sequence, self.loop = self.first, self.loop + 1
        self._loop_count, self._idle_since_ns = 0, None
        self.is_new_loop = True
        self.wake_ns = self._clock.monotonic_ns()
