"""Durable jobs and transitions per second through the whole engine.

A job here is created, started and finished (three transitions, so three rows of history) and has no media.
Ours is a real engine process, asked over its request socket; an answer counts, and it comes after the commit.
Beside it, by turns: DBOS Transact (workflows of one step, with its best number of threads), procrastinate
(jobs that do nothing), and the bare driver writing the very same rows, 100 transitions a commit. It begins
once the engine and its nursery are at rest. No clock runs while the benchmark makes what is sent or written
and reads the answers.

    python -m benchmarks.durable_jobs [--quick] [--rounds 5]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial

from benchmarks.databases import Postgresql, Sqlite
from benchmarks.engine_trial import THREE, EngineTrial
from benchmarks.harness import Figure, Report, median, postgres, run, scratch, take_turns
from benchmarks.peers import peer, serve_dbos, serve_procrastinate
from benchmarks.rigs import engine_process
from jobengine.history.database import Database

DBOS_THREADS = (1, 4, 8)
DBOS_TIMES = 10
FLOOR_SHARE = 0.4
Cases = dict[str, Callable[[], float]]


def measure(report: Report, given: argparse.Namespace) -> None:
    """SQLite, then PostgreSQL."""
    with scratch() as folder:
        measure_on(report, given, Sqlite(folder))
    with postgres() as server:
        measure_on(report, given, Postgresql(server))


def measure_on(report: Report, given: argparse.Namespace, kind: Sqlite | Postgresql) -> None:
    """Everything on one kind of database, by turns."""
    size = 500 if given.quick else 3_000
    with ExitStack() as stack:
        folder = stack.enter_context(scratch())
        url = kind.url("ours")
        rig = stack.enter_context(engine_process(folder, url))
        ours = stack.enter_context(Database(url))
        with Database(kind.url("floor")) as floor:
            floor.upgrade()
        trial = EngineTrial(rig, ours, stack.enter_context(kind.bare("floor")), size)
        trial.submit()
        others = other_cases(kind, stack, max(100, size // 10))
        cases: Cases = {"jobs": trial.submit, "bare jobs": trial.submit_bare}
        cases |= {"appended": trial.append, "bare appended": trial.append_bare}
        tell(report, kind.name, take_turns(cases | others, given.rounds))
        trial.check()


def other_cases(kind: Sqlite | Postgresql, stack: ExitStack, count: int) -> Cases:
    """DBOS with so many threads, and on PostgreSQL procrastinate; each answers with jobs per second."""
    dbos = stack.enter_context(peer(serve_dbos, kind.url("dbos")))
    dbos(8, 50)
    cases: Cases = {
        f"DBOS, {threads} threads": partial(_rate, partial(dbos, threads), count) for threads in DBOS_THREADS
    }
    if isinstance(kind, Postgresql):
        procrastinate = stack.enter_context(peer(serve_procrastinate, kind.url("procrastinate")))
        cases["procrastinate"] = partial(_rate, procrastinate, count * 2)
    return cases


def tell(report: Report, database: str, taken: Mapping[str, list[float]]) -> None:
    """Medians over the rounds."""
    rate = {name: median(values) for name, values in taken.items()}
    best = max((name for name in rate if name.startswith("DBOS")), key=rate.__getitem__)
    for name in (n for n in rate if n.startswith(("DBOS", "procrastinate"))):
        target, met = "", None
        if name == best:
            target, met = f">= {DBOS_TIMES}", rate["jobs"] >= DBOS_TIMES * rate[name]
        report.add(Figure(f"{database}: jobs", "/s", rate["jobs"], rate[name], name, target, met))
    steps = len(THREE)
    for what, unit in (("jobs", steps), ("appended", 1)):
        label = f"transitions, {'three to a new job' if what == 'jobs' else 'one to a request'}"
        mine, bare = rate[what] * unit, rate[f"bare {what}"] * unit
        met = mine >= FLOOR_SHARE * bare
        floor = f">= {FLOOR_SHARE}"
        report.add(Figure(f"{database}: {label}", "/s", mine, bare, "bare driver", floor, met))


def _rate(work: Callable[[int], float], count: int) -> float:
    return count / work(count)


if __name__ == "__main__":
    run("Durable jobs", measure, ("--rounds", 5))
