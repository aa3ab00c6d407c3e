"""A job about which something raises, among others: their histories are what they would be without it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from jobengine.engine.commands import Commands
from jobengine.engine.decisions import Decisions
from jobengine.engine.edits import Edits
from jobengine.engine.events import EventFirer
from jobengine.engine.host import HostRunner
from jobengine.engine.losses import Losses
from jobengine.engine.reports import ReportTaker
from jobengine.engine.requests import Requests
from jobengine.engine.workers import Workers
from jobengine.errors import JobEngineError
from jobengine.ids import new_id
from jobengine.messaging.engine_messages import AnyRequest, ChangeJob, RemoveTransition
from jobengine.testing import InMemoryEngine
from tests.unit.engine.documents import after, at, immediate, job, on, pipe_job

SORTS = ("host", "timer", "pipe", "lost")
NAMES = ("a", "poison", "z")
"""The poison is neither the first nor the last of each group."""
PLACES = [
    (HostRunner, "look_ahead"),
    (HostRunner, "advance"),
    (HostRunner, "_pass"),
    (EventFirer, "_fire_one"),
    (ReportTaker, "take"),
    (ReportTaker, "_opened"),
    (Losses, "lost"),
    (Losses, "_close_outputs"),
    (Commands, "greet"),
    (Commands, "_assign"),
    (Commands, "heard"),
    (Commands, "acknowledge"),
    (Commands, "fire"),
    (Edits, "begin"),
    (Edits, "_carry_out"),
    (Requests, "submit"),
    (Requests, "change"),
    (Workers, "launch"),
    (Decisions, "complete"),
    (Decisions, "touch"),
    (Decisions, "output"),
]
Story = Mapping[str, Any]


def name_of(argument: Any) -> str | None:
    """Of the job that an argument is, or is about."""
    return getattr(getattr(argument, "record", argument), "name", None)


class Poison:
    """Raises where a method is called about the job named so; ``times`` at most, if that is not None."""

    def __init__(self, times: int | None) -> None:
        self.left = times
        self.raised = 0
        self.job_ids: set[str] = set()

    def spoil(self, monkeypatch: pytest.MonkeyPatch, owner: type, name: str) -> None:
        method = getattr(owner, name)

        def spoilt(itself: Any, *args: Any, **named: Any) -> Any:
            if self.left != 0 and any(self.is_meant(argument) for argument in args):
                self.left = None if self.left is None else self.left - 1
                self.raised += 1
                raise KeyError("poison")
            return method(itself, *args, **named)

        monkeypatch.setattr(owner, name, spoilt)

    def is_meant(self, argument: Any) -> bool:
        return name_of(argument) == "poison" or getattr(argument, "job_id", "") in self.job_ids


def play(stage: InMemoryEngine, poison: Poison) -> dict[str, str]:
    """Three jobs of each sort do the same at the same time, asked for in one group; their ids."""
    jobs: dict[str, str] = {}
    documents: list[tuple[str, Callable[..., dict[str, Any]], list[dict[str, Any]]]] = [
        ("host", job, [at("00:05", "Start"), on("go", "Pause"), after(60_000, "Finish")]),
        ("timer", job, [immediate("Start"), after(8_000, "Start"), at("00:20", "Finish")]),
        ("pipe", pipe_job, [at("00:03", "Start"), on("go", "Pause"), at("00:12", "Finish")]),
        ("lost", pipe_job, [immediate("Start"), after(60_000, "Finish")]),
    ]
    for sort, make, transitions in documents:
        asked = [
            stage.submission(make(*transitions, name=name), idempotency_key=sort + name) for name in NAMES
        ]
        stage.send(*asked)
        stage.settle()
        for name, request in zip(NAMES, asked, strict=True):
            with suppress(JobEngineError):
                jobs[f"{sort} {name}"] = stage.answer_to(request).job_id
        poison.job_ids = {job_id for name, job_id in jobs.items() if "poison" in name}
    stage.advance(timedelta(seconds=6))
    ask_each(stage, jobs, "pipe", lambda job_id: remove_last(stage, job_id))
    stage.raise_event("go")
    ask_each(stage, jobs, "timer", lambda job_id: pause(stage, job_id))
    for name in NAMES:
        lose_worker(stage, jobs.get(f"lost {name}"))
    stage.settle()
    stage.advance(timedelta(seconds=30))
    return jobs


def ask_each(
    stage: InMemoryEngine, jobs: Mapping[str, str], sort: str, request: Callable[[str], AnyRequest]
) -> None:
    requests = [request(jobs[f"{sort} {name}"]) for name in NAMES if f"{sort} {name}" in jobs]
    stage.send(*requests)
    stage.settle()
    assert all(one.request_id in stage.answers for one in requests)


def pause(stage: InMemoryEngine, job_id: str) -> AnyRequest:
    drafts = stage.submission(job(immediate("Pause"))).drafts
    return ChangeJob(request_id=new_id(), actor="test", job_id=job_id, drafts=drafts)


def remove_last(stage: InMemoryEngine, job_id: str) -> AnyRequest:
    planned = stage.transitions(job_id)[-1].transition_id
    return RemoveTransition(request_id=new_id(), job_id=job_id, transition_id=planned)


def lose_worker(stage: InMemoryEngine, job_id: str | None) -> None:
    if job_id is not None and (process_id := stage.job(job_id).worker_process_id):
        stage.workers.kill(process_id)


def stories(stage: InMemoryEngine, jobs: Mapping[str, str]) -> dict[str, Story]:
    """What there is to tell of the jobs but for the poison, without ids and hashes."""
    return {name: story(stage, job_id) for name, job_id in jobs.items() if "poison" not in name}


def story(stage: InMemoryEngine, job_id: str) -> Story:
    rows = [
        (
            t.trigger,
            t.status,
            t.current_proc_state,
            t.time_stamp,
            t.due_time,
            t.lateness_ms,
            t.stream_position,
        )
        for t in stage.transitions(job_id)
    ]
    outputs = [(o.number, o.samples, o.elements, o.closed, o.start_time) for o in stage.outputs(job_id)]
    return {"rows": rows, "outputs": outputs, "state": stage.state(job_id), "feed": feed(stage, job_id)}


def feed(stage: InMemoryEngine, job_id: str) -> list[Any]:
    with sqlite3.connect(str(stage.database.url.database)) as connection:
        wanted = "SELECT type, time FROM events WHERE job_id = ? ORDER BY sequence"
        found = list(connection.execute(wanted, (job_id,)))
    connection.close()
    return found


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, Story]:
    with InMemoryEngine() as stage:
        jobs = play(stage, Poison(0))
        assert [stage.state(jobs[f"{sort} a"]) for sort in SORTS] == ["Paused", "Finished", "Paused", "Error"]
        assert stage.outputs(jobs["pipe a"])
        return stories(stage, jobs)


@pytest.mark.parametrize("times", [1, None], ids=["once", "always"])
@pytest.mark.parametrize(("owner", "name"), PLACES, ids=[f"{o.__name__}.{n}" for o, n in PLACES])
def test_all_others_go_on_as_if_nothing_were(
    monkeypatch: pytest.MonkeyPatch,
    undisturbed: dict[str, Story],
    owner: type,
    name: str,
    times: int | None,
) -> None:
    poison = Poison(times)
    poison.spoil(monkeypatch, owner, name)
    with InMemoryEngine() as stage:
        jobs = play(stage, poison)
        assert poison.raised > 0
        assert stories(stage, jobs) == undisturbed
        assert stage.reader.count_jobs() == len(jobs)
        assert stage.audit().is_intact
