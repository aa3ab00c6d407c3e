"""What engine and worker say to each other. Version 1.

Commands go one way, reports the other. A report carries a sequence number, is kept by the worker until
it is acknowledged, and is taken by the engine once: it drops what it has seen. Commands are idempotent
by the ids in them; what a worker may have missed is sent again as one ``Sync``.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import msgspec

from jobengine.model.condition import StreamReading
from jobengine.model.plan import Planned

PROTOCOL_VERSION = 1
MAX_FORK_BYTES = 65_536
"""Bound of one message between engine, nursery and the workers that it forked."""


class Command(msgspec.Struct, frozen=True, tag=True, tag_field="command"):
    """Base of what the engine tells a worker. ``engine`` is the id of one run of the engine."""

    engine: str


class PreviousOutput(msgspec.Struct, frozen=True):
    """A target that a former worker of the job was writing."""

    number: int
    graph: str
    path: str
    start_position: int


class Resume(msgspec.Struct, frozen=True):
    """Where a former worker of the job was at last, as far as is known, and when it was there."""

    position: int
    time: str
    outputs: tuple[PreviousOutput, ...]


class Assign(Command, frozen=True, kw_only=True, omit_defaults=True):
    """The job of a new worker: what to prepare, and everything that is still to pass.

    ``description`` is the effective one with that of the transition that needs the worker folded in.
    ``settled`` are the list positions that have passed, with their point on the stream clock.
    """

    job_id: str
    name: str
    kind: str
    state: str
    description: dict[str, Any]
    transitions: tuple[Planned, ...]
    settled: dict[int, int]
    revision: int
    host: str
    report_sequence: int
    output_count: int = 0
    first_running: str | None = None
    resume: Resume | None = None


class Sync(Command, frozen=True, omit_defaults=True):
    """Everything pending, as it stands in the database, and the last report taken."""

    acknowledged: int
    revision: int
    transitions: tuple[Planned, ...] = ()


class Arm(Command, frozen=True):
    """Further transitions for the plan."""

    revision: int
    transitions: tuple[Planned, ...]


class Withdraw(Command, frozen=True):
    """Take these transitions off the plan, if they are still pending, and say which were."""

    request: str
    transition_ids: tuple[str, ...]


class Fire(Command, frozen=True):
    """The event that these transitions wait for was raised."""

    transition_ids: tuple[str, ...]
    raised: str


class Acknowledge(Command, frozen=True):
    """Reports up to this sequence number are committed."""

    acknowledged: int


class Release(Command, frozen=True):
    """All is committed; the worker may end. ``fenced``: another owner has the job, end at once."""

    fenced: bool = False


class Position(msgspec.Struct, frozen=True, omit_defaults=True):
    """A point on a work's stream clock: ``pts`` in units of ``time_base`` (``"1/48000"``)."""

    pts: int
    time_base: str
    samples: int | None = None
    elements: int | None = None

    def document(self) -> dict[str, Any]:
        """The JSON value shown to clients."""
        members = {
            "pts": self.pts,
            "timeBase": self.time_base,
            "samples": self.samples,
            "elements": self.elements,
        }
        return {name: member for name, member in members.items() if member is not None}


class Report(msgspec.Struct, frozen=True, tag=True, tag_field="report", kw_only=True, omit_defaults=True):
    """Base of what a worker reports, in order and at least once."""

    sequence: int
    time: str
    position: Position


class Passed(Report, frozen=True, kw_only=True):
    """A planned transition was settled. ``skip`` is why it had no effect, if it had none."""

    transition_id: str
    state: str
    due: str | None = None
    lateness_ms: float = 0.0
    skip: str = ""
    info: dict[str, Any] = {}


class Changed(Report, frozen=True, kw_only=True):
    """The work changed its state by itself: prepared, end of input, failure, resumed after a gap."""

    requested: str
    state: str
    info: dict[str, Any]
    message: str = ""


class OutputOpened(Report, frozen=True, kw_only=True):
    """A target is being written."""

    number: int
    graph: str
    kind: str
    path: str | None = None
    url: str | None = None
    start_position: int = 0


class OutputClosed(Report, frozen=True, kw_only=True):
    """A target is complete."""

    number: int
    samples: int | None = None
    elements: int | None = None


AnyReport = Passed | Changed | OutputOpened | OutputClosed


class Hello(msgspec.Struct, frozen=True, tag=True, tag_field="report"):
    """A new worker asks for its job, again and again until it is assigned."""

    version: int
    process_id: int


class Counts(msgspec.Struct, frozen=True):
    """A stream clock at one moment, as in `jobengine.model.condition.StreamReading`; ``rate`` as ``n/d``."""

    position: int
    rate: str
    elements: int
    key_elements: int
    elapsed_ms: float

    @classmethod
    def of(cls, reading: StreamReading) -> Counts:
        """The counts of a reading."""
        rate = f"{reading.rate.numerator}/{reading.rate.denominator}"
        return cls(reading.position, rate, reading.elements, reading.key_elements, reading.elapsed_ms)

    @property
    def reading(self) -> StreamReading:
        """The same as a reading."""
        return StreamReading(
            self.position, Fraction(self.rate), self.elements, self.key_elements, self.elapsed_ms
        )


class Withdrawn(msgspec.Struct, frozen=True, tag=True, tag_field="report", omit_defaults=True):
    """Answer to ``Withdraw``: these are off the plan; the others had been settled or were unknown.

    ``counts``: where the stream clock stood at that moment.
    """

    request: str
    transition_ids: tuple[str, ...]
    counts: Counts | None = None


class WorkerSurroundings(msgspec.Struct, frozen=True):
    """What every worker of one service gets to know, as in `jobengine.ports.work.WorkContext`.

    ``address`` is the engine's. ``push_targets`` are URLs, each with the file of its key, or nothing.
    """

    address: str
    media_base: str
    media_roots: tuple[str, ...]
    url_schemes: tuple[str, ...]
    orphan_grace_s: float
    contents: str = ""
    results: str = ""
    result_lifetime_s: float = 10.0
    copy_urls: tuple[str, ...] = ()
    push_targets: tuple[tuple[str, str], ...] = ()


class Fork(msgspec.Struct, frozen=True):
    """The engine asks the nursery for a worker; ``group``: for a place in a worker that jobs share."""

    job_id: str
    spool: str
    log: str
    surroundings: WorkerSurroundings
    group: str = ""


class Keep(msgspec.Struct, frozen=True):
    """The engine's first word to a nursery: how many workers wait for jobs, and what they have ready.

    ``logs`` is the folder of the workers' logs, ``contents`` the URL of the store, empty if there is none;
    ``rehearsals`` a folder for what is left of a rehearsal, which the nursery empties first.
    """

    spares: int
    address: str
    logs: str
    rehearsals: str
    contents: str = ""


class Left(msgspec.Struct, frozen=True, tag=True):
    """A job has left a worker that goes on with others; ``status`` is 0, or 1 if the job was broken."""

    job_id: str
    process_id: int
    status: int


class NurseryReady(msgspec.Struct, frozen=True, tag=True):
    """The nursery has loaded everything: it forks what it is asked for."""


class Forked(msgspec.Struct, frozen=True, tag=True):
    """The nursery has forked a worker."""

    job_id: str
    process_id: int


class Exited(msgspec.Struct, frozen=True, tag=True):
    """A worker of the nursery has ended: its exit code, or minus the signal that killed it."""

    process_id: int
    status: int


class EndAtOnce(msgspec.Struct, frozen=True, tag=True):
    """Processes of one kind that should wait for jobs end as soon as they begin; none is made meanwhile."""

    kind: str
    pause_s: float


class Progress(msgspec.Struct, frozen=True, tag=True, tag_field="report", omit_defaults=True):
    """Heartbeat with live counters. Never stored; the next one replaces it."""

    state: str
    position: Position
    revision: int
    engine: str
    elapsed_s: float = 0.0
    speed: float = 0.0
    drops: int = 0
    late_ms: float = 0.0
    levels: dict[str, Any] = {}
    outputs: dict[int, int] = {}
    counters: dict[str, Any] = {}


FromWorker = AnyReport | Hello | Withdrawn | Progress
ToWorker = Assign | Sync | Arm | Withdraw | Fire | Acknowledge | Release

keep_decoder = msgspec.msgpack.Decoder(Keep)
fork_decoder = msgspec.msgpack.Decoder(Fork)
left_decoder = msgspec.msgpack.Decoder(Left)
FromNursery = NurseryReady | Forked | Exited | Left | EndAtOnce
nursery_decoder = msgspec.msgpack.Decoder(FromNursery)
from_worker = msgspec.msgpack.Decoder(FromWorker)
to_worker = msgspec.msgpack.Decoder(ToWorker)
encode = msgspec.msgpack.Encoder().encode
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoders raise for what is none of these messages."""
