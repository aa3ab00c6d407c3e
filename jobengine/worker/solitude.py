"""How long a worker has been alone, as far as it could have heard anybody.

A process that stood still, with its machine or by itself, was spoken to by nobody and asked nobody: that its
service is away it knows only when it has asked again.
"""

from __future__ import annotations

from jobengine.clock import Clock


class Solitude:
    """The time without a word of any engine."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._looked_ns = clock.monotonic_ns()
        self._lasted_ns = 0

    def lasts_ns(self, heard_ns: int, apart_ns: int) -> int:
        """Since an engine was heard last, at ``heard_ns``. What lies between two looks counts as ``apart_ns``
        at most: whoever looks again later than that stood still."""
        now_ns = self._clock.monotonic_ns()
        if heard_ns >= self._looked_ns:
            self._lasted_ns = 0
        self._lasted_ns += min(now_ns - max(heard_ns, self._looked_ns), apart_ns)
        self._looked_ns = now_ns
        return self._lasted_ns
