"""Runs one job's work along its plan.

Lets the work go on up to the next transition, settles what is due there, listens to the engine; how a
work goes on is its drive's. The plan lives here, so neither a slow nor a dead service delays a planned
change. Nothing here waits: `Runtime.steps` gives the thread back instead. What happens is reported through
`jobengine.worker.reporter`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from typing import TypeGuard

from jobengine.clock import Clock, from_text
from jobengine.errors import JobEngineError, TransitionNotAllowed
from jobengine.messaging.worker_messages import (
    Arm,
    Assign,
    Counts,
    Fire,
    Release,
    Resume,
    Sync,
    ToWorker,
    Withdraw,
    Withdrawn,
)
from jobengine.model.lifecycle import EngineRequest, JobState, RequestedState, decide
from jobengine.model.plan import Due, Plan
from jobengine.ports.work import TickWork, Work, WorkContext, goes_by_elements
from jobengine.worker.element_drive import ElementDrive
from jobengine.worker.ending import Ending
from jobengine.worker.reporter import Reporter
from jobengine.worker.steps import Pause, Steps, Waiting, breath
from jobengine.worker.tick_drive import TickDrive

IDLE_WAIT_NS = 200_000_000
_UNPREPARED_RATE = Fraction(1_000_000)


class Runtime:
    """One job from preparation to its final state."""

    def __init__(
        self,
        assign: Assign,
        work: Work,
        context: WorkContext,
        reporter: Reporter,
        clock: Clock,
        ending: Ending,
    ) -> None:
        self._assign = assign
        self._work = work
        self._context = context
        self._reporter = reporter
        self._clock = clock
        self._ending = ending
        self.state = JobState(assign.state)
        self._plan = Plan(_UNPREPARED_RATE)
        self._drive: TickDrive | ElementDrive | None = None
        self._first_running = context.first_running
        self._started_ns = clock.monotonic_ns()
        self._has_started = False
        self._progress_due_ns = 0
        self._looked = (clock.now(), 0.0)
        """When it was last looked what is due, and the milliseconds of host time since the job first ran.
        When to look next is reckoned from there, or what falls due in between would be missed."""

    def steps(self) -> Steps:
        """Work until a final state is reached and reported."""
        try:
            yield from self._prepare()
            while not self.state.is_final:
                if len(self._plan):
                    yield from self._settle_due()
                if not self.state.is_final:
                    yield from self._turn()
        except JobEngineError as error:
            yield from self._fail(error.detail, error.code)
        except Exception as error:
            self._reporter.log.exception("work.failed")
            yield from self._fail(f"{type(error).__name__}: {error}", "internal")

    @property
    def descriptors(self) -> Sequence[int]:
        """Whose readability is a reason for another step now."""
        return self._drive.descriptors if self._drive and self.state is JobState.RUNNING else ()

    @property
    def _driven(self) -> TickDrive | ElementDrive:
        if self._drive is None:
            raise RuntimeError("the work has not been prepared")
        return self._drive

    def _prepare(self) -> Steps:
        self._work.prepare(self._assign.description, self._context)
        yield breath(self._clock)
        settled = {place: Fraction(position) for place, position in self._assign.settled.items()}
        self._plan = Plan(self._work.rate, settled)
        self._drive = _drive(self._work, self._clock, self._ending)
        self._plan.arm(self._assign.transitions, self._clock.now(), self._drive.floor)
        self._reporter.prepared(self._work, self._assign.revision)
        if self._assign.resume is not None:
            self._take_up(self._assign.resume)
        yield from self._settle_due()
        if self.state is JobState.PENDING:
            yield from self._change(RequestedState.WAIT, {"reason": "prepared"})

    def _take_up(self, resume: Resume) -> None:
        """Go on where a former worker of this job ended, in the state that it was in."""
        target = JobState(self._assign.state)
        is_running = target is JobState.RUNNING
        gap_ms, samples = self._driven.gap(from_text(resume.time), resume.position)
        if not is_running:
            gap_ms = max(0.0, (self._clock.now() - from_text(resume.time)) / timedelta(milliseconds=1))
        info = {"reason": "resumed", "gapMs": round(gap_ms, 3), "fromPosition": self._work.position}
        if is_running:
            info["gapSamples"] = samples
            self._start_running()
        request = {JobState.RUNNING: RequestedState.START, JobState.PAUSED: RequestedState.PAUSE}
        self.state = target
        self._reporter.outputs(self._work)
        self._reporter.changed(request.get(target, RequestedState.WAIT), target, info, self._work)

    def _settle_due(self, until: datetime | None = None) -> Steps:
        while not self.state.is_final:
            self._looked = now, elapsed_ms = self._clock.now(), self._elapsed_ms()
            due = self._plan.take(now, self._driven.reading(elapsed_ms), until)
            if due is None:
                return
            yield from self._settle(due)

    def _settle(self, due: Due) -> Steps:
        moment = self._moment_of(due)
        info: dict[str, object] = {}
        if not due.skip:
            try:
                target = decide(self.state, str(due.trigger.requested_proc_state))
            except TransitionNotAllowed as error:
                info = {"refused": error.detail}
            else:
                if due.planned.description:
                    self._work.apply(due.planned.description)
                yield from self._enter(target)
        # Whoever sees the job run finds its outputs listed.
        self._reporter.outputs(self._work)
        self._reporter.passed(due, self.state, moment, info, self._work)
        yield breath(self._clock)

    def _enter(self, target: JobState) -> Steps:
        if target is JobState.RUNNING and self.state is not JobState.RUNNING:
            self._start_running()
        elif target.is_final:
            yield from self._close(target)
        elif self.state is JobState.RUNNING and target is not JobState.RUNNING:
            self._driven.anchor()
        self.state = target

    def _start_running(self) -> None:
        if not self._has_started:
            now = self._clock.now()
            self._first_running = self._first_running or now
            self._work.start(self._first_running)
            since_ns = (now - self._first_running) // timedelta(microseconds=1) * 1000
            self._started_ns = self._clock.monotonic_ns() - max(0, since_ns)
            self._has_started = True
        self._driven.anchor()

    def _turn(self) -> Steps:
        """As much work as is due, then the thread back until the next reason to do something."""
        end = self._ending.reason()
        if end:
            yield from self._change(EngineRequest.TERMINATE, {"reason": end})
            return
        until_ns = self._go_on()
        if self._driven.ended:
            yield from self._end()
            return
        self._heartbeat()
        limit_ns, moment = self._progress_due_ns, self._next_moment()
        if moment is not None:
            limit_ns = min(limit_ns, self._ns_of(moment))
        commands = yield from self._wait(until_ns, limit_ns)
        self._reporter.heard(commands)
        if commands or (moment is not None and moment <= self._clock.now()):
            yield from self._catch_up()
        for command in commands:
            self._obey(command)

    def _go_on(self) -> int:
        if self.state is JobState.RUNNING and not self._driven.ended:
            return self._driven.go_on(self._plan, self._elapsed_ms())
        if self._has_started:
            self._driven.stand_still()
        return self._clock.monotonic_ns() + IDLE_WAIT_NS

    def _wait(self, until_ns: int, limit_ns: int) -> Waiting:
        """A work that runs may use the time."""
        if self.state is JobState.RUNNING:
            return self._driven.wait(until_ns, limit_ns)
        return _wait_idly(min(until_ns, limit_ns))

    def _end(self) -> Steps:
        """There is nothing more to come."""
        info: dict[str, object] = {"reason": self._driven.ended}
        if result := self._work.result:
            info["result"] = result
        yield from self._change(RequestedState.FINISH, info)

    def _catch_up(self) -> Steps:
        """A paced work goes up to now before something unplanned is applied, so it takes effect now.

        What is planned for a moment takes effect where the work was to be then, also when it stood still.
        """
        goal = self._driven.due_position
        while self._is_running and self._driven.catch_up(self._plan, self._elapsed_ms(), goal):
            is_behind = self._work.position < goal
            yield from self._settle_due(self._driven.moment(self._clock.now()) if is_behind else None)

    @property
    def _is_running(self) -> bool:
        return self.state is JobState.RUNNING

    def _obey(self, command: ToWorker) -> None:
        now = self._clock.now()
        match command:
            case (
                Arm(revision=revision, transitions=transitions)
                | Sync(revision=revision, transitions=transitions)
            ):
                self._reporter.revision = revision
                self._plan.arm(transitions, now, self._driven.floor)
                for planned in transitions:
                    if planned.fired is not None:
                        self._plan.fire(planned.transition_id, from_text(planned.fired))
            case Withdraw(request=request, transition_ids=ids):
                gone = tuple(i for i in ids if self._plan.withdraw(i))
                counts = Counts.of(self._driven.reading(self._elapsed_ms()))
                self._tell_progress()  # first: no more is left of what counts from here than was asked for
                self._reporter.say(Withdrawn(request, gone, counts))
            case Fire(transition_ids=ids, raised=raised):
                for transition_id in ids:
                    self._plan.fire(transition_id, from_text(raised))
            case Release(fenced=True):
                self._ending.fence()
            case _:
                return

    def _heartbeat(self) -> None:
        """Tell what the work does, now and then."""
        if self._clock.monotonic_ns() >= self._progress_due_ns:
            self._tell_progress()

    def _tell_progress(self) -> None:
        self._progress_due_ns = self._clock.monotonic_ns() + self._reporter.beat_ns
        late_ms = self._driven.late_ms if self.state is JobState.RUNNING else 0.0
        self._reporter.progress(self.state, self._work, self._elapsed_ms() / 1000, late_ms)

    def _next_moment(self) -> datetime | None:
        if not len(self._plan):
            return None
        now, elapsed_ms = self._looked
        reading = self._driven.reading(elapsed_ms)
        if not self._has_started:
            reading = reading._replace(has_run=False)
        return self._plan.next_moment(now, reading)

    def _ns_of(self, moment: datetime) -> int:
        """The monotonic time of a wall time, as the clock stands now."""
        wait = (moment - self._clock.now()) // timedelta(microseconds=1)
        return self._clock.monotonic_ns() + max(0, wait) * 1000

    def _elapsed_ms(self) -> float:
        return (self._clock.monotonic_ns() - self._started_ns) / 1e6 if self._has_started else 0.0

    def _moment_of(self, due: Due) -> datetime:
        """When a transition passed."""
        now = self._clock.now()
        is_on_stream_clock = self.state is JobState.RUNNING and due.due_moment is None
        return self._driven.moment(now) if is_on_stream_clock else now

    def _change(self, request: str, info: dict[str, object]) -> Steps:
        """The job changes its state by itself."""
        target = decide(self.state, request)
        if target.is_final:
            yield from self._close(target)
        self.state = target
        self._reporter.changed(request, target, info, self._work)

    def _close(self, target: JobState) -> Steps:
        """What is on its way arrives, then the targets are finished."""
        while (until_ns := self._driven.finish(target)) is not None:
            self._heartbeat()
            self._reporter.heard((yield Pause(until_ns)))
        self._work.close()
        self._reporter.outputs(self._work)

    def _fail(self, detail: str, code: str) -> Steps:
        stage = "running" if self._has_started else "prepare"
        yield from self._close_after_failure()
        self.state = JobState.ERROR
        info = {"cause": detail, "code": code, "stage": stage}
        self._reporter.changed(EngineRequest.FAIL, JobState.ERROR, info, self._work, message=detail)

    def _close_after_failure(self) -> Steps:
        try:
            if self._drive is not None:
                yield from self._close(JobState.ERROR)
        except JobEngineError as error:
            self._reporter.log.warning("work.finish_failed", detail=error.detail)
        try:
            self._work.close()
        except JobEngineError as error:
            self._reporter.log.warning("work.close_failed", detail=error.detail)
        self._reporter.outputs(self._work)


def _wait_idly(until_ns: int) -> Waiting:
    return (yield Pause(until_ns))


def _drive(work: Work, clock: Clock, ending: Ending) -> TickDrive | ElementDrive:
    if goes_by_elements(work):
        return ElementDrive(work, clock, ending)
    if _goes_by_ticks(work):
        return TickDrive(work, clock, ending)
    raise TypeError(f"{type(work).__name__} can neither advance nor step")


def _goes_by_ticks(work: Work) -> TypeGuard[TickWork]:
    return hasattr(type(work), "advance")
