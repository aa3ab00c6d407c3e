"""What every benchmark shares: taking turns, medians, one table, one JSON line per figure.

Absolute figures of a shared machine say little. So each benchmark takes ours and the other's by turns in
one run, and prints both with their ratio. What the machine was and how busy others kept it stands beside.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.databases import SERVER_USER, PostgresServer

RESULTS = Path(__file__).parent.parent / ".cache" / "benchmarks.jsonl"
"""Every figure ever measured in this clone, one JSON object per line."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. ``ratio`` is ours to the other's, as ``unit`` says which way is better."""

    what: str
    unit: str
    ours: float
    other: float | None = None
    other_is: str = ""
    target: str = ""
    met: bool | None = None

    @property
    def ratio(self) -> float | None:
        return self.ours / self.other if self.other else None


class Report:
    """Collects the figures of one benchmark and prints them at its end."""

    def __init__(self, title: str, quick: bool) -> None:
        self.title = title
        self._quick = quick
        self._figures: list[Figure] = []
        self._facts = machine()
        print(f"\n{title}{' (quick)' if quick else ''}\n{_sentence(self._facts)}", flush=True)

    def add(self, figure: Figure) -> None:
        """One more line, kept in the file at once."""
        self._figures.append(figure)
        line = {"benchmark": self.title, "quick": self._quick, **asdict(figure), "ratio": figure.ratio}
        RESULTS.parent.mkdir(exist_ok=True)
        with RESULTS.open("a") as file:
            file.write(json.dumps({**line, "time": time.time(), "machine": self._facts}) + "\n")

    def show(self) -> None:
        """The table."""
        rows = [("", "ours", "other", "ratio", "target", "")]
        rows += [_row(figure) for figure in self._figures]
        widths = [max(len(row[i]) for row in rows) for i in range(5)]
        for row in rows:
            cells = [row[0].ljust(widths[0]), *(row[i].rjust(widths[i]) for i in range(1, 5)), row[5]]
            print("  ".join(cells).rstrip())
        print(f"load average now {os.getloadavg()[0]:.1f}", flush=True)


def run(title: str, measure: Callable[[Report, argparse.Namespace], None], *options: Any) -> None:
    """The main function of a benchmark. ``options`` are (name, default), of whole numbers or of text."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes, rougher figures")
    for name, default in options:
        parser.add_argument(name, type=type(default), default=default)
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers are stopped on the way out
    report = Report(title, given.quick)
    try:
        measure(report, given)
    finally:
        report.show()


def take_turns(cases: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Run every case once per round, so that noise hits them alike; what each returned, round by round."""
    taken: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, case in cases.items():
            taken[name].append(case())
    return taken


def timed(work: Callable[[], Any]) -> float:
    """Seconds that ``work`` took."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that ``percent`` of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100).__int__() - 1)]


median = statistics.median


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="jobengine-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def postgres(kept: Path | None = None) -> Iterator[PostgresServer]:
    """A private PostgreSQL with its defaults (fsync on), gone afterwards; over a copy of what is ``kept``."""
    with scratch() as folder:
        if os.geteuid() == 0:
            shutil.chown(folder, SERVER_USER)
        server = PostgresServer(folder, kept)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def machine() -> dict[str, Any]:
    """What the figures were taken on, and how busy others keep it."""
    root = Path(__file__).parent
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=root, capture_output=True, text=True, check=False
    )
    return {
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "commit": commit.stdout.strip(),
        "load_average": os.getloadavg()[0],
        "foreign_cpu_percent": psutil.cpu_percent(interval=1.0),
    }


def _sentence(facts: Mapping[str, Any]) -> str:
    return (
        f"{facts['cores']} cores of {facts['cpu']}, Linux {facts['kernel']}, Python {facts['python']}, "
        f"commit {facts['commit']}; before it began others used {facts['foreign_cpu_percent']:.0f} % of all "
        f"cores, load average {facts['load_average']:.1f}"
    )


def _cpu_name() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _row(figure: Figure) -> tuple[str, str, str, str, str, str]:
    other = "" if figure.other is None else f"{_number(figure.other)} {figure.other_is}".strip()
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
    verdict = "" if figure.met is None else ("met" if figure.met else "MISSED")
    return (figure.what, f"{_number(figure.ours)} {figure.unit}", other, ratio, figure.target, verdict)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
