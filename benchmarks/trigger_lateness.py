"""How late Time triggers are when 10,000 fall due within one second and 1,000,000 are pending.

The pending ones go straight into the database, the engine is started over it and does the rest. Lateness is
what the history says (``latenessMs``). Memory and start-up are taken with 1,000 and with all of them pending.
Beside it APScheduler's SQL job store on SQLite with the 10,000 alone.

    python -m benchmarks.trigger_lateness [--quick] [--pending 1000000] [--due 10000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psutil
from sqlalchemy import func, select

from benchmarks.databases import Postgresql, Sqlite
from benchmarks.harness import Figure, Report, median, percentile, postgres, run, scratch, timed
from benchmarks.peers import peer, serve_apscheduler
from benchmarks.pending import fill
from benchmarks.rigs import bench_settings, started_engine
from jobengine.history.database import Database
from jobengine.history.tables import jobs, transitions
from jobengine.settings import Settings
from tests.waiting import wait_until

FEW = 1_000
P99_TARGET_MS = {"SQLite": 10.0, "PostgreSQL": 50.0}
SETTLE_S = 3.0
"""How long a started engine is left alone before its memory is read."""


@dataclass(frozen=True, slots=True)
class Idle:
    """An engine with nothing to do yet."""

    start_s: float
    rss_mb: float
    pss_mb: float


def measure(report: Report, given: argparse.Namespace) -> None:
    """SQLite with APScheduler beside it, then PostgreSQL."""
    if given.quick:
        given.pending, given.rounds = min(given.pending, 100_000), 2
    with scratch() as folder:
        kind = Sqlite(folder)
        with peer(serve_apscheduler, kind.url("apscheduler")) as apscheduler:
            others = [float(late) for late in apscheduler(given.due, 120.0)]
        measure_on(report, given, kind, others)
    with postgres() as server:
        measure_on(report, given, Postgresql(server), [])


def measure_on(
    report: Report, given: argparse.Namespace, kind: Sqlite | Postgresql, others: Sequence[float]
) -> None:
    """Memory with few and with many pending, then rounds of triggers that fall due."""
    with scratch() as folder:
        settings = bench_settings(folder, kind.url("ours"))
        (folder / "media").mkdir()
        far = datetime.now(UTC) + timedelta(days=1)
        with Database(settings.database) as database:
            database.upgrade()
            fill(database, FEW, far, timedelta(days=365))
            few = idle(settings)
            taken_s = timed(lambda: fill(database, given.pending - FEW, far, timedelta(days=365)))
            with database.writing() as connection:
                connection.exec_driver_sql("ANALYZE")
            print(f"{kind.name}: {given.pending:,} pending after {taken_s:.0f} s", flush=True)
            many = idle(settings)
            lead_s = 3 + 3 * taken_s * given.due / given.pending
            rounds = [fall_due(settings, database, given.due, lead_s) for _ in range(given.rounds)]
    tell_memory(report, kind.name, few, many, given.pending)
    tell_lateness(report, kind.name, rounds, others)


def idle(settings: Settings) -> Idle:
    """Start-up time and memory of an engine process."""
    start = time.perf_counter()
    with started_engine(settings) as rig:
        start_s = time.perf_counter() - start
        time.sleep(SETTLE_S)
        memory = psutil.Process(rig.process_id).memory_full_info()
        return Idle(start_s, memory.rss / 2**20, memory.pss / 2**20)


def fall_due(settings: Settings, database: Database, count: int, lead_s: float) -> list[float]:
    """Let ``count`` triggers fall due within a second, in ``lead_s``; how late each was in ms."""
    with started_engine(settings):
        first = datetime.now(UTC) + timedelta(seconds=lead_s)
        ids = fill(database, count, first, timedelta(seconds=1))
        if datetime.now(UTC) + timedelta(seconds=1) > first:
            raise RuntimeError("the triggers could not be written before they fell due")
        passed = transitions.c.status == "Passed"
        among = (transitions.c.job_id >= ids[0]) & (transitions.c.job_id <= ids[1])
        query = select(transitions.c.lateness_ms).where(passed, among)
        time.sleep((first - datetime.now(UTC)).total_seconds() + 1.5)

        def all_passed() -> bool:
            with database.reading() as connection:
                return connection.scalar(select(func.count()).select_from(query.subquery())) == count

        wait_until(all_passed, 120, "all triggers have passed")
        with database.reading() as connection:
            late_ms = [float(late) for late in connection.scalars(query)]
            mine = (jobs.c.job_id >= ids[0]) & (jobs.c.job_id <= ids[1])
            running = select(func.count()).where(jobs.c.current_state == "Running", mine)
            if connection.scalar(running) != count:
                raise RuntimeError("not every job is running")
        if min(late_ms) < 0:
            raise RuntimeError("a trigger fired early")
        return late_ms


def tell_lateness(
    report: Report, name: str, rounds: Sequence[Sequence[float]], others: Sequence[float]
) -> None:
    """Medians over the rounds of p50, p99 and the largest."""
    for what, percent in (("p50", 50), ("p99", 99), ("max", 100)):
        ours = median([percentile(late, percent) for late in rounds])
        other = percentile(others, percent) if others else None
        limit = P99_TARGET_MS[name] if what == "p99" else None
        report.add(
            Figure(
                f"{name}: lateness {what} of {len(rounds[0]):,}",
                "ms",
                ours,
                other,
                "APScheduler" if others else "",
                f"< {limit:.0f} ms" if limit else "",
                ours < limit if limit else None,
            )
        )
    each = ", ".join(f"{percentile(late, 99):.1f}" for late in rounds)
    print(f"{name}: p99 of the rounds: {each} ms", flush=True)


def tell_memory(report: Report, name: str, few: Idle, many: Idle, pending: int) -> None:
    """The engine with many pending beside the same with few."""
    for what, unit in (("rss_mb", "MB"), ("pss_mb", "MB"), ("start_s", "s")):
        ours, other = getattr(many, what), getattr(few, what)
        label = {"rss_mb": "RSS of the engine", "pss_mb": "PSS of the engine", "start_s": "start-up"}[what]
        flat = ours < other * 1.1 + (5 if unit == "MB" else 0.5)
        report.add(
            Figure(f"{name}: {label}, {pending:,} pending", unit, ours, other, f"with {FEW:,}", "flat", flat)
        )


if __name__ == "__main__":
    run("Lateness of triggers", measure, ("--pending", 1_000_000), ("--due", 10_000), ("--rounds", 3))
