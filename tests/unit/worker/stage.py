"""A worker's runtime in the test's own thread: waiting for a command moves the clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Any

from jobengine.messaging.worker_channel import BEAT_NS
from jobengine.messaging.worker_messages import (
    AnyReport,
    Arm,
    Assign,
    Changed,
    FromWorker,
    Passed,
    Progress,
    Resume,
    ToWorker,
    Withdrawn,
)
from jobengine.model.plan import Planned
from jobengine.model.roots import MediaRoots
from jobengine.ports.work import Work, WorkContext, goes_by_elements
from jobengine.testing import ManualClock
from jobengine.worker.course import Course, run_alone
from jobengine.worker.ending import Ending
from jobengine.worker.reporter import Reporter
from jobengine.worker.runtime import Runtime
from jobengine.worker.stop_signal import StopSignal

ENGINE = "engine-1"


class ScriptedLink:
    """In place of a `WorkerLink`: commands come at their time, reports are kept, waits are counted."""

    beat_ns = BEAT_NS

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._script: list[tuple[int, ToWorker | Callable[[], object]]] = []
        self.reports: list[AnyReport] = []
        self.said: list[FromWorker] = []
        self.start_ns = clock.monotonic_ns()
        self.waits = 0

    def at(self, ms: float, happening: ToWorker | Callable[[], object]) -> None:
        """Let a command arrive, or something happen, that long after the start."""
        self._script.append((self.start_ns + int(ms * 1e6), happening))
        self._script.sort(key=lambda entry: entry[0])

    def report(self, report: AnyReport) -> None:
        self.reports.append(report)

    def say(self, message: FromWorker) -> None:
        self.said.append(message)

    def was_acknowledged(self) -> bool:
        """The script has commands only."""
        return False

    def flush(self) -> None:
        """Reports are sent at once."""

    def receive(self, timeout_ms: float) -> list[ToWorker]:
        self.waits += 1
        end_ns = self._clock.monotonic_ns() + int(timeout_ms * 1e6)
        arrival_ns = min([end_ns, *(moment for moment, _ in self._script[:1])])
        wait_us = max(0, -(-(arrival_ns - self._clock.monotonic_ns()) // 1000))
        self._clock.advance(timedelta(microseconds=wait_us))
        commands: list[ToWorker] = []
        while self._script and self._script[0][0] <= self._clock.monotonic_ns():
            happening = self._script.pop(0)[1]
            if callable(happening):
                happening()
            else:
                commands.append(happening)
        return commands


class Stage:
    """One run of a runtime. ``goes_along``: what is planned needs no step, as where jobs share a process."""

    def __init__(self) -> None:
        self.goes_along = False
        self.clock = ManualClock()
        self.link = ScriptedLink(self.clock)
        self.signals = StopSignal()

    def run(
        self,
        work: Work,
        transitions: Sequence[Planned] = (),
        resume: Resume | None = None,
        **assign: Any,
    ) -> Runtime:
        """Run to the final state."""
        members: dict[str, Any] = {
            "job_id": "job",
            "name": "",
            "kind": "pipe",
            "state": "Pending",
            "description": {},
            "settled": {},
            "revision": 1,
            "host": "test",
            "report_sequence": 0,
        }
        told = Assign(engine=ENGINE, transitions=tuple(transitions), resume=resume, **members | assign)
        context = WorkContext(
            "job",
            "test",
            MediaRoots(PurePosixPath("/media")),
            resume_position=resume.position if resume else 0,
            **self.context_members(),
        )
        reporter = Reporter(self.link, self.clock, told)  # type: ignore[arg-type]
        ending = Ending(self.signals, lambda: False, 60.0)
        runtime = Runtime(told, work, context, reporter, self.clock, ending)
        course = Course(runtime.steps())
        if self.goes_along and goes_by_elements(work):
            course.work = work
        run_alone(course, self.link.receive, self.clock)
        return runtime

    def context_members(self) -> dict[str, Any]:
        """What else the work gets to know."""
        return {}

    def arm(self, ms: float, *transitions: Planned) -> None:
        """Let transitions arrive."""
        self.link.at(ms, Arm(ENGINE, 2, tuple(transitions)))

    @property
    def passed(self) -> list[tuple[str, str, int]]:
        """(transition, state, sample) of each planned transition."""
        reports = [report for report in self.link.reports if isinstance(report, Passed)]
        return [(report.transition_id, report.state, report.position.pts) for report in reports]

    @property
    def changed(self) -> list[Changed]:
        """What happened without a plan."""
        return [report for report in self.link.reports if isinstance(report, Changed)]

    @property
    def beats(self) -> list[Progress]:
        return [message for message in self.link.said if isinstance(message, Progress)]

    @property
    def withdrawn(self) -> list[Withdrawn]:
        return [message for message in self.link.said if isinstance(message, Withdrawn)]


def planned(position: int, trigger_type: str, state: str, **members: Any) -> Planned:
    """A transition whose id is its place in words."""
    description = members.pop("description", None)
    trigger = {"type": trigger_type, "requestedProcState": state, **members}
    return Planned(f"t{position}", position, trigger, description)


def start() -> Planned:
    """Starts at once, first in the list."""
    return planned(0, "Immediate", "Start")
