"""What the store costs over the bare driver, writing transitions in groups.

Ours: one batch per group with, for each job, a transition that has passed (INSERT), the job (guarded
UPDATE) and an event (INSERT), from records. Floor: ``sqlite3`` or psycopg doing ``executemany`` of the
same rows, made beforehand, in the same groups and transactions. Rounds alternate, so noise hits both.

    python -m benchmarks.grouped_commit [--group 100] [--rounds 30]
"""

from __future__ import annotations

import argparse
import os
import pwd
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.databases import BareStatements
from jobengine.history.batch import Expected, job_update
from jobengine.history.database import Database
from jobengine.history.rows import event_row, job_row, transition_row
from jobengine.history.store import SqlJobStore
from jobengine.model.record import EventRecord, JobRecord, TransitionRecord
from tests.contract.history.records import NOON, a_job, a_transition, settle
from tests.databases import PostgresServer

Decided = list[tuple[JobRecord, TransitionRecord, EventRecord]]
Driver = Callable[[list[tuple[str, list[tuple[Any, ...]]]]], None]


def main() -> None:
    """Measure both databases and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--group", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=30)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="jobengine-bench-"))
    try:
        measure_sqlite(folder, given.group, given.rounds)
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        measure_postgresql(folder, given.group, given.rounds)
    finally:
        shutil.rmtree(folder)


def measure_sqlite(folder: Path, group: int, rounds: int) -> None:
    """Both over SQLite in WAL with synchronous=FULL, each in a file of its own."""
    for name in ("ours", "floor"):
        with Database(f"sqlite:///{folder / name}.db") as database:
            database.upgrade()
    bare = sqlite3.connect(folder / "floor.db", isolation_level=None)
    bare.execute("PRAGMA synchronous = FULL")
    bare.execute("PRAGMA foreign_keys = ON")

    def run(work: list[tuple[str, list[tuple[Any, ...]]]]) -> None:
        bare.execute("BEGIN IMMEDIATE")
        for statement, rows in work:
            bare.executemany(statement, rows)
        bare.execute("COMMIT")

    with Database(f"sqlite:///{folder / 'ours.db'}") as database:
        report("SQLite WAL FULL", database, run, group, rounds)
    bare.close()


def measure_postgresql(folder: Path, group: int, rounds: int) -> None:
    """Both over a private PostgreSQL with its defaults, each in a database of its own."""
    server = PostgresServer(folder)
    server.start()
    try:
        for name in ("ours", "floor"):
            server.execute(f"CREATE DATABASE {name}")
            with Database(server.url(name)) as database:
                database.upgrade()
        with psycopg.connect(server.url("floor")) as bare, bare.cursor() as cursor:

            def run(work: list[tuple[str, list[tuple[Any, ...]]]]) -> None:
                for statement, rows in work:
                    cursor.executemany(statement.encode(), rows)
                bare.commit()

            with Database(server.url("ours")) as database:
                report("PostgreSQL", database, run, group, rounds)
    finally:
        server.stop()


def report(name: str, database: Database, run: Driver, group: int, rounds: int) -> None:
    """Alternate rounds of ours and the floor; print the medians and their ratio."""
    store, s = SqlJobStore(database), BareStatements(database.engine.dialect)
    mine, bare = [[a_job() for _ in range(group)] for _ in range(2)]
    with store.batch() as batch:
        for job in mine:
            batch.insert_job(job)
    run([(s.insert_job, [job_row(job) for job in bare])])
    ours, floor = [], []
    for number in range(1, rounds + 1):
        records = decided(mine, number)
        ours.append(timed(partial(write_ours, store, records, number)))
        floor.append(timed(partial(run, prepared(s, bare, number))))
    rates = [group / statistics.median(times) for times in (ours, floor)]
    print(f"{name}: ours {rates[0]:,.0f}/s, floor {rates[1]:,.0f}/s, ratio {rates[0] / rates[1]:.2f}")


def write_ours(store: SqlJobStore, records: Decided, number: int) -> None:
    """One group through the store, from records."""
    with store.batch() as batch:
        for job, transition, event in records:
            batch.insert_transition(transition)
            batch.update_job(job, number, 0)
            batch.append_event(event)


def prepared(
    s: BareStatements, jobs: list[JobRecord], number: int
) -> list[tuple[str, list[tuple[Any, ...]]]]:
    """The same group as statements and rows."""
    made = decided(jobs, number)
    return [
        (s.insert_transition, [transition_row(transition) for _, transition, _ in made]),
        (s.update_job, [job_update(job, Expected(number, 0)) for job, _, _ in made]),
        (s.insert_event, [event_row(event) for _, _, event in made]),
    ]


def decided(jobs: list[JobRecord], number: int) -> Decided:
    """What an engine would decide: each job passes one transition."""
    made = []
    for job in jobs:
        transition = a_transition(job, position=number)
        settle(job, transition)
        transition.time_stamp = NOON
        job.revision = number + 1
        event = EventRecord(NOON, "transition.passed", job.job_id, {"sequence": number})
        made.append((job, transition, event))
    return made


def timed(work: Callable[[], None]) -> float:
    """Seconds that ``work`` took."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
