"""When a process that ends by itself is started no more, or only later: one rule for all processes of a
service."""

from __future__ import annotations

QUICK_S = 10.0
"""An end sooner than this after the start is a quick one; a slow machine takes some seconds to get so far."""
LIMIT = 5
"""Quick ends in a row that are too many. Processes that are killed from outside, one by one or all with their
template, come back; one that can't begin ends the service within seconds."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0


class CrashLoop:
    """Counts the quick ends of one process, or of one kind of them. For one thread."""

    def __init__(self) -> None:
        self._quick_ends = 0

    def note_end(self, age_s: float) -> None:
        """It has ended by itself, ``age_s`` after its start."""
        self._quick_ends = self._quick_ends + 1 if age_s < QUICK_S else 0

    @property
    def is_over(self) -> bool:
        """Whether it is to be started no more."""
        return self._quick_ends >= LIMIT

    @property
    def is_at_last_start(self) -> bool:
        """Whether one more quick end is one too many."""
        return self._quick_ends == LIMIT - 1

    @property
    def pause_s(self) -> float:
        """How long it is to be left alone if a service can do without it: not at all until `is_over`, then
        twice as long each time."""
        if not self.is_over:
            return 0.0
        doublings = min(self._quick_ends - LIMIT, 10)
        return min(FIRST_PAUSE_S * 2.0**doublings, LONGEST_PAUSE_S)
