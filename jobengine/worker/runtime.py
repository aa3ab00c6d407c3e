"""Runs one job's work along its plan.

One thread, one loop: advance the work up to the next transition and not one tick further, settle what
is due there, listen to the engine. The plan lives here, so neither a slow nor a dead service delays a
planned change. What happens is reported through `jobengine.worker.reporter`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from fractions import Fraction

from jobengine.clock import Clock, from_text
from jobengine.errors import JobEngineError, TransitionNotAllowed
from jobengine.messaging.worker_messages import Arm, Assign, Fire, Resume, Sync, ToWorker, Withdraw, Withdrawn
from jobengine.model.condition import StreamReading
from jobengine.model.lifecycle import EngineRequest, JobState, RequestedState, decide
from jobengine.model.plan import Due, Plan
from jobengine.ports.work import Work, WorkContext
from jobengine.worker.pacer import Pacer
from jobengine.worker.reporter import Reporter

PROGRESS_PERIOD_MS = 500.0
IDLE_WAIT_MS = 200.0
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
        must_end: Callable[[], str],
    ) -> None:
        self._assign = assign
        self._work = work
        self._context = context
        self._reporter = reporter
        self._clock = clock
        self._must_end = must_end
        self.state = JobState(assign.state)
        self._plan = Plan(_UNPREPARED_RATE)
        self._pacer = Pacer(clock, _UNPREPARED_RATE)
        self._first_running = context.first_running
        self._started_ns = clock.monotonic_ns()
        self._has_started = False
        self._progress_due_ns = 0

    def run(self) -> None:
        """Work until a final state is reached and everything is reported; blocks all that time."""
        try:
            self._prepare()
            while not self.state.is_final:
                self._settle_due()
                if not self.state.is_final:
                    self._go_on()
        except JobEngineError as error:
            self._fail(error.detail, error.code)
        except Exception as error:
            self._reporter.log.exception("work.failed")
            self._fail(f"{type(error).__name__}: {error}", "internal")

    def _prepare(self) -> None:
        self._work.prepare(self._assign.description, self._context)
        rate = self._work.rate
        settled = {place: Fraction(position) for place, position in self._assign.settled.items()}
        self._plan = Plan(rate, settled)
        self._pacer = Pacer(self._clock, rate)
        self._plan.arm(self._assign.transitions, self._clock.now())
        self._reporter.prepared(self._work, self._assign.revision)
        if self._assign.resume is not None:
            self._take_up(self._assign.resume)
        self._settle_due()
        if self.state is JobState.PENDING:
            self._change(RequestedState.WAIT, {"reason": "prepared"})

    def _take_up(self, resume: Resume) -> None:
        """Go on where a former worker of this job ended, in the state that it was in."""
        target = JobState(self._assign.state)
        ended = from_text(resume.time)
        if target is JobState.RUNNING and self._work.is_paced:
            more = (self._work.position - resume.position) / self._work.rate
            ended += timedelta(seconds=float(more))
        gap_ms = max(0.0, (self._clock.now() - ended) / timedelta(milliseconds=1))
        info = {"reason": "resumed", "gapMs": round(gap_ms, 3), "fromPosition": self._work.position}
        if target is JobState.RUNNING:
            info["gapSamples"] = round(gap_ms * float(self._work.rate) / 1000) if self._work.is_paced else 0
            self._start_running()
        request = {JobState.RUNNING: RequestedState.START, JobState.PAUSED: RequestedState.PAUSE}
        self.state = target
        self._reporter.changed(request.get(target, RequestedState.WAIT), target, info, self._work)
        self._reporter.outputs(self._work)

    def _settle_due(self) -> None:
        while not self.state.is_final:
            due = self._plan.take(self._clock.now(), self._reading())
            if due is None:
                return
            self._settle(due)

    def _settle(self, due: Due) -> None:
        moment = self._moment_of(due)
        info: dict[str, object] = {}
        if not due.skip:
            try:
                target = decide(self.state, str(due.trigger.requested_proc_state))
            except TransitionNotAllowed as error:
                target, info = self.state, {"refused": error.detail}
            else:
                if due.planned.description:
                    self._work.apply(due.planned.description)
                self._enter(target)
        self._reporter.passed(due, self.state, moment, info, self._work)
        self._reporter.outputs(self._work)

    def _enter(self, target: JobState) -> None:
        if target is JobState.RUNNING and self.state is not JobState.RUNNING:
            self._start_running()
        elif target.is_final:
            self._work.close()
            self._reporter.outputs(self._work)
        elif self.state is JobState.RUNNING and target is not JobState.RUNNING:
            self._pacer.anchor(self._work.position)
        self.state = target

    def _start_running(self) -> None:
        if not self._has_started:
            self._first_running = self._first_running or self._clock.now()
            self._work.start(self._first_running)
            self._started_ns = self._clock.monotonic_ns()
            self._has_started = True
        self._pacer.anchor(self._work.position)

    def _go_on(self) -> None:
        """One turn: as much work as is due, then wait for the next reason to do something."""
        end = self._must_end()
        if end:
            self._change(EngineRequest.TERMINATE, {"reason": end})
            return
        wait_ms = self._advance() if self.state is JobState.RUNNING else self._stand_still()
        if self.state.is_final:
            return
        self._heartbeat()
        moment = self._plan.next_moment(self._clock.now(), self._reading())
        if moment is not None:
            wait_ms = min(wait_ms, max(0.0, (moment - self._clock.now()).total_seconds() * 1000))
        commands = self._reporter.receive(min(wait_ms, IDLE_WAIT_MS))
        if commands or (moment is not None and moment <= self._clock.now()):
            self._catch_up()
        for command in commands:
            self._obey(command)

    def _advance(self) -> float:
        """Advance by what is due; milliseconds until there is more to do."""
        cut = self._plan.next_position(self._reading())
        limit = self._work.position + self._work.block_ticks
        target = min(limit, cut) if cut is not None else limit
        if self._work.is_paced and self._pacer.available() < target:
            return self._pacer.wait_ms(target)
        self._advance_to(target)
        return 0.0

    def _catch_up(self) -> None:
        """A paced work goes up to now before something unplanned is applied, so it takes effect now."""
        if self.state is not JobState.RUNNING or not self._work.is_paced:
            return
        available = self._pacer.available()
        while self._work.position < available and not self.state.is_final:
            cut = self._plan.next_position(self._reading())
            limit = min(available, self._work.position + self._work.block_ticks)
            self._advance_to(min(limit, cut) if cut is not None else limit)
            self._settle_due()

    def _advance_to(self, target: int) -> None:
        wanted = target - self._work.position
        if wanted > 0 and self._work.advance(wanted) < wanted:
            self._work.close()
            self._reporter.outputs(self._work)
            self._change(RequestedState.FINISH, {"reason": "end of input"})

    def _stand_still(self) -> float:
        """While paused a live input goes on and is dropped."""
        if self._has_started and self._work.is_paced:
            ticks = self._pacer.available() - self._work.position
            self._work.discard(ticks)
            self._pacer.anchor(self._work.position)
        return IDLE_WAIT_MS

    def _obey(self, command: ToWorker) -> None:
        now = self._clock.now()
        match command:
            case (
                Arm(revision=revision, transitions=transitions)
                | Sync(revision=revision, transitions=transitions)
            ):
                self._reporter.revision = revision
                self._plan.arm(transitions, now)
                for planned in transitions:
                    if planned.fired is not None:
                        self._plan.fire(planned.transition_id, from_text(planned.fired))
            case Withdraw(request=request, transition_ids=ids):
                gone = tuple(i for i in ids if self._plan.withdraw(i))
                self._reporter.say(Withdrawn(request, gone))
            case Fire(transition_ids=ids, raised=raised):
                for transition_id in ids:
                    self._plan.fire(transition_id, from_text(raised))
            case _:
                return

    def _heartbeat(self) -> None:
        now_ns = self._clock.monotonic_ns()
        if now_ns >= self._progress_due_ns:
            self._progress_due_ns = now_ns + int(PROGRESS_PERIOD_MS * 1e6)
            behind = self._pacer.available() - self._work.position if self._is_paced_now() else 0
            late_ms = max(0.0, float(behind / self._work.rate) * 1000 - self._block_ms())
            self._reporter.progress(self.state, self._work, self._elapsed_ms() / 1000, late_ms)

    def _is_paced_now(self) -> bool:
        return self.state is JobState.RUNNING and self._work.is_paced

    def _block_ms(self) -> float:
        return float(self._work.block_ticks / self._work.rate) * 1000

    def _reading(self) -> StreamReading:
        position = self._work.position
        return StreamReading(position, self._plan.rate, position, position, self._elapsed_ms())

    def _elapsed_ms(self) -> float:
        return (self._clock.monotonic_ns() - self._started_ns) / 1e6 if self._has_started else 0.0

    def _moment_of(self, due: Due) -> datetime:
        """When a transition passed: the nominal time of its tick if the work is paced, else now."""
        now = self._clock.now()
        if self._is_paced_now() and due.due_moment is None:
            return min(now, self._pacer.moment(self._work.position))
        return now

    def _change(self, request: str, info: dict[str, object]) -> None:
        """The job changes its state by itself."""
        target = decide(self.state, request)
        if target.is_final:
            self._work.close()
            self._reporter.outputs(self._work)
        self.state = target
        self._reporter.changed(request, target, info, self._work)

    def _fail(self, detail: str, code: str) -> None:
        stage = "running" if self._has_started else "prepare"
        self._close_after_failure()
        self.state = JobState.ERROR
        info = {"cause": detail, "code": code, "stage": stage}
        self._reporter.changed(EngineRequest.FAIL, JobState.ERROR, info, self._work, message=detail)

    def _close_after_failure(self) -> None:
        try:
            self._work.close()
        except JobEngineError as error:
            self._reporter.log.warning("work.close_failed", detail=error.detail)
        self._reporter.outputs(self._work)
