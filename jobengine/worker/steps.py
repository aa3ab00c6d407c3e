"""A worker as steps: it gives its thread back whenever it would wait, so that one thread can run many.

Whoever runs a worker resumes it with the commands that have come, at the latest at the moment for which it
asked: see `jobengine.worker.course`.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Final

from jobengine.messaging.worker_messages import ToWorker

Commands = Sequence[ToWorker]
NOTHING: Final[Commands] = ()
Steps = Generator[int, Commands, None]
"""Yields the monotonic time (ns) until which there is nothing to do; is sent the commands come meanwhile."""
Waiting = Generator[int, Commands, Commands]
"""Steps that end with the commands that came, or with `NOTHING`."""
