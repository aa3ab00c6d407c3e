"""How late Time triggers are when 10,000 fall due within one second and 1,000,000 are pending.

The pending ones go straight into the database, the engine is started over it and does the rest. Those that
fall due lie among all the others, each on pages of its own where there are enough. Lateness is what the
history says (``latenessMs``: from due to decided), and what a listener finds: from due to the notice of the
commit. Memory and start-up are taken with 1,000 and with all of them pending. Beside it APScheduler's SQL job
store on SQLite with the 10,000 alone.

    python -m benchmarks.trigger_lateness [--quick] [--pending 1000000] [--due 10000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psutil
import zmq
from sqlalchemy import select

from benchmarks.databases import Postgresql, Sqlite
from benchmarks.harness import Figure, Report, median, percentile, postgres, run, scratch, timed
from benchmarks.peers import peer, serve_apscheduler
from benchmarks.pending import fill, make_due
from benchmarks.rigs import bench_settings, started_engine
from jobengine.clock import from_text, to_text
from jobengine.history.database import Database
from jobengine.history.tables import jobs, transitions
from jobengine.messaging.addresses import addresses
from jobengine.messaging.engine_messages import notice_decoder
from jobengine.settings import Settings

FEW = 1_000
MS = timedelta(milliseconds=1)
MIN_LEAD_S = 8.0
HEAD_START_S = 2.5
"""How long the engine may look ahead before the first trigger falls due."""
PATIENCE_MS = 5_000
"""How long nothing more is told before the notices are counted."""
P99_TARGET_MS = {"SQLite": 10.0, "PostgreSQL": 50.0}
SETTLE_S = 3.0
"""How long a started engine is left alone before its memory is read."""


@dataclass(frozen=True, slots=True)
class Idle:
    """An engine with nothing to do yet."""

    start_s: float
    rss_mb: float
    pss_mb: float


@dataclass(frozen=True, slots=True)
class Lateness:
    """Of each trigger, in ms after it was due: when it was decided, and when it was known to be on disk."""

    decided: list[float]
    on_disk: list[float]


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
            database.checkpoint()
            print(f"{kind.name}: {given.pending:,} pending after {taken_s:.0f} s", flush=True)
            many = idle(settings)
            lead_s = MIN_LEAD_S + taken_s
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


def fall_due(settings: Settings, database: Database, count: int, lead_s: float) -> Lateness:
    """Let ``count`` triggers fall due within a second, in ``lead_s``."""
    first = datetime.now(UTC) + timedelta(seconds=lead_s)
    due = make_due(database, count, first, timedelta(seconds=1))
    database.checkpoint()
    with started_engine(settings), notices(settings) as socket:
        if datetime.now(UTC) + timedelta(seconds=HEAD_START_S) > first:
            raise RuntimeError("the engine was not up in time before they fell due")
        time.sleep((first - datetime.now(UTC)).total_seconds())
        heard = listen(socket, count)
    with database.reading() as connection:
        mine = (jobs.c.current_state == "Running") & (transitions.c.status == "Passed")
        wanted = select(jobs.c.job_id, transitions.c.lateness_ms, transitions.c.due_time).join(
            transitions, transitions.c.job_id == jobs.c.job_id
        )
        passed = {
            row[0]: row
            for row in connection.execute(wanted.where(mine, transitions.c.due_time >= to_text(first)))
        }
    if passed.keys() != set(due):
        raise RuntimeError(f"{len(passed):,} jobs are running, {count:,} should be")
    decided = [float(row.lateness_ms) for row in passed.values()]
    if min(decided) < 0:
        raise RuntimeError("a trigger fired early")
    told = [(heard[job_id] - from_text(row.due_time)) / MS for job_id, row in passed.items()]
    return Lateness(decided, told)


@contextmanager
def notices(settings: Settings) -> Iterator[zmq.Socket[bytes]]:
    """What the engine tells everybody once it is on disk."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(zmq.SUB)
    socket.setsockopt(zmq.SUBSCRIBE, b"")
    socket.connect(addresses(settings.data).notices)
    yield socket
    socket.close(0)
    context.term()


def listen(socket: zmq.Socket[bytes], count: int) -> dict[str, datetime]:
    """When each job was told of, until there are ``count``; read afterwards, so as not to disturb."""
    packed: list[tuple[datetime, bytes]] = []
    heard: dict[str, datetime] = {}
    while len(heard) < count:
        if socket.poll(PATIENCE_MS):
            packed.append((datetime.now(UTC), socket.recv()))
            continue
        if not packed:
            raise RuntimeError(f"only {len(heard):,} triggers have passed")
        for moment, message in packed:
            heard.update(dict.fromkeys(notice_decoder.decode(message).job_ids, moment))
        packed.clear()
    return heard


def tell_lateness(report: Report, name: str, rounds: Sequence[Lateness], others: Sequence[float]) -> None:
    """Medians over the rounds of p50, p99 and the largest."""
    for what, percent in (("p50", 50), ("p99", 99), ("max", 100)):
        ours = median([percentile(late.decided, percent) for late in rounds])
        other = percentile(others, percent) if others else None
        limit = P99_TARGET_MS[name] if what == "p99" else None
        report.add(
            Figure(
                f"{name}: lateness {what} of {len(rounds[0].decided):,}",
                "ms",
                ours,
                other,
                "APScheduler" if others else "",
                f"< {limit:.0f} ms" if limit else "",
                ours < limit if limit else None,
            )
        )
        told = median([percentile(late.on_disk, percent) for late in rounds])
        report.add(Figure(f"{name}: from due to on disk, {what}", "ms", told))
    each = ", ".join(f"{percentile(late.decided, 99):.1f}" for late in rounds)
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
