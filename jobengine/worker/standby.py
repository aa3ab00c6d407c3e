"""When processes that wait for jobs are made: before they are needed, not beside jobs that begin, and ever
more seldom if they end at once.

Who waits, and who gets a job, is known to `jobengine.worker.spares` and `jobengine.worker.shared_workers`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from jobengine.clock import Clock
from jobengine.crash_loop import CrashLoop

START_MS, BETWEEN_MS = 40, 50
"""What the start of a job takes, as long as which no process is made; and how far apart they are made."""


class Waiting(Protocol):
    """Processes of one kind that wait for jobs."""

    @property
    def is_full(self) -> bool:
        """Whether as many wait as should."""
        ...

    def add(self) -> int:
        """Make one more; its process id."""
        ...


@dataclass(slots=True)
class _Kind:
    """``made``: the ids of those that were made and have had no job yet."""

    name: str
    waiting: Waiting
    crashes: CrashLoop = field(default_factory=CrashLoop)
    made: set[int] = field(default_factory=set)
    not_before_ns: int = 0


class Standby:
    """Makes what ``kinds`` lack, those that come first in it first. For one thread.

    ``tell`` is called with the name of a kind that ends at once, and for how many seconds none is made.
    """

    def __init__(
        self, kinds: Mapping[str, Waiting], clock: Clock, tell: Callable[[str, float], None]
    ) -> None:
        self._kinds = [_Kind(name, waiting) for name, waiting in kinds.items()]
        self._clock = clock
        self._tell = tell
        self._next_ns = 0

    def wait_ms(self) -> float | None:
        """How long until one is to be made, if nothing happens meanwhile; None while none is lacking."""
        moments_ns = [kind.not_before_ns for kind in self._kinds if not kind.waiting.is_full]
        if not moments_ns:
            return None
        return max(0.0, (max(self._next_ns, min(moments_ns)) - self._clock.monotonic_ns()) / 1e6)

    def make_one(self) -> None:
        """Make one of the first kind that lacks it and may have it now."""
        now_ns = self._clock.monotonic_ns()
        self._next_ns = now_ns + BETWEEN_MS * 1_000_000
        for kind in self._kinds:
            if not kind.waiting.is_full and kind.not_before_ns <= now_ns:
                kind.made.add(kind.waiting.add())
                return

    def note_start(self) -> None:
        """A job begins: what is lacking waits until that is through, and all those that began with it."""
        self._next_ns = max(self._next_ns, self._clock.monotonic_ns()) + START_MS * 1_000_000

    def note_job(self, process_id: int) -> None:
        """A process has got a job; how it ends is no longer a matter of its kind."""
        for kind in self._kinds:
            kind.made.discard(process_id)

    def note_end(self, process_id: int, served_s: float | None) -> None:
        """A process has ended, so long after it was ready; None if it never was."""
        now_ns = self._clock.monotonic_ns()
        for kind in self._kinds:
            if process_id not in kind.made:
                continue
            kind.made.remove(process_id)
            kind.crashes.note_end(served_s)
            pause_s = kind.crashes.pause_s
            if pause_s:
                kind.not_before_ns = now_ns + int(pause_s * 1e9)
                self._tell(kind.name, pause_s)
