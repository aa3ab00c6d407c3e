"""Turns what a work does into numbered reports, and keeps the counters of its heartbeat."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any

import structlog

from jobengine.clock import Clock, to_text
from jobengine.messaging.worker_link import WorkerLink
from jobengine.messaging.worker_messages import (
    Assign,
    Changed,
    FromWorker,
    OutputClosed,
    OutputOpened,
    Passed,
    Position,
    Progress,
    ToWorker,
)
from jobengine.model.lifecycle import JobState
from jobengine.model.plan import Due
from jobengine.ports.work import Work, WorkOutput, goes_by_elements


class Reporter:
    """Speaks for the runtime. Reports and outputs are counted on from those of former workers."""

    def __init__(self, link: WorkerLink, clock: Clock, assign: Assign) -> None:
        self._link = link
        self._clock = clock
        self._sequence = assign.report_sequence
        self._first_output = assign.output_count
        self._opened = 0
        self._closed: set[int] = set()
        self._rate = Fraction(1)
        self._progress_position = 0
        self._progress_elements: int | None = None
        self._progress_ns = clock.monotonic_ns()
        self.last_heard_ns = clock.monotonic_ns()
        self.engine = assign.engine
        self.revision = 0
        self.log = structlog.get_logger("worker")

    @property
    def beat_ns(self) -> int:
        """How long until the next heartbeat."""
        return self._link.beat_ns

    def prepared(self, work: Work, revision: int) -> None:
        """The work's clock is known from now on."""
        self._rate = work.rate
        self._progress_position = work.position
        self._progress_elements = work.elements if goes_by_elements(work) else None
        self.revision = revision

    def passed(self, due: Due, state: JobState, moment: datetime, info: dict[str, Any], work: Work) -> None:
        """A planned transition was settled."""
        due_moment = due.due_moment
        lateness_ms = (
            (moment - due_moment).total_seconds() * 1000 if due_moment else self._late_ticks_ms(due, work)
        )
        if due.planned.volatile:
            return
        self._link.report(
            Passed(
                sequence=self._next(),
                time=to_text(moment),
                position=self._position(work),
                transition_id=due.planned.transition_id,
                state=state,
                due=to_text(due_moment) if due_moment else None,
                lateness_ms=round(max(0.0, lateness_ms), 3),
                skip=due.skip,
                info=info,
            )
        )

    def changed(
        self, requested: str, state: JobState, info: dict[str, Any], work: Work, message: str = ""
    ) -> None:
        """The job changed its state by itself."""
        self._link.report(
            Changed(
                sequence=self._next(),
                time=to_text(self._clock.now()),
                position=self._position(work),
                requested=requested,
                state=state,
                info=info,
                message=message,
            )
        )

    def outputs(self, work: Work) -> None:
        """Report targets opened or closed since last asked."""
        for index, output in enumerate(work.outputs):
            number = self._first_output + index + 1
            if index >= self._opened:
                self._opened = index + 1
                self._link.report(self._output_opened(number, output, work))
            if output.is_closed and index not in self._closed:
                self._closed.add(index)
                self._link.report(
                    OutputClosed(
                        sequence=self._next(),
                        time=to_text(self._clock.now()),
                        position=self._position(work),
                        number=number,
                        samples=output.samples,
                        elements=output.elements,
                    )
                )

    def progress(self, state: JobState, work: Work, elapsed_s: float, late_ms: float) -> None:
        """Send a heartbeat and whatever reports are still unsent."""
        now_ns = self._clock.monotonic_ns()
        span_s = (now_ns - self._progress_ns) / 1e9
        moved = float((work.position - self._progress_position) / self._rate)
        self._progress_ns, self._progress_position = now_ns, work.position
        self._progress_elements = work.elements if goes_by_elements(work) else None
        self._link.flush()
        self._link.say(
            Progress(
                state=state,
                position=self._position(work),
                revision=self.revision,
                engine=self.engine,
                elapsed_s=round(elapsed_s, 3),
                speed=round(moved / span_s, 3) if span_s > 0 else 0.0,
                late_ms=round(late_ms, 3),
                outputs={
                    self._first_output + i + 1: o.samples or o.elements or 0
                    for i, o in enumerate(work.outputs)
                },
                **work.progress(),
            )
        )

    def still_here(self, state: JobState) -> None:
        """A heartbeat after the end of the work, as long as there are reports that are not committed."""
        self._link.flush()
        self._link.say(
            Progress(
                state=state,
                position=self._position_at(self._progress_position, self._progress_elements),
                revision=self.revision,
                engine=self.engine,
            )
        )

    def heard(self, commands: Sequence[ToWorker]) -> None:
        """Commands of the engine have come, or none; it may have acknowledged something."""
        if self._link.was_acknowledged() or commands:
            self.last_heard_ns = self._clock.monotonic_ns()
        if commands:
            self.engine = commands[-1].engine

    def say(self, message: FromWorker) -> None:
        """Send what need not arrive."""
        self._link.say(message)

    def _output_opened(self, number: int, output: WorkOutput, work: Work) -> OutputOpened:
        return OutputOpened(
            sequence=self._next(),
            time=to_text(self._clock.now()),
            position=self._position(work),
            number=number,
            graph=output.graph,
            kind=output.kind,
            path=output.path,
            url=output.url,
            start_position=output.start_position,
        )

    def _late_ticks_ms(self, due: Due, work: Work) -> float:
        return float((Fraction(work.position) - due.exact) / self._rate) * 1000

    def _position(self, work: Work) -> Position:
        return self._position_at(work.position, work.elements if goes_by_elements(work) else None)

    def _position_at(self, ticks: int, elements: int | None) -> Position:
        base = f"{self._rate.denominator}/{self._rate.numerator}"
        samples = ticks if elements is None else None
        return Position(pts=ticks, time_base=base, samples=samples, elements=elements)

    def _next(self) -> int:
        self._sequence += 1
        return self._sequence
