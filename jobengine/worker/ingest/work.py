"""Work kind ``ingest``: receives, makes durable, confirms, sends on.

Writers are answered when what they sent is durable. While the job is paused nothing is taken: what the
sockets can't hold then waits at the writers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any, Final

import zmq

from jobengine.clock import Clock, SystemClock
from jobengine.contents.catalogue import Catalogue
from jobengine.contents.opening import open_store
from jobengine.errors import MediaError
from jobengine.messaging.sockets.codecs import decoder
from jobengine.messaging.sockets.pool import SinkPool
from jobengine.messaging.sockets.reader import Outcome, SocketReader
from jobengine.model.condition import Milestone
from jobengine.model.ingest import IngestSpec, PassThroughSpec
from jobengine.model.lifecycle import JobState
from jobengine.model.sink import SinkTerms
from jobengine.model.socket_options import SourceOptions
from jobengine.model.socket_url import reader_url, sink_url
from jobengine.model.topic_filter import TopicFilter
from jobengine.ports.contents import ContentStore
from jobengine.ports.work import WorkContext, WorkOutput
from jobengine.worker.ingest.passing import Passing
from jobengine.worker.ingest.recording import Recording
from jobengine.worker.ingest.tracks import Tracks

RATE: Final = Fraction(1_000_000)
GROUP: Final = 512
"""How many messages are made durable together at most."""

PASSING_NS: Final = 1_000_000
LOOK_NS: Final = 100_000_000
"""The reader's socket wakes the job. So often it is looked at in any case, and the sink of what is passed on
while that waits."""

OpenStore = Callable[[str], ContentStore]


def new_ingest() -> IngestWork:
    """The work as a worker process runs it."""
    return IngestWork(SystemClock(), open_store)


class IngestWork:
    """One recording from a socket. The stream clock is media time in microseconds."""

    def __init__(self, clock: Clock, open_store: OpenStore) -> None:
        self._clock = clock
        self._open_store = open_store
        self._store: ContentStore | None = None
        self._context: zmq.Context[Any] | None = None
        self._pool: SinkPool | None = None
        self._reader: SocketReader | None = None
        self._passing: Passing | None = None
        self._tracks: Tracks | None = None
        self._recording: Recording | None = None
        self._base_us = 0
        self._is_closed = False

    @property
    def rate(self) -> Fraction:
        return RATE

    @property
    def position(self) -> int:
        return self._base_us + max((track.media_us() for track in self._tracks or ()), default=0)

    @property
    def elements(self) -> int:
        return self._recording.counts["elements"] if self._recording else 0

    @property
    def key_elements(self) -> int:
        return self._recording.counts["keyElements"] if self._recording else 0

    @property
    def last_id(self) -> bytes:
        return self._recording.last_id if self._recording else b""

    @property
    def ended(self) -> str:
        return ""

    @property
    def behind_ms(self) -> float:
        return 0.0

    @property
    def descriptors(self) -> Sequence[int]:
        """Those of the reader."""
        return self._reader.descriptors if self._reader else ()

    @property
    def is_timely(self) -> bool:
        return False

    @property
    def is_short(self) -> bool:
        return False

    def get_ahead(self) -> None:
        """There is nothing to know of what has not arrived."""

    def go_along(self, now_ns: int) -> int | None:
        """Nothing is planned of what has not arrived."""
        return None

    @property
    def outputs(self) -> Sequence[WorkOutput]:
        return [
            WorkOutput(track.content, "content", None, track.url, 0, None, track.elements, self._is_closed)
            for track in self._tracks or ()
        ]

    @property
    def result(self) -> Mapping[str, Any]:
        return self._counts()

    def prepare(self, description: Mapping[str, Any], context: WorkContext) -> None:
        spec = IngestSpec.model_validate(description.get("ingestSpec") or {})
        if spec.source is None or spec.source.url is None:
            raise MediaError("the job has no complete ingestSpec yet, so there is nothing to prepare")
        self._base_us = context.resume_position
        codec = decoder(spec.codec)
        store = self._store = self._open_store(context.contents)
        self._tracks = Tracks(store, Catalogue(store, self._clock), spec)
        self._recording = Recording(store, self._tracks, codec, context.job_id, not spec.metadata_only)
        self._context = zmq.Context()
        if spec.pass_through is not None:
            self._passing = self._open_passing(self._context, spec.pass_through)
        self._reader = SocketReader(
            self._context,
            reader_url(spec.source.url),
            spec.source.options.socket_options() if spec.source.options else SourceOptions(),
            spec.topics.topic_filter() if spec.topics else TopicFilter(),
            codec,
            self._clock,
        )

    def start(self, at: datetime) -> None:
        """The targets are opened when a source first says something."""

    def apply(self, change: Mapping[str, Any]) -> None:
        """Nothing of an ingest can change once it is prepared; the engine has checked that."""

    def go(self) -> None:
        """What the sockets hold is taken with the next step."""

    def step(self, milestone: Milestone | None) -> int:
        """Milestones are looked at after a group: what has arrived together is made durable together."""
        reader, recording = self._opened
        now_ns = self._clock.monotonic_ns()
        messages = reader.receive(GROUP)
        if messages:
            recording.take(messages)
            for message in messages:
                if message.outcome in (Outcome.TAKEN, Outcome.END):
                    reader.confirm(message)
                    if self._passing is not None:
                        self._passing.take(message)
            return now_ns
        if self._passing is not None:
            self._passing.go_on()
            if self._passing.is_waiting:
                return now_ns + PASSING_NS
        return now_ns + LOOK_NS

    def finish(self, state: JobState) -> int | None:
        """Nothing is on its way: what was received is durable."""
        if self._recording is not None and state is not JobState.TERMINATED:
            self._recording.end()
        return None

    def progress(self) -> dict[str, Any]:
        return {"counters": self._counts()}

    def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        for part in (self._reader, self._passing, self._pool, self._store):
            if part is not None:
                part.close()
        if self._context is not None:
            self._context.term()

    @property
    def _opened(self) -> tuple[SocketReader, Recording]:
        if self._reader is None or self._recording is None:
            raise MediaError("the ingest has not been prepared")
        return self._reader, self._recording

    def _open_passing(self, context: zmq.Context[Any], spec: PassThroughSpec) -> Passing:
        if spec.sink is None or spec.sink.url is None:
            raise MediaError("passThrough needs a sink")
        terms = spec.sink.options or SinkTerms()
        self._pool = SinkPool(context, self._clock)
        lane = self._pool.acquire(sink_url(spec.sink.url), terms.socket_options(), "")
        return Passing(lane, terms.inflight_ops, spec.metadata_only)

    def _counts(self) -> dict[str, Any]:
        counts: dict[str, Any] = dict(self._recording.counts) if self._recording else {}
        if self._passing is not None:
            counts |= {"passed": self._passing.passed, "passDropped": self._passing.dropped}
        if self._reader is not None and not self._is_closed:
            counts["peers"] = self._reader.peers
        return counts
