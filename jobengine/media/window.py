"""A range of time to be cut out."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Window:
    """From ``first_s`` to ``end_s`` (exclusive; None: to the end), seconds on the content's time."""

    first_s: Fraction
    end_s: Fraction | None = None

    def first_in(self, time_base: Fraction) -> int:
        """The first tick inside."""
        return round(self.first_s / time_base)

    def end_in(self, time_base: Fraction) -> int | None:
        """The first tick after it."""
        return None if self.end_s is None else round(self.end_s / time_base)
