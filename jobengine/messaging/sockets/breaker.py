"""A circuit breaker: a peer that fails again and again is left alone for a while.

Closed it lets everything through; after some failures in a row it opens for a span. Then sending is
tried again: another failure doubles the span up to a limit, a success closes it.
"""

from __future__ import annotations

from typing import Final

FAILURES: Final = 3
FIRST_SPAN_NS: Final = 1_000_000_000
LONGEST_SPAN_NS: Final = 30_000_000_000


class Breaker:
    """Told of every outcome, asked before every attempt. Knows no clock."""

    def __init__(self) -> None:
        self.failures = 0
        """Since the last success."""
        self._span_ns = FIRST_SPAN_NS
        self._open_until_ns: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether there were too many failures and no success since."""
        return self._open_until_ns is not None

    def admits(self, now_ns: int) -> bool:
        """Whether an attempt may be made now."""
        return self._open_until_ns is None or now_ns >= self._open_until_ns

    def succeeded(self) -> None:
        """A message was delivered, or a peer has come: all is well."""
        if self.failures:
            self.failures = 0
            self._span_ns = FIRST_SPAN_NS
            self._open_until_ns = None

    def failed(self, now_ns: int) -> None:
        """An attempt took too long."""
        if not self.admits(now_ns):
            return
        self.failures += 1
        if self._open_until_ns is not None:
            self._span_ns = min(2 * self._span_ns, LONGEST_SPAN_NS)
        elif self.failures < FAILURES:
            return
        self._open_until_ns = now_ns + self._span_ns
