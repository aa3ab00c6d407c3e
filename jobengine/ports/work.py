"""What a work, its worker and the timer of the engine promise each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

from jobengine.model.roots import MediaRoots

Json = Any


@dataclass(frozen=True, slots=True)
class WorkContext:
    """What a work may know of its surroundings.

    ``resume_position`` is the last position known of a former worker, ``previous_outputs`` what it was
    writing (graph, path, start position); both empty for a first worker. ``contents`` is the URL of the
    contents store, which a work opens itself (`jobengine.contents.opening`); empty if there is none.
    """

    job_id: str
    job_name: str
    host: str
    roots: MediaRoots
    first_running: datetime | None = None
    resume_position: int = 0
    previous_outputs: Sequence[tuple[str, Path, int]] = ()
    contents: str = ""


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

    The runtime owns the plan and the clocks: it tells the work how far to go, never further than the next
    transition, and applies changes exactly there. Every method may raise MediaError.
    """

    @property
    def rate(self) -> Fraction:
        """Ticks of the stream clock per second; fixed after `prepare`."""
        ...

    @property
    def position(self) -> int:
        """The stream clock in ticks. Stands still unless `advance` moves it."""
        ...

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

    def advance(self, ticks: int) -> int:
        """Work on; the ticks really done, fewer than asked only at the end of the input."""
        ...

    def discard(self, ticks: int) -> None:
        """Let a live input go on while paused; what stands still when paused ignores it."""
        ...

    def progress(self) -> dict[str, Json]:
        """Live counters beside the position: levels, drops."""
        ...

    def close(self) -> None:
        """Finish the targets so that they are complete and valid. Idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class WorkerProcess:
    """A worker to be forked."""

    job_id: str
    spool: Path
    log: Path


@dataclass(frozen=True, slots=True)
class WorkerStarted:
    """The launcher has started a worker."""

    job_id: str
    process_id: int


@dataclass(frozen=True, slots=True)
class WorkerEnded:
    """A worker process is gone. ``status``: exit code, minus the signal, or None if it can't be known."""

    process_id: int
    status: int | None


class WorkerLauncher(Protocol):
    """Starts worker processes and notices their end, also of workers that a former service started."""

    def launch(self, process: WorkerProcess) -> None:
        """Ask for a worker; returns at once, `WorkerStarted` follows."""
        ...

    def watch(self, process_id: int) -> bool:
        """Notice the end of a worker that was started before; False if it is gone already."""
        ...

    def kill(self, process_id: int) -> None:
        """End a worker at once."""
        ...


class Timer(Protocol):
    """Wakes the engine."""

    def wake_at(self, moment: datetime | None) -> None:
        """Wake once at ``moment``; replaces what was asked before; None: not needed."""
        ...
