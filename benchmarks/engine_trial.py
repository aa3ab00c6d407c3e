"""One engine at work, and the bare driver writing the very same rows to another database of the same kind."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from itertools import count
from typing import Any

from sqlalchemy import Row, select

from benchmarks.databases import BareStatements, Work, Write
from benchmarks.rigs import EngineRig, accepted, message
from jobengine.history.database import Database
from jobengine.history.rows import EVENT_COLUMNS, JOB_COLUMNS, TRANSITION_COLUMNS
from jobengine.history.statements import JOB_FIXED
from jobengine.history.tables import events, jobs, transitions
from jobengine.messaging.engine_messages import ChangeJob, Draft, SubmitJob

WINDOW = 1_000
"""Requests in flight."""
PER_COMMIT = 100
"""Transitions that the bare driver commits together."""
APPENDED_TO = 1_000
"""Jobs that run while transitions are appended to them."""
CHANGES_EACH = 4
"""How often each of them pauses and goes on in a round, so that a round takes half a second: one of a seventh
told mostly how warm caches were."""

_COLUMN = {column.name: at for at, column in enumerate(jobs.columns)}
_CHANGED = [at for name, at in _COLUMN.items() if name not in JOB_FIXED]


def immediate(requested: str) -> Draft:
    """A transition that is due at once."""
    return Draft({"type": "Immediate", "requestedProcState": requested})


THREE = (immediate("Wait"), immediate("Start"), immediate("Finish"))


class EngineTrial:
    """Each method does its work once and answers with a rate per second."""

    def __init__(self, rig: EngineRig, ours: Database, bare: Write, jobs_at_once: int) -> None:
        self._rig, self._ours, self._bare = rig, ours, bare
        self._statements = BareStatements(ours.engine.dialect)
        self._size = jobs_at_once
        self._numbers = count()
        self._seen = ("", 0)
        self._jobs: list[Row[Any]] = []
        self._transitions: list[Row[Any]] = []
        self._events: list[Row[Any]] = []
        self._running: dict[str, tuple[Any, ...]] = {}

    def submit(self) -> float:
        """Jobs that were posted, started and finished."""
        named = [message(SubmitJob, next(self._numbers), drafts=THREE) for _ in range(self._size)]
        ids, seconds = self._drive(named)
        self._read_back(ids)
        return self._size / seconds

    def submit_bare(self) -> float:
        """The jobs of the last `submit`, bare."""
        group = PER_COMMIT // len(THREE)
        told = len(self._events) // len(self._jobs)
        groups: list[Work] = []
        for at in range(0, len(self._jobs), group):
            upto = at + group
            groups.append(
                [
                    (self._statements.insert_job, _tuples(self._jobs[at:upto])),
                    (self._statements.insert_transition, _tuples(self._transitions[at * 3 : upto * 3])),
                    (self._statements.insert_event, _untold(self._events[at * told : upto * told])),
                ]
            )
        return len(self._jobs) / self._commit(groups)

    def append(self) -> float:
        """Transitions appended to running jobs, one per request, passed."""
        if not self._running:
            self._start_jobs()
        packed = [
            message(ChangeJob, next(self._numbers), job_id=job_id, drafts=(immediate(requested),))
            for requested in ("Pause", "Start") * CHANGES_EACH
            for job_id in self._running
        ]
        _, seconds = self._drive(packed)
        self._read_back(self._running)
        return len(packed) / seconds

    def append_bare(self) -> float:
        """The transitions of the last `append` with the guarded change of their jobs, bare."""
        told = len(self._events) // len(self._transitions)
        now = {row[0]: tuple(row) for row in self._jobs}
        groups: list[Work] = []
        for at in range(0, len(self._transitions), PER_COMMIT):
            upto = at + PER_COMMIT
            made = _tuples(self._transitions[at:upto])
            changes = [self._change(now[row[1]]) for row in made]
            groups.append(
                [
                    (self._statements.insert_transition, made),
                    (self._statements.update_job, changes),
                    (self._statements.insert_event, _untold(self._events[at * told : upto * told])),
                ]
            )
        return len(self._transitions) / self._commit(groups)

    def check(self) -> None:
        """Every job that was finished has all its rows."""
        wanted = select(jobs.c.job_id).where(jobs.c.is_active.is_(False), jobs.c.history_length != len(THREE))
        with self._ours.reading() as connection:
            short = connection.scalars(wanted).all()
        if short:
            raise RuntimeError(f"{len(short)} jobs are not complete, {short[0]} for one")

    def _start_jobs(self) -> None:
        packed = [
            message(SubmitJob, next(self._numbers), drafts=(immediate("Start"),)) for _ in range(APPENDED_TO)
        ]
        ids, _ = self._drive(packed)
        self._read_back(ids)
        self._bare([(self._statements.insert_job, _tuples(self._jobs))])
        self._running = {row[0]: tuple(row) for row in self._jobs}

    def _drive(self, packed: list[bytes]) -> tuple[list[str], float]:
        """The jobs' ids, read once the clock has stopped, and for how long it ran."""
        start = time.perf_counter()
        answers = self._rig.drive(packed, WINDOW)
        seconds = time.perf_counter() - start
        return [accepted(answer).job_id for answer in answers], seconds

    def _commit(self, groups: Sequence[Work]) -> float:
        """Seconds for which the bare driver commits these groups, made before the clock starts."""
        start = time.perf_counter()
        for group in groups:
            self._bare(group)
        return time.perf_counter() - start

    def _change(self, job: tuple[Any, ...]) -> tuple[Any, ...]:
        before = self._running[job[0]]
        self._running[job[0]] = job
        return (*[job[i] for i in _CHANGED], job[0], before[_COLUMN["revision"]], before[_COLUMN["epoch"]])

    def _read_back(self, ids: Iterable[str]) -> None:
        """What the engine has written since the last time."""
        transition, event = self._seen
        wanted = set(ids)
        with self._ours.reading() as connection:
            made = select(*TRANSITION_COLUMNS).where(transitions.c.transition_id > transition)
            self._transitions = list(connection.execute(made.order_by(transitions.c.transition_id)))
            told = select(*EVENT_COLUMNS).where(events.c.sequence > event)
            self._events = list(connection.execute(told.order_by(events.c.sequence)))
            every = connection.execute(select(*JOB_COLUMNS).order_by(jobs.c.job_id))
            self._jobs = [row for row in every if row[0] in wanted]
        self._events.sort(key=lambda row: row.job_id or "")
        self._seen = (self._transitions[-1][0], max(row.sequence for row in self._events))


def _tuples(rows: Iterable[Row[Any]]) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in rows]


def _untold(rows: Iterable[Row[Any]]) -> list[tuple[Any, ...]]:
    """Events without the sequence that the database gives."""
    return [tuple(row)[1:] for row in rows]
