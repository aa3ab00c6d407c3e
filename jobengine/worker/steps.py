"""A worker as steps: it gives its thread back whenever it would wait, so that one thread can run many.

Whoever runs a worker resumes it with the commands that have come, at the latest at the moment for which it
asked. `run_alone` is for a process with one job; `jobengine.worker.shared` runs many.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Final

from jobengine.clock import Clock
from jobengine.messaging.worker_messages import ToWorker

Commands = Sequence[ToWorker]
NOTHING: Final[Commands] = ()
Steps = Generator[int, Commands, None]
"""Yields the monotonic time (ns) until which there is nothing to do; is sent the commands come meanwhile."""
Waiting = Generator[int, Commands, Commands]
"""Steps that end with the commands that came, or with `NOTHING`."""


def run_alone(steps: Steps, receive: Callable[[float], Commands], clock: Clock) -> None:
    """Run to the end; blocks. ``receive`` waits up to so many milliseconds for commands."""
    try:
        until_ns = next(steps)
        while True:
            wait_ms = max(0.0, (until_ns - clock.monotonic_ns()) / 1e6)
            until_ns = steps.send(receive(wait_ms))
    except StopIteration:
        return
