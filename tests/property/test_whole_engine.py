"""Whatever is asked, whatever dies and however the clock moves: the history is a path of the lifecycle."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from fractions import Fraction
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule

from jobengine.clock import from_text, to_text
from jobengine.errors import ConflictError, NotFoundError, UnavailableError
from jobengine.ids import new_id
from jobengine.messaging.engine_messages import ChangeTransition, Draft, RemoveTransition
from jobengine.model.lifecycle import TABLE, JobState
from jobengine.model.record import TransitionRecord
from jobengine.testing import InMemoryEngine, InProcessWorkers, ManualClock, SyntheticWork

RATE = 1000
ARROWS = {(arrow.source, arrow.requested): arrow.target for arrow in TABLE}
WORK = {"pipeSpec": {"inputGraph": [{"name": "In", "filter": [{"name": "FileReader", "filePath": "a.wav"}]}]}}
EVENTS = ["red", "green"]
requests = st.sampled_from(["None", "Wait", "Pause", "Start", "Start", "Start", "Finish", "Cancel"])


@st.composite
def triggers(draw: st.DrawFn) -> dict[str, Any]:
    """Any trigger; Time triggers hold milliseconds from now, to be made a time when posted."""
    members: dict[str, dict[str, Any]] = {
        "Immediate": {},
        "Duration": {"duration": draw(st.integers(0, 4000))},
        "Time": {
            "startTime": draw(st.integers(-3000, 8000)),
            "misfire": draw(st.sampled_from(["fire", "skip"])),
            "coalesce": draw(st.booleans()),
        },
        "Event": {"name": draw(st.sampled_from(EVENTS))},
        "Stream": {"condition": {"tsDeltaSec": {"maxDeltaSec": draw(st.integers(0, 4))}}},
    }
    kind = draw(st.sampled_from(sorted(members)))
    return {"type": kind, "requestedProcState": draw(requests), **members[kind]}


class Engine(RuleBasedStateMachine):
    jobs = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        clock = ManualClock()
        self.workers = InProcessWorkers(clock, lambda kind: SyntheticWork(RATE, block_ticks=500))
        self.engine = InMemoryEngine(clock, self.workers, restart_limit=2)
        self.final: dict[str, tuple[str, int]] = {}
        self.away = False

    def teardown(self) -> None:
        self.engine.close()

    @precondition(lambda self: not self.away)
    @rule(
        target=jobs,
        wanted=st.lists(triggers(), min_size=1, max_size=6),
        has_work=st.booleans(),
        policy=st.sampled_from(["never", "resume"]),
    )
    def submit(self, wanted: list[dict[str, Any]], has_work: bool, policy: str) -> str:
        transitions = [{"trigger": self._timed(trigger)} for trigger in wanted]
        if has_work:
            transitions[0]["jobDescription"] = WORK
        return self.engine.submit({"transitions": transitions, "restartPolicy": policy})

    @precondition(lambda self: not self.away)
    @rule(job_id=jobs, trigger=triggers())
    def append(self, job_id: str, trigger: dict[str, Any]) -> None:
        try:
            self.engine.append(job_id, {"trigger": self._timed(trigger)})
        except ConflictError:
            assert JobState(self.engine.state(job_id)).is_final

    @precondition(lambda self: not self.away)
    @rule(job_id=jobs, data=st.data(), trigger=triggers(), removes=st.booleans())
    def edit(self, job_id: str, data: st.DataObject, trigger: dict[str, Any], removes: bool) -> None:
        pending = [t.transition_id for t in self.engine.transitions(job_id) if t.status == "Pending"]
        if not pending:
            return
        members: dict[str, Any] = {
            "request_id": new_id(),
            "job_id": job_id,
            "transition_id": data.draw(st.sampled_from(pending)),
        }
        draft = Draft(self._timed(trigger))
        request = RemoveTransition(**members) if removes else ChangeTransition(**members, draft=draft)
        with contextlib.suppress(ConflictError, NotFoundError, UnavailableError):
            self.engine.ask(request)

    @precondition(lambda self: not self.away)
    @rule(name=st.sampled_from(EVENTS))
    def raise_event(self, name: str) -> None:
        self.engine.raise_event(name)

    @rule(span_ms=st.integers(1, 5000))
    def time_passes(self, span_ms: int) -> None:
        self.engine.advance(timedelta(milliseconds=span_ms))

    @rule(span_s=st.sampled_from([-3600, -1, 1, 3600]))
    def clock_is_set(self, span_s: int) -> None:
        self.engine.clock.jump(timedelta(seconds=span_s))

    @rule(job_id=jobs)
    def worker_dies(self, job_id: str) -> None:
        process_id = self.engine.job(job_id).worker_process_id
        if process_id:
            self.workers.kill(process_id)
            self.engine.settle()

    @precondition(lambda self: not self.away)
    @rule()
    def service_dies(self) -> None:
        self.engine.stop()
        self.away = True

    @precondition(lambda self: self.away)
    @rule()
    def service_returns(self) -> None:
        self.engine.start()
        self.away = False
        self.engine.settle()

    @invariant()
    def history_is_a_path_of_the_lifecycle(self) -> None:
        for job in self.engine.reader.list_jobs(limit=100).jobs:
            rows = self.engine.history(job.job_id)
            assert [row.sequence for row in rows] == list(range(1, len(rows) + 1))
            state = JobState.PENDING
            for row in rows:
                is_idle = row.status == "Skipped" or "refused" in (row.info or {})
                expected = state if is_idle else ARROWS[state, row.requested_proc_state]
                if row.requested_proc_state != "Update" and state is JobState.UPDATING:
                    expected = JobState(row.current_proc_state or "")
                assert row.current_proc_state == expected, (row, state)
                state = expected
            assert job.current_state is state
            self._stays_final(job.job_id, state, len(rows))
            self._nothing_is_early(rows)

    @invariant()
    def hash_chain_is_intact(self) -> None:
        assert self.engine.audit().findings == []

    def _stays_final(self, job_id: str, state: JobState, length: int) -> None:
        if state.is_final:
            assert self.final.setdefault(job_id, (state, length)) == (state, length)

    def _nothing_is_early(self, rows: list[TransitionRecord]) -> None:
        settled: dict[int, Fraction] = {}
        for row in rows:
            here = _seconds(row)
            if row.trigger["type"] == "Time":
                assert from_text(row.time_stamp or "") >= from_text(row.trigger["startTime"])
            if row.trigger["type"] == "Event":
                assert "event" in (row.info or {})
            if row.trigger["type"] == "Duration":
                before = max((place for place in settled if place < (row.position or 0)), default=None)
                since = settled[before] if before is not None else Fraction(0)
                assert here - since >= Fraction(row.trigger["duration"], 1000) - Fraction(1, RATE), row
            if row.position is not None:
                settled[row.position] = here

    def _timed(self, trigger: dict[str, Any]) -> dict[str, Any]:
        if trigger["type"] != "Time":
            return trigger
        start = self.engine.clock.now() + timedelta(milliseconds=trigger["startTime"])
        return {**trigger, "startTime": to_text(start)}


def _seconds(row: TransitionRecord) -> Fraction:
    position = row.stream_position or {"pts": 0, "timeBase": "1/1"}
    return int(position["pts"]) * Fraction(position["timeBase"])


Engine.TestCase.settings = settings(
    max_examples=settings().max_examples // 4,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestEngine = Engine.TestCase
