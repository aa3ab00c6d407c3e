"""Bursts of triggers, and how late those of one were."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from benchmarks.harness import percentile


@dataclass(frozen=True, slots=True)
class Burst:
    """``count`` triggers that fall due evenly within ``span``, from ``first`` on."""

    first: datetime
    count: int
    span: timedelta

    @property
    def moments(self) -> list[datetime]:
        """When each is due."""
        return [self.first + self.span * (at / self.count) for at in range(self.count)]


@dataclass(frozen=True, slots=True)
class Lateness:
    """Of each trigger, in ms after it was due: its time stamp, and when it was known to be on disk."""

    decided: Sequence[float]
    on_disk: Sequence[float]

    def percentiles(self, percent: float) -> tuple[float, float]:
        """Of ``decided`` and of ``on_disk``."""
        return percentile(self.decided, percent), percentile(self.on_disk, percent)


@dataclass(frozen=True, slots=True)
class Round:
    """One burst, and for how many ms of it the processor was slow, which no program can help."""

    late: Lateness
    slow_ms: float

    def __str__(self) -> str:
        decided, on_disk = self.late.percentiles(99)
        return f"{decided:.1f} ({on_disk:.0f}) ms, slow for {self.slow_ms:.0f} ms"


def spread_places(pending: int, bursts: Sequence[Burst]) -> list[list[int]]:
    """For each of ``bursts`` the numbers of its rows: every so-manieth of ``pending``, shuffled."""
    every = [
        [
            int((at * len(bursts) + number) * pending / (burst.count * len(bursts)))
            for at in range(burst.count)
        ]
        for number, burst in enumerate(bursts)
    ]
    for number, places in enumerate(every):
        random.Random(number).shuffle(places)
    return every
