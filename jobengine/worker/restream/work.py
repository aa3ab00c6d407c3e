"""Work kind ``restream``: finds where to begin, waits for the sink, then sends element by element.

It never waits: every step does what is due and says when it wants the next. The elements are the conveyor's
business (`jobengine.worker.restream.conveyor`); here is what comes before them and after them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

from jobengine.clock import Clock
from jobengine.errors import MediaError
from jobengine.ids import derived_id
from jobengine.model.condition import Milestone
from jobengine.model.element import ElementKind
from jobengine.model.lifecycle import JobState
from jobengine.model.merge import merge
from jobengine.model.pacing import PacingSpec
from jobengine.model.restream import EndOfStream, RestreamSpec, StreamSource
from jobengine.model.sink import SinkKind, SinkSpec, kind_of_sink
from jobengine.ports.sink import Sink, SinkStream
from jobengine.ports.work import WorkContext, WorkOutput
from jobengine.worker.restream.conveyor import Conveyor
from jobengine.worker.restream.counts import RATE, Counters, StreamClock
from jobengine.worker.restream.delivery import Delivery
from jobengine.worker.restream.failures import DeliveryTimeout
from jobengine.worker.restream.feed import Feed, Place, goal_of
from jobengine.worker.restream.ledger import Delivered, Ledger
from jobengine.worker.restream.look_up import Start
from jobengine.worker.restream.outgoing import Outgoing
from jobengine.worker.restream.pacing import Pacing
from jobengine.worker.restream.search import Search
from jobengine.worker.restream.shared_store import SharedStore
from jobengine.worker.restream.source import Source, find_source

_OUTPUT_KINDS = {SinkKind.CONTENT: "content", SinkKind.FILE: "file"}
_SEEKS = frozenset({"anchor", "offset"})
_END_OF_STREAM = EndOfStream()

OpenSink = Callable[[SinkSpec, SinkStream, WorkContext, int | None], Sink]
"""The last is the mark of a former worker's sink: 0 for a first one, None where the ledger is lost."""
OpenStore = Callable[[str], SharedStore]


class RestreamWork:
    """One re-streaming job. The store is its opener's to close; the sink is closed here."""

    def __init__(self, clock: Clock, open_store: OpenStore, open_sink: OpenSink) -> None:
        self._clock = clock
        self._open_store = open_store
        self._open_sink = open_sink
        self._description: dict[str, Any] = {}
        self._spec = RestreamSpec()
        self._outgoing = Outgoing(clock)
        self._counters = Counters()
        self._stream_clock = StreamClock()
        self._pacing = Pacing(PacingSpec())
        self._former: Delivered | None = None
        self._begun = 0
        self._forward_us = 0
        self._ledger: Ledger | None = None
        self._search: Search | None = None
        self._conveyor: Conveyor | None = None
        self._delivery: Delivery | None = None
        self._sink_since_ns: int | None = None
        self._is_ending = self._has_said_end = False
        self._is_closed = False
        self._started: datetime | None = None

    @property
    def rate(self) -> Fraction:
        return RATE

    @property
    def position(self) -> int:
        return self._counted.position

    @property
    def elements(self) -> int:
        return self._counted.elements

    @property
    def key_elements(self) -> int:
        return self._counted.key_elements

    @property
    def last_id(self) -> bytes:
        return self._counted.last_id

    @property
    def _counted(self) -> StreamClock:
        """The stream clock, behind all that was handed on."""
        if self._conveyor is not None:
            self._conveyor.note()
        return self._stream_clock

    @property
    def ended(self) -> str:
        return self._conveyor.feed.ended if self._conveyor is not None else ""

    @property
    def behind_ms(self) -> float:
        return max(0.0, self._counters.lateness.last_ns / 1e6)

    @property
    def descriptors(self) -> Sequence[int]:
        """Those of sink or store while something is expected of them: many jobs may share both. None once it
        is closed: its socket may be closed by now, and its numbers may be those of another one."""
        if self._is_closed:
            return ()
        conveyor = self._conveyor
        if conveyor is None:
            return self._shared.descriptors if self._search is not None else ()
        if conveyor.is_timely and not (conveyor.awaits_sink or self._is_ending):
            return ()
        if self._is_ending or self._sink_since_ns is not None:
            return self._delivered.sink.descriptors
        sink = self._delivered.sink.descriptors if conveyor.awaits_sink else ()
        return (*sink, *self._shared.descriptors) if conveyor.feed.is_waiting else sink

    @property
    def is_timely(self) -> bool:
        return self._conveyor is not None and self._conveyor.is_timely

    @property
    def is_short(self) -> bool:
        return self._conveyor is not None and self._conveyor.feed.is_short

    def get_ahead(self) -> None:
        if self._conveyor is not None:
            self._conveyor.feed.get_ahead(self._spec)

    @property
    def outputs(self) -> Sequence[WorkOutput]:
        """The one sink, from the start on."""
        if self._started is None or self._spec.sink is None:
            return ()
        url = self._spec.sink.url or ""
        kind = _OUTPUT_KINDS.get(kind_of_sink(url), "stream")
        name, count = self._spec.resulting_stream or "", self.elements - self._begun
        return (WorkOutput(name, kind, None, url, self._begun, None, count, self._is_closed),)

    @property
    def result(self) -> Mapping[str, Any]:
        late_ms = round(self._counters.lateness.percentile_ms(99), 1)
        counts = {"elements": self.elements, "keyElements": self.key_elements, "lateMsP99": late_ms}
        dead_letters = self._delivery.dead_letters if self._delivery else 0
        return {**counts, "deadLetters": dead_letters, **self._counters.document()}

    def prepare(self, description: Mapping[str, Any], context: WorkContext) -> None:
        self._description = dict(description)
        self._read_description()
        if self._spec.source is None or self._spec.sink is None or self._spec.anchor is None:
            raise MediaError("the job has no complete restreamSpec yet, so there is nothing to prepare")
        self._context = context
        self._shared = self._open_store(context.contents)
        self._ledger = Ledger(Path(context.ledger)) if context.ledger else None
        self._former = self._ledger.last if self._ledger else None
        if self._former is not None:
            self._begun = self._former.elements
            self._stream_clock.take_up(self._former)
            self._outgoing.retiming.take_up(self._former)
        else:
            self._forward_us = context.resume_position
        self._find_ahead()

    def start(self, at: datetime) -> None:
        self._started = at

    def apply(self, change: Mapping[str, Any]) -> None:
        if self._conveyor is not None:
            self._conveyor.drop_plan()
        self._description = merge(self._description, change)
        self._read_description()
        if _SEEKS & set(change.get("restreamSpec") or ()) and self._started is not None:
            self._seek()

    def go(self) -> None:
        if self._conveyor is not None:
            self._conveyor.begin_again()

    def step(self, milestone: Milestone | None) -> int:
        if self._conveyor is None:
            wake_ns = self._find(self._clock.monotonic_ns())
            if self._conveyor is None:
                return wake_ns
        if self._sink_since_ns is not None and not self._is_sink_ready():
            limit_ns = self._sink_since_ns + self._delivered.limit_ns + 1
            return min(self._delivered.news_ns(self._clock.monotonic_ns()), limit_ns)
        return self._conveyor.run(milestone)

    def go_along(self, now_ns: int) -> int | None:
        return self._conveyor.go_along(now_ns) if self._conveyor is not None else None

    def finish(self, state: JobState) -> int | None:
        """Wait for what is under way and say goodbye, as far as the state asks for it."""
        delivery, now_ns = self._delivery, self._clock.monotonic_ns()
        if delivery is None or self._is_closed or state is JobState.TERMINATED:
            return None
        self._is_ending, wants_end = True, self._wants_end(state)
        try:
            if wants_end and not self._has_said_end:
                labels = self._outgoing.labels()
                if not delivery.offer_end(labels, self._goodbye_id(), now_ns):
                    return delivery.retry_ns(now_ns)
            self._has_said_end = True
            delivery.settle(now_ns)
        except DeliveryTimeout:
            if state is JobState.FINISHED:
                raise
            return None
        must_arrive = wants_end or state is JobState.FINISHED
        return delivery.news_ns(now_ns) if delivery.under_way and must_arrive else None

    def progress(self) -> dict[str, Any]:
        sink = self._delivery.sink if self._delivery else None
        feed = self._conveyor.feed if self._conveyor else None
        counters = {
            "phase": self._phase,
            "elements": self.elements,
            "keyElements": self.key_elements,
            "loop": feed.loop if feed else 0,
            "nextSequence": feed.sequence if feed else None,
            "underWay": self._delivery.under_way if self._delivery else 0,
            "retries": sink.retries if sink else 0,
            "circuit": "open" if sink and sink.has_open_circuit else "closed",
            "deadLetters": self._delivery.dead_letters if self._delivery else 0,
            "shiftedMs": round(self._pacing.shifted_ns / 1e6, 3),
            "discrepancies": self._pacing.discrepancies,
            "timestampShift": self._outgoing.retiming.shift,
            **self._counters.document(),
        }
        return {"counters": counters}

    def close(self) -> None:
        """Let go of everything; what the ledger says is of no more use, since the job is over."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._conveyor is not None:
            self._conveyor.close()
        if self._ledger is not None:
            self._ledger.close()
            Path(self._context.ledger).unlink(missing_ok=True)
        if self._delivery is not None:
            self._delivery.sink.close()

    @property
    def _phase(self) -> str:
        if self._conveyor is None:
            return "anchor" if self._search is not None else "waiting"
        return "sink" if self._sink_since_ns is not None else self._conveyor.phase

    @property
    def _delivered(self) -> Delivery:
        if self._delivery is None:
            raise RuntimeError("there is no sink yet")
        return self._delivery

    def _read_description(self) -> None:
        self._spec = RestreamSpec.model_validate(self._description.get("restreamSpec") or {})
        self._outgoing.change(self._spec)
        self._pacing.change(self._spec.pacing or PacingSpec())
        self._limit_delivery()
        if self._conveyor is not None:
            self._conveyor.change(self._spec, self._outgoing)

    def _limit_delivery(self) -> None:
        if self._delivery is not None:
            self._delivery.limit_ns = int(self._spec.max_delivery_ms * 1e6)
            self._delivery.skips = self._spec.on_undelivered == "skip"

    def _find_ahead(self) -> None:
        """Open the sink while the job still waits, if the stream is there already."""
        source = find_source(self._shared, self._spec.source or StreamSource())
        if source is not None:
            self._open(source)

    def _open(self, source: Source) -> None:
        if self._delivery is not None:
            return
        spec, sink_spec = self._spec, self._spec.sink
        if sink_spec is None:
            raise MediaError("the job has no sink")
        stream = source.sink_stream(spec.resulting_stream or "")
        sink = self._open_sink(sink_spec, stream, self._context, self._former_mark())
        self._delivery = Delivery(sink, self._ledger, self._clock, 0)
        self._limit_delivery()

    def _find(self, now_ns: int) -> int:
        """Look for the place to begin; then wait for the sink."""
        goal, former = goal_of(self._spec), self._former
        source = find_source(self._shared, self._spec.source or StreamSource()) if former else None
        if former is not None and source is not None:
            if (former.stream, former.goal) == (source.number, goal):
                place = Place(former.sequence, former.first_sequence, former.loop, goal)
                self._begin(source, place, ElementKind(former.kind), now_ns)
                return now_ns
            self._open(source)
            self._seek()
        if self._search is None:
            started = self._started or self._clock.now()
            self._search = Search(self._shared, self._clock, self._spec, started)
        found = self._search.step(now_ns)
        if found is None:
            return self._search.wake_ns
        source, start = found
        self._note_start(start)
        sequence = start.stored.sequence
        self._begin(source, Place(sequence, sequence, goal=goal), start.stored.element.kind, now_ns)
        return now_ns

    def _note_start(self, start: Start) -> None:
        self._search = None
        self._counters.is_oldest = start.is_oldest
        if not self._counters.first_id:
            self._counters.first_id = start.stored.element.element_id

    def _begin(self, source: Source, place: Place, kind: ElementKind, now_ns: int) -> None:
        self._open(source)
        self._stream_clock.use(source.stream.time_base)
        self._outgoing.retiming.use(source.stream.time_base)
        feed = Feed(source, kind, self._shared, self._clock, place)
        self._conveyor = Conveyor(
            feed, self._delivered, self._pacing, self._stream_clock, self._counters, self._clock
        )
        self._conveyor.change(self._spec, self._outgoing)
        self._conveyor.forward_us, self._forward_us = self._forward_us, 0
        self._sink_since_ns = now_ns
        feed.get_ahead(self._spec)

    def _is_sink_ready(self) -> bool:
        """Whether somebody is there to receive; the first pause begins when that is found."""
        now_ns = self._clock.monotonic_ns()
        delivery, since_ns = self._delivered, self._sink_since_ns or now_ns
        delivery.settle(now_ns)
        if not delivery.sink.is_ready:
            if now_ns - since_ns > delivery.limit_ns:
                waited_ms = (now_ns - since_ns) / 1e6
                raise DeliveryTimeout(f"nobody was there to receive at the sink within {waited_ms:.0f} ms")
            return False
        self._sink_since_ns = None
        self._pacing.begin(now_ns)
        return True

    def _seek(self) -> None:
        """Go on from another place; what was read ahead is not sent."""
        if self._conveyor is not None:
            self._conveyor.close()
        self._conveyor = self._former = self._search = None
        self._pacing.forget()
        self._outgoing.retiming.begin_run()
        self._stream_clock.forget()

    def _former_mark(self) -> int | None:
        if self._ledger is not None and self._former is not None:
            return self._ledger.mark
        return None if self._forward_us else 0

    def _goodbye_id(self) -> bytes:
        """The id of the last end of stream: the same if a successor has to say it again."""
        made_ms = int.from_bytes(self.last_id[:6], "big")
        return derived_id(made_ms, f"{self._context.job_id}/{self.elements}")

    def _wants_end(self, state: JobState) -> bool:
        policy = self._spec.end_of_stream or _END_OF_STREAM
        wanted = {
            JobState.FINISHED: policy.on_finish,
            JobState.ERROR: policy.on_failure,
            JobState.CANCELLED: policy.on_cancel,
        }
        return self._conveyor is not None and wanted[state]
