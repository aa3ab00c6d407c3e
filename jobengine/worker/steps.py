"""A worker as steps: it gives its thread back whenever it would wait, so that one thread can run many.

Whoever runs a worker resumes it with the commands that have come, at the latest at the moment for which it
asked: see `jobengine.worker.course`.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Final, NamedTuple

from jobengine.clock import Clock
from jobengine.messaging.worker_messages import ToWorker

Commands = Sequence[ToWorker]
NOTHING: Final[Commands] = ()


class Pause(NamedTuple):
    """There is nothing to do until ``until_ns``, in monotonic time, but for what a work has planned: that may
    go along up to ``along_until_ns``. Unless it ``hears``, commands wait for the next pause."""

    until_ns: int
    along_until_ns: int = 0
    hears: bool = True


def breath(clock: Clock) -> Pause:
    """Between two parts of a long step: a job whose moment has come goes first."""
    return Pause(clock.monotonic_ns(), hears=False)


Steps = Generator[Pause, Commands, None]
"""Is sent the commands that came during the pause."""
Waiting = Generator[Pause, Commands, Commands]
"""Steps that end with the commands that came, or with `NOTHING`."""
