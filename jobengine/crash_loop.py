"""When a process that ends by itself is started no more, or only later: one rule for all processes of a
service."""

from __future__ import annotations

QUICK_S = 10.0
"""Who ends sooner than this after it was ready has ended as good as at once."""
LIMIT = 5
"""Failed starts and quick ends in a row that are too many. Processes that are killed from outside, one by one
or all with their template, come back; one that can't begin ends the service."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0


class CrashLoop:
    """Counts the ends of one process, or of one kind of them, that came too soon. For one thread."""

    def __init__(self) -> None:
        self._early_ends = 0

    def note_end(self, served_s: float | None) -> None:
        """It has ended by itself, so long after it was ready; None if it never was, however long it took."""
        is_early = served_s is None or served_s < QUICK_S
        self._early_ends = self._early_ends + 1 if is_early else 0

    @property
    def is_over(self) -> bool:
        """Whether it is to be started no more."""
        return self._early_ends >= LIMIT

    @property
    def pause_s(self) -> float:
        """How long it is to be left alone if a service can do without it: not at all until `is_over`, then
        twice as long each time."""
        if not self.is_over:
            return 0.0
        doublings = min(self._early_ends - LIMIT, 10)
        return min(FIRST_PAUSE_S * 2.0**doublings, LONGEST_PAUSE_S)
