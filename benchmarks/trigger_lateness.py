"""How late Time triggers are when 10,000 fall due within one second and 1,000,000 are pending.

The pending ones go straight into the database, the engine is started over it and does the rest. Those that
fall due lie among all the others, each on pages of its own where there are enough. Lateness is what the
history says (``latenessMs``: from due to decided), and what a listener finds: from due to the notice of the
commit. Every round is a burst of its own rows, one after the other in one engine, as in a service that runs:
the first finds all pages cold. How long the processor itself was slow in that second stands beside each round
(``benchmarks.steadiness``). Memory and start-up are taken with 1,000 and with all of them pending. Beside
it, on SQLite, two others: a bare poller over a due table with as many rows (``benchmarks.due_table``), whose
bursts come between ours, and APScheduler's SQL job store with the 10,000 alone. Of the poller the time stamps
in its rows are beside ours (``latenessMs`` is told by such a one, too: the moment for which was decided), and
its commits beside the notices.

CPU of the thread that decides is told in two parts: what it has used before a burst, most of it for finding
out ahead what will pass, and from `EVE` on.

    python -m benchmarks.trigger_lateness [--quick] [--only sqlite|postgresql]
                                          [--pending 1000000] [--due 10000] [--rounds 3]

The databases are built once (``benchmarks.prepared``), which takes a minute and more.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import psutil
import zmq
from sqlalchemy import select

from benchmarks import due_table, prepared
from benchmarks.bursts import Burst, Lateness, Round
from benchmarks.harness import Figure, Report, median, percentile, run, scratch
from benchmarks.peers import peer, serve_apscheduler
from benchmarks.pending import make_due
from benchmarks.rigs import EngineRig, bench_settings, started_engine
from benchmarks.steadiness import watched
from jobengine.clock import from_text
from jobengine.history.database import Database
from jobengine.history.tables import jobs, transitions
from jobengine.messaging.addresses import addresses
from jobengine.messaging.engine_messages import Committed
from jobengine.settings import Settings

FEW = 1_000
MS = timedelta(milliseconds=1)
SECOND = timedelta(seconds=1)
LEAD = {"SQLite": timedelta(seconds=30), "PostgreSQL": timedelta(seconds=45)}
"""How long making rows fall due, a start and a look at the memory take, before the engine reads ahead."""
GAP = timedelta(seconds=20)
"""From burst to burst, so that each is on disk and told, and the due table has had its turn, before the
engine looks ahead to the next."""
EVE = timedelta(milliseconds=500)
"""How long before a burst the CPU used so far is looked at."""
QUIET_MS = 2_000
"""How long nothing more is told before the notices are counted."""
STEADY_MS = 10.0
"""For how long the processor may be slow in a second that is called steady: a hundredth of what is due."""
PATIENCE_MS = 10_000
"""How long the first notice may take beyond the lead."""
P99_TARGET_MS = {"SQLite": 10.0, "PostgreSQL": 50.0}
SETTLE_S = 3.0
"""How long a started engine is left alone before its memory is read."""
_notice_decoder = msgspec.msgpack.Decoder(Committed)


@dataclass(frozen=True, slots=True)
class Idle:
    """An engine with nothing to do yet."""

    start_s: float
    rss_mb: float
    pss_mb: float


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU of the engine for a burst, in microseconds for each trigger. Deciding has a thread."""

    ahead_us: float
    deciding_us: float
    others_us: float


def measure(report: Report, given: argparse.Namespace) -> None:
    """SQLite with APScheduler beside it, then PostgreSQL."""
    if given.quick:
        given.pending, given.rounds = min(given.pending, 100_000), 2
    if given.pending < given.due * given.rounds:
        raise SystemExit("--pending must be as many as fall due in all --rounds together")
    if given.only != "postgresql":
        with scratch() as folder, peer(serve_apscheduler, f"sqlite:///{folder / 'peer'}") as apscheduler:
            scheduler_ms = [float(late) for late in apscheduler(given.due, 120.0)]
        measure_on(report, given, "SQLite", prepared.sqlite, scheduler_ms)
    if given.only != "sqlite":
        measure_on(report, given, "PostgreSQL", prepared.postgresql, [])


def measure_on(
    report: Report,
    given: argparse.Namespace,
    name: str,
    databases: Callable[[int], AbstractContextManager[str]],
    scheduler_ms: Sequence[float],
) -> None:
    """Memory with few and with many pending, and rounds of triggers that fall due."""
    with databases(FEW) as url, scratch() as folder, started(folder, url) as (rig, start_s):
        few = idle(rig, start_s)
    poller = due_table.poller if name == "SQLite" else no_poller
    ours, others, costs = [], [], []
    with databases(given.pending) as url, scratch() as folder, Database(url) as database:
        first = datetime.now(UTC) + LEAD[name]
        bursts = [Burst(first + GAP * number, given.due, SECOND) for number in range(given.rounds)]
        due = make_due(database, given.pending, bursts)
        with (
            poller(folder, given.pending, bursts) as other,
            started(folder, url) as (rig, start_s),
            notices(rig.settings) as socket,
            watched() as watch,
        ):
            many = idle(rig, start_s)
            for number, (burst, job_ids) in enumerate(zip(bursts, due, strict=True)):
                late, cost = fall_due(rig, socket, database, burst, job_ids)
                ours.append(Round(late, watch.slow_ms(burst.first, burst.span)))
                costs.append(cost)
                if other is not None:
                    turn, late = other(number)
                    others.append(Round(late, watch.slow_ms(turn.first, turn.span)))
    tell_memory(report, name, few, many, given.pending)
    tell_lateness(report, name, ours, scheduler_ms)
    if others:
        tell_turns(report, name, ours, others)
    tell_costs(report, name, costs)


@contextmanager
def no_poller(_folder: Path, _pending: int, _bursts: Sequence[Burst]) -> Iterator[None]:
    """Where there is nothing beside ours."""
    yield None


@contextmanager
def started(folder: Path, url: str) -> Iterator[tuple[EngineRig, float]]:
    """An engine process, and how long its start took in seconds."""
    (folder / "media").mkdir()
    start = time.perf_counter()
    with started_engine(bench_settings(folder, url)) as rig:
        yield rig, time.perf_counter() - start


def idle(rig: EngineRig, start_s: float) -> Idle:
    """Start-up time and memory of an engine process that has nothing to do yet."""
    time.sleep(SETTLE_S)
    memory = psutil.Process(rig.process_id).memory_full_info()
    return Idle(start_s, memory.rss / 2**20, memory.pss / 2**20)


def fall_due(
    rig: EngineRig, socket: zmq.Socket[bytes], database: Database, burst: Burst, due: Sequence[str]
) -> tuple[Lateness, Cost]:
    """Let the triggers of ``burst`` fall due. Raises RuntimeError unless exactly those pass, none early."""
    after_last = cpu_seconds(rig.process_id)
    time.sleep(max(0.0, (burst.first - EVE - datetime.now(UTC)) / SECOND))
    before = cpu_seconds(rig.process_id)
    heard = listen(socket, burst)
    spent = {thread: s - before.get(thread, 0.0) for thread, s in cpu_seconds(rig.process_id).items()}
    with database.reading() as connection:
        t = transitions.c
        wanted = select(t.job_id, t.lateness_ms, t.due_time).join(jobs, jobs.c.job_id == t.job_id)
        wanted = wanted.where(jobs.c.current_state == "Running", t.status == "Passed")
        passed = {
            row.job_id: row
            for row in connection.execute(wanted)
            if burst.first <= from_text(row.due_time) < burst.first + burst.span
        }
    if passed.keys() != set(due):
        raise RuntimeError(f"{len(passed):,} jobs are running, {len(due):,} should be")
    decided = [float(row.lateness_ms) for row in passed.values()]
    if min(decided) < 0:
        raise RuntimeError("a trigger fired early")
    told = [(heard[job_id] - from_text(row.due_time)) / MS for job_id, row in passed.items()]
    ahead_s = before[rig.process_id] - after_last[rig.process_id]
    deciding_s = spent.pop(rig.process_id)
    cost = Cost(*(s / len(due) * 1e6 for s in (ahead_s, deciding_s, sum(spent.values()))))
    return Lateness(decided, told), cost


def cpu_seconds(process_id: int) -> dict[int, float]:
    """What each thread of a process has used; the first, which decides, has the number of the process."""
    threads = psutil.Process(process_id).threads()
    return {thread.id: thread.user_time + thread.system_time for thread in threads}


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


def listen(socket: zmq.Socket[bytes], burst: Burst) -> dict[str, datetime]:
    """When each job of a burst was told of; what is heard is read afterwards, so as not to disturb."""
    packed: list[tuple[datetime, bytes]] = []
    heard: dict[str, datetime] = {}
    wait_ms = max(0, int((burst.first - datetime.now(UTC)) / MS)) + PATIENCE_MS
    while len(heard) < burst.count:
        if socket.poll(QUIET_MS if packed else wait_ms):
            packed.append((datetime.now(UTC), socket.recv()))
            continue
        if not packed:
            raise RuntimeError(f"only {len(heard):,} triggers have passed")
        for moment, message in packed:
            heard.update(dict.fromkeys(_notice_decoder.decode(message).job_ids, moment))
        packed.clear()
        wait_ms = PATIENCE_MS
    return heard


def tell_lateness(report: Report, name: str, rounds: Sequence[Round], scheduler_ms: Sequence[float]) -> None:
    """Medians over the rounds of p50, p99 and the largest; of p99 also over those with a steady processor."""
    for what, percent in (("p50", 50), ("p99", 99), ("max", 100)):
        ours, told = median_percentiles(rounds, percent)
        other = percentile(scheduler_ms, percent) if scheduler_ms else None
        limit = P99_TARGET_MS[name] if what == "p99" else None
        report.add(
            Figure(
                f"{name}: lateness {what} of {len(rounds[0].late.decided):,}",
                "ms",
                ours,
                other,
                "APScheduler" if scheduler_ms else "",
                f"< {limit:.0f} ms" if limit else "",
                ours < limit if limit else None,
            )
        )
        report.add(Figure(f"{name}: from due to on disk, {what}", "ms", told))
    tell_steady(report, name, "p99", rounds)
    tell_each(f"{name}: p99 decided (on disk), and for how long the processor was slow", rounds)


def tell_turns(report: Report, name: str, ours: Sequence[Round], others: Sequence[Round]) -> None:
    """The same beside the bare poller, whose bursts came between ours."""
    decided, on_disk = median_percentiles(ours, 99)
    others_decided, others_on_disk = median_percentiles(others, 99)
    for what, our, other in (("lateness", decided, others_decided), ("to on disk", on_disk, others_on_disk)):
        report.add(Figure(f"{name}: {what} p99, by turns", "ms", our, other, "bare due table"))
    tell_steady(report, name, "the due table's p99", others)
    tell_each("the bare due table, likewise", others)


def tell_steady(report: Report, name: str, what: str, rounds: Sequence[Round]) -> None:
    """What p99 is where the processor was steady, if it was in any round."""
    steady = [percentile(one.late.decided, 99) for one in rounds if one.slow_ms < STEADY_MS]
    if steady:
        label = f"{name}: {what} of the {len(steady)} of {len(rounds)} rounds with a steady processor"
        report.add(Figure(label, "ms", median(steady)))


def tell_each(heading: str, rounds: Sequence[Round]) -> None:
    """A line for every round."""
    print(f"{heading}:", *rounds, sep="\n  ", flush=True)


def median_percentiles(rounds: Sequence[Round], percent: float) -> tuple[float, float]:
    """Medians over the rounds, of decided and of on disk."""
    decided, on_disk = zip(*(one.late.percentiles(percent) for one in rounds), strict=True)
    return median(decided), median(on_disk)


def tell_costs(report: Report, name: str, costs: Sequence[Cost]) -> None:
    """Medians over the rounds."""
    whose = {
        "ahead_us": "thread that decides, a trigger, before it is due",
        "deciding_us": "thread that decides, a trigger, once it is due",
        "others_us": "engine's other threads, a trigger, once it is due",
    }
    for part, of in whose.items():
        report.add(Figure(f"{name}: CPU of the {of}", "us", median([getattr(cost, part) for cost in costs])))


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
    options = (("--pending", 1_000_000), ("--due", 10_000), ("--rounds", 3), ("--only", ""))
    run("Lateness of triggers", measure, *options)
