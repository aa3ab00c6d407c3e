"""How steady the processor is: when a calculation that is always the same takes a multiple of its usual CPU.

On a virtual machine the clock of a processor may fall to a tenth for some ten milliseconds, with nothing to
see of it in the guest but that: CPU time is counted as usual, none as stolen. Whatever has a deadline then
misses it. So a benchmark of deadlines looks at the processor meanwhile, in a process of its own that uses a
hundredth of a core, and says how long it was slow. What a busy core takes from whoever waits for it is
not counted: that is of the measured program's making.

    python -m benchmarks.steadiness [--quick] [--seconds 30]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import pairwise
from multiprocessing.connection import Connection
from typing import NamedTuple

from benchmarks.beside import beside
from benchmarks.harness import Figure, Report, median, percentile, run

PERIOD_S = 0.005
CALCULATION = range(1_500)
SLOW = 3.0
"""Of its usual CPU that a calculation takes at least while the processor is slow."""


class Look(NamedTuple):
    """``began_s`` is wall time since the Unix epoch, ``cpu_s`` what the calculation took."""

    began_s: float
    cpu_s: float


class Stretch(NamedTuple):
    """A time, in seconds since the Unix epoch, in which every look found the processor slow."""

    began_s: float
    ended_s: float


class Span(NamedTuple):
    """Something that was measured: when it began, in seconds since the Unix epoch, and how long it took."""

    began_s: float
    took_ms: float


class Watch:
    """Asks the process beside for all that it has seen."""

    def __init__(self, process: Connection) -> None:
        self._process = process

    def looks(self) -> list[Look]:
        """Everything since the beginning, in order. Blocks until the process has answered."""
        self._process.send(None)
        return [Look(*one) for one in self._process.recv()]

    def slow_ms(self, first: datetime, span: timedelta) -> float:
        """How many milliseconds of ``span`` from ``first`` on the processor was slow."""
        since, until = first.timestamp(), (first + span).timestamp()
        slow = slow_stretches(self.looks())
        return sum(1000 * max(0.0, min(s.ended_s, until) - max(s.began_s, since)) for s in slow)

    def steady_ms(self, spans: Sequence[Span]) -> list[float]:
        """How long those of ``spans`` took that no slow stretch fell into. Blocks as `looks` does."""
        slow = slow_stretches(self.looks())
        return [
            took_ms
            for began_s, took_ms in spans
            if not any(s.began_s < began_s + took_ms / 1000 and s.ended_s > began_s for s in slow)
        ]


@contextmanager
def watched() -> Iterator[Watch]:
    """Watch the processor until the end of the block."""
    with beside(look_again_and_again) as process:
        yield Watch(process.connection)


def look_again_and_again(connection: Connection) -> None:
    """Calculate every `PERIOD_S`; each word that comes is answered with all looks. Never returns."""
    looks: list[tuple[float, float]] = []
    connection.send("looking")
    while True:
        began_s, cpu_s = time.time(), time.thread_time()
        sum(CALCULATION)
        looks.append((began_s, time.thread_time() - cpu_s))
        if connection.poll(PERIOD_S):
            connection.recv()
            connection.send(looks)


def slow_stretches(looks: Sequence[Look]) -> list[Stretch]:
    """When the processor was slow, each time from the first slow look to the next that was not."""
    limit_s = SLOW * median([look.cpu_s for look in looks])
    found: list[Stretch] = []
    for look, following in pairwise(looks):
        if look.cpu_s < limit_s:
            continue
        if found and found[-1].ended_s == look.began_s:
            found[-1] = found[-1]._replace(ended_s=following.began_s)
        else:
            found.append(Stretch(look.began_s, following.began_s))
    return found


def measure(report: Report, given: argparse.Namespace) -> None:
    """The processor on its own, with nothing else of ours running."""
    seconds = 10 if given.quick else given.seconds
    with watched() as watch:
        time.sleep(seconds)
        looks = watch.looks()
    took_us = [look.cpu_s * 1e6 for look in looks]
    slow = slow_stretches(looks)
    lengths_ms = [(stretch.ended_s - stretch.began_s) * 1000 for stretch in slow]
    usual = percentile(took_us, 50)
    report.add(Figure("a calculation, p50", "us CPU", usual))
    report.add(Figure("the same, p99", "us CPU", percentile(took_us, 99), usual, "p50"))
    report.add(Figure("the same, slowest", "us CPU", max(took_us), usual, "p50"))
    report.add(Figure("slow, of a minute", "times", len(slow) / seconds * 60))
    report.add(Figure("the longest of them", "ms", max(lengths_ms, default=0.0)))
    report.add(Figure("seconds in which it is slow for 10 ms or more", "%", 100 * _slow_share(looks, slow)))


def _slow_share(looks: Sequence[Look], slow: Sequence[Stretch]) -> float:
    """The share of whole seconds from the first look on in which 10 ms or more were slow."""
    first = looks[0].began_s
    per_second: dict[int, float] = {}
    for stretch in slow:
        second = int(stretch.began_s - first)
        per_second[second] = per_second.get(second, 0.0) + stretch.ended_s - stretch.began_s
    whole = int(looks[-1].began_s - first)
    return sum(1 for second, s in per_second.items() if s >= 0.01 and second < whole) / max(1, whole)


if __name__ == "__main__":
    run("Steadiness of the processor", measure, ("--seconds", 30))
