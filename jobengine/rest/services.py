"""What the REST API is given to work with, made by the composition root once per http process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from jobengine.clock import Clock
from jobengine.history.keys import ApiKeys
from jobengine.history.reader import JobReader
from jobengine.history.whole_jobs import WholeJobs
from jobengine.messaging.engine_client import EngineClient
from jobengine.model.roots import MediaRoots
from jobengine.ports.contents import ContentStore
from jobengine.rest.priors import Priors
from jobengine.settings import Settings


class Notices(Protocol):
    """Tells that the engine has committed something. Thread-safe."""

    @property
    def count(self) -> int:
        """How many notices have come; never falls."""
        ...

    @property
    def has_ended(self) -> bool:
        """Whether the process stops, and whoever waits should end too."""
        ...

    def wait(self, after: int, timeout_s: float) -> int:
        """Block until `count` is larger than ``after``, at most ``timeout_s``; the count then."""
        ...


class Task(Protocol):
    """Something that a thread of this process does again and again. Thread-safe."""

    @property
    def name(self) -> str:
        """What metrics call it."""
        ...

    @property
    def failures(self) -> int:
        """How often it has failed; never falls."""
        ...

    def overdue_s(self) -> float:
        """How long it should have been done again and was not, in seconds."""
        ...


@dataclass(frozen=True, slots=True)
class ProxyBefore:
    """The proxy that stands before this process. ``secret`` shows that a request was marked by it;
    ``answers`` tells how many requests it has answered without asking. Thread-safe."""

    secret: str
    answers: Callable[[], int]


@dataclass(frozen=True, slots=True)
class HttpServices:
    """``engine`` answers writes; ``probe`` asks the same engine with a short timeout, for readiness.

    ``check_migrations`` raises when the tables are not those of this version. ``worker_log`` is where the
    log of a job's workers is. ``shut_down`` tells the service to end, and returns at once.
    ``tasks`` are shown by the metrics. ``proxy`` is None where clients reach this process directly.
    """

    settings: Settings
    contents: ContentStore
    reader: JobReader
    whole_jobs: WholeJobs
    priors: Priors
    keys: ApiKeys
    engine: EngineClient
    probe: EngineClient
    clock: Clock
    notices: Notices
    roots: MediaRoots
    check_migrations: Callable[[], None]
    worker_log: Callable[[str], Path]
    shut_down: Callable[[], None]
    tasks: Sequence[Task] = ()
    proxy: ProxyBefore | None = None
