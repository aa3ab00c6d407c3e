"""What a work, its worker and the timer of the engine promise each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol, TypeGuard

from jobengine.model.condition import Milestone
from jobengine.model.lifecycle import JobState
from jobengine.model.roots import MediaRoots

Json = Any


@dataclass(frozen=True, slots=True)
class WorkContext:
    """What a work may know of its surroundings.

    ``resume_position`` is the last position known of a former worker, ``previous_outputs`` what it was
    writing (graph, path, start position); both empty for a first worker. ``contents`` is the URL of the
    contents store, which a work opens itself (`jobengine.contents.opening`); empty if there is none.
    ``ledger`` is a file for what must survive the worker, empty if it may keep none.
    ``results`` is the folder of results that somebody waits for, each for ``result_lifetime_s`` at most;
    ``copy_urls`` are what the URLs of object stores may begin with.
    """

    job_id: str
    host: str
    roots: MediaRoots
    first_running: datetime | None = None
    resume_position: int = 0
    previous_outputs: Sequence[tuple[str, Path, int]] = ()
    contents: str = ""
    ledger: str = ""
    results: str = ""
    result_lifetime_s: float = 10.0
    copy_urls: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class WorkOutput:
    """A target that a work writes. ``samples`` or ``elements`` grow until ``is_closed``."""

    graph: str
    kind: str
    path: str | None
    url: str | None
    start_position: int
    samples: int | None
    elements: int | None
    is_closed: bool


class Work(Protocol):
    """One kind of work, driven by the worker's runtime from one thread.

    The runtime owns the plan and the clocks and applies changes exactly where they are due. How a work goes
    on is told by `TickWork` or `ElementWork`; each kind is one of them. Every method may raise MediaError.
    """

    @property
    def rate(self) -> Fraction:
        """Ticks of the stream clock per second; fixed after `prepare`."""
        ...

    @property
    def position(self) -> int:
        """The stream clock in ticks. Stands still unless the runtime lets the work go on."""
        ...

    @property
    def outputs(self) -> Sequence[WorkOutput]:
        """All targets in the order of their opening."""
        ...

    def prepare(self, description: Mapping[str, Json], context: WorkContext) -> None:
        """Open and verify everything that can be without writing. May take a while."""
        ...

    def start(self, at: datetime) -> None:
        """Open the targets; called once, at the first Running."""
        ...

    def apply(self, change: Mapping[str, Json]) -> None:
        """Change the description at exactly the present position."""
        ...

    def progress(self) -> dict[str, Json]:
        """Live counters beside the position: levels, drops."""
        ...

    @property
    def result(self) -> Mapping[str, Json]:
        """What came of it at its end, for the history; empty where the outputs say all."""
        ...

    def close(self) -> None:
        """Finish the targets so that they are complete and valid. Idempotent."""
        ...


class TickWork(Work, Protocol):
    """A work on an even stream clock: it is told how far to go, never further than the next transition."""

    @property
    def is_paced(self) -> bool:
        """Whether the host's clock paces the work; otherwise it runs as fast as it can."""
        ...

    @property
    def block_ticks(self) -> int:
        """The most ticks that one `advance` should be asked for."""
        ...

    @property
    def at_end(self) -> bool:
        """Whether the input has come to its end."""
        ...

    def advance(self, ticks: int) -> int:
        """Work on; the ticks really done: fewer than asked at the end of the input, or while that is not
        reached (`at_end`) because the input lets wait for more than some 100 ms."""
        ...

    def discard(self, ticks: int) -> None:
        """Let a live input go on while paused; what stands still when paused ignores it."""
        ...


class ElementWork(Work, Protocol):
    """A work that goes from element to element, each at a moment of its own.

    It never waits: each step says when it wants the next one, in the host's monotonic nanoseconds. Its
    stream clock moves when an element is handed on, by the media time since the element before.
    """

    @property
    def elements(self) -> int:
        """How many elements were handed on."""
        ...

    @property
    def key_elements(self) -> int:
        """How many of them were key elements."""
        ...

    @property
    def last_id(self) -> bytes:
        """The id of the last one; empty before the first."""
        ...

    @property
    def ended(self) -> str:
        """Why there is nothing more to come, in words; empty while there may be."""
        ...

    @property
    def behind_ms(self) -> float:
        """How late the last element was handed on."""
        ...

    @property
    def descriptors(self) -> Sequence[int]:
        """File descriptors whose readability is a reason for an early step now; others after another step."""
        ...

    @property
    def is_timely(self) -> bool:
        """Whether the next step has a moment to meet; otherwise it may wait for those of others that have."""
        ...

    @property
    def is_short(self) -> bool:
        """Whether a moment that nobody else needs would be well spent with `get_ahead`."""
        ...

    def get_ahead(self) -> None:
        """Do what can be done before the next step, for less than a millisecond. Raises nothing that the next
        step would not tell."""
        ...

    def go(self) -> None:
        """From now on the job runs (again)."""
        ...

    def step(self, milestone: Milestone | None) -> int:
        """Hand on what is due, for about a millisecond and no further than ``milestone``.

        When to be called again, at once if that is not after now.
        """
        ...

    def go_along(self, now_ns: int) -> int | None:
        """Hand on what is due of what the last step has planned. When to be called again; None: `step` has to
        be, as something else is to be looked at. Called only while nothing has happened since that step."""
        ...

    def finish(self, state: JobState) -> int | None:
        """Bring what was handed on home, before the job enters a final state. When to be called again; None:
        all is done, `close` may follow."""
        ...


def goes_by_elements(work: Work) -> TypeGuard[ElementWork]:
    """Whether a work is an `ElementWork`; every other one is a `TickWork`."""
    return hasattr(type(work), "step")


@dataclass(frozen=True, slots=True)
class WorkerProcess:
    """A worker to be forked. ``group``: a place in one that jobs of this group share will do."""

    job_id: str
    spool: Path
    log: Path
    group: str = ""


@dataclass(frozen=True, slots=True)
class WorkerStarted:
    """The launcher has started a worker."""

    job_id: str
    process_id: int


@dataclass(frozen=True, slots=True)
class WorkerEnded:
    """A worker process is gone. ``status``: exit code, minus the signal, or None if it can't be known.

    ``job_id``: only this job has left a process that others share.
    """

    process_id: int
    status: int | None
    job_id: str = ""


class WorkerLauncher(Protocol):
    """Starts worker processes and notices their end, also of workers that a former service started."""

    def launch(self, process: WorkerProcess) -> None:
        """Ask for a worker; returns at once, `WorkerStarted` follows. Until then it may be asked again."""
        ...

    def watch(self, process_id: int, job_id: str = "") -> bool:
        """Notice the end of a worker that was started before; False if it is gone already.

        ``job_id``: its job, if it is to have no other. Then False also of a process that is not that worker:
        ids of processes are used again.
        """
        ...

    def kill(self, process_id: int) -> None:
        """End a worker at once."""
        ...

    @property
    def failures(self) -> Mapping[str, int]:
        """How often it had to give up or replace a part of its own, by the name of the part; all parts that
        there are."""
        ...


class Timer(Protocol):
    """Wakes the engine."""

    def wake_at(self, moment: datetime | None) -> None:
        """Wake once at ``moment``; replaces what was asked before; None: not needed."""
        ...
