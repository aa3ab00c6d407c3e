"""When garbage in cycles is looked for: a look stops every thread, the longer the more objects there are.

So processes with a loop to keep in time look by themselves, in quiet moments. The interpreter would look at
what is new whenever that is `MANY`: with hundreds of jobs that read ahead, several times a second, 10 to
100 ms each, and find nothing.
"""

from __future__ import annotations

import gc

from jobengine.clock import Clock

MANY = 50_000
"""New objects from which on a look is worth it. Most are no garbage: jobs in memory, what was read ahead for
hundreds of them. There is little in cycles: of errors, of statements."""
PATIENCE_NS = 60_000_000_000
"""How long it may wait for a quiet moment, unless something else is said."""


def look_no_more() -> None:
    """Before this process ends: the interpreter would look through everything that was loaded once more,
    which takes a service a quarter of a second."""
    gc.freeze()


class Garbage:
    """Collected by whoever has a quiet moment, in place of when it comes to many objects; after
    ``patience_ns`` without one, in any."""

    def __init__(self, clock: Clock, patience_ns: int = PATIENCE_NS) -> None:
        self._clock = clock
        self._patience_ns = patience_ns
        self._last_ns = clock.monotonic_ns()

    def begin(self) -> None:
        """From now on nothing but `look` collects, for the rest of this process. What is there now stays."""
        gc.collect()
        gc.freeze()
        gc.disable()

    def look(self, is_quiet: bool) -> None:
        """Collect if there may be much of it, in a quiet moment or once it has waited for long."""
        if gc.get_count()[0] < MANY:
            return
        now_ns = self._clock.monotonic_ns()
        if is_quiet or now_ns - self._last_ns > self._patience_ns:
            self._last_ns = now_ns
            gc.collect()
