"""Convert jobs that requests wait for: identical requests of one http process share one job.

Nobody waits for ever: a job has its rule's time from its start, the waiting a little more; then the job is
cancelled. The last who waited removes the result; what nobody fetched is removed by a later worker.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

import structlog

from jobengine.clock import Clock
from jobengine.errors import JobEngineError, NotFoundError, TimeLimitPassed, UnavailableError
from jobengine.messaging.engine_messages import ChangeJob, Draft, SubmitJob
from jobengine.model.lifecycle import JobState
from jobengine.rest.auth import Actor
from jobengine.rest.rules.outcome import Outcome, outcome_of
from jobengine.rest.services import HttpServices

Json = Any
START_MARGIN = timedelta(seconds=2)
"""What a worker may take to start and to hand its result over."""
_LOOK_S = 0.5
_CANCEL = {"type": "Immediate", "requestedProcState": "Cancel"}
_START = {"type": "Immediate", "requestedProcState": "Start"}


@dataclass(frozen=True, slots=True)
class Order:
    """A job to be made: which rule for which request, and its ``convertSpec``."""

    rule: str
    path: str
    actor: Actor
    spec: Mapping[str, Json]
    timeout: timedelta


@dataclass(slots=True)
class _Flight:
    """One job and who waits for it. ``lock`` guards the rest."""

    deadline_ns: int
    lock: threading.Lock = field(default_factory=threading.Lock)
    waiting: int = 0
    job_id: str | None = None
    outcome: Outcome | JobEngineError | None = None


class Flights:
    """Makes jobs and waits for them. Thread-safe."""

    def __init__(self, services: HttpServices) -> None:
        settings = services.settings
        self._services = services
        self._clock: Clock = services.clock
        self._results: Path = settings.results_folder
        self._max_waiting = settings.convert.max_waiting
        self._lock = threading.Lock()
        self._flights: dict[Hashable, _Flight] = {}

    def send(self, order: Order) -> str:
        """Make a job that nobody waits for; its id. Raises UnavailableError without an engine."""
        accepted = self._services.engine.ask(
            SubmitJob,
            actor=order.actor.name,
            name=f"{order.rule} {order.path}"[:1024],
            client_data={"rule": order.rule, "path": order.path},
            drafts=(Draft(_START, {"convertSpec": dict(order.spec)}),),
        )
        return accepted.job_id

    def wait(self, key: Hashable, order: Order) -> tuple[Outcome, IO[bytes] | None]:
        """The outcome of a job for this key, with its body opened; makes the job unless one is on its way.

        Blocks for the order's time at most. Raises what made the job fail, TimeLimitPassed, or
        UnavailableError when no worker takes it or too many are waited for.
        """
        with self._aboard(key, order) as flight:
            seen = self._services.notices.count
            while (outcome := self._look(flight, order)) is None:
                left_s = (flight.deadline_ns - self._clock.monotonic_ns()) / 1e9
                if left_s <= 0 or self._services.notices.has_ended:
                    raise self._given_up(flight)
                seen = self._services.notices.wait(seen, min(left_s, _LOOK_S))
            if isinstance(outcome, JobEngineError):
                raise type(outcome)(outcome.detail, **outcome.facts)
            return outcome, _opened(outcome)

    @contextmanager
    def _aboard(self, key: Hashable, order: Order) -> Iterator[_Flight]:
        with self._lock:
            flight = self._flights.get(key)
            if flight is None:
                if len(self._flights) >= self._max_waiting:
                    raise UnavailableError(
                        f"{self._max_waiting} conversions are being waited for already; try again later"
                    )
                limit_ns = (order.timeout + START_MARGIN) // timedelta(microseconds=1) * 1000
                flight = self._flights[key] = _Flight(self._clock.monotonic_ns() + limit_ns)
            flight.waiting += 1
        try:
            yield flight
        finally:
            with self._lock:
                flight.waiting -= 1
                is_last = not flight.waiting
                if is_last:
                    del self._flights[key]
            if is_last:
                self._end(flight, order.actor)

    def _look(self, flight: _Flight, order: Order) -> Outcome | JobEngineError | None:
        with flight.lock:
            if flight.job_id is None and flight.outcome is None:
                try:
                    flight.job_id = self.send(order)
                except JobEngineError as error:
                    flight.outcome = error
            elif flight.outcome is None and flight.job_id is not None:
                try:
                    flight.outcome = outcome_of(self._services.whole_jobs.get(flight.job_id))
                except NotFoundError:
                    flight.outcome = UnavailableError("the job was deleted while it was waited for")
            return flight.outcome

    def _given_up(self, flight: _Flight) -> JobEngineError:
        if flight.job_id is None:
            return UnavailableError("the engine is not running; nothing was made")
        job = self._services.reader.get_job(flight.job_id)
        if job.current_state is JobState.PENDING:
            return UnavailableError("no worker has taken the job; nothing was made", jobId=flight.job_id)
        return TimeLimitPassed("the conversion takes longer than its rule allows", jobId=flight.job_id)

    def _end(self, flight: _Flight, actor: Actor) -> None:
        """Nobody waits any more: a job that still runs is cancelled, a result that was read is removed."""
        if isinstance(flight.outcome, Outcome):
            file = flight.outcome.file
            if file is not None and file.parent == self._results:
                file.unlink(missing_ok=True)
        elif flight.outcome is None and flight.job_id is not None:
            try:
                self._services.engine.ask(
                    ChangeJob, actor=actor.name, job_id=flight.job_id, drafts=(Draft(_CANCEL),)
                )
            except JobEngineError as error:
                structlog.get_logger("rules").warning(
                    "job.not_cancelled", job_id=flight.job_id, detail=error.detail
                )


def _opened(outcome: Outcome) -> IO[bytes] | None:
    if outcome.file is None:
        return None
    try:
        return outcome.file.open("rb")
    except FileNotFoundError:
        raise UnavailableError("the result has expired; send the request again") from None
