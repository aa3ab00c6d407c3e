"""The loop of the engine comes to its end: jobs finish in time, or are terminated."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from jobengine.engine.service import EngineService, ServiceParts, ServiceTerms
from jobengine.engine.worker_news import News
from jobengine.messaging.engine_sockets import Arrivals
from jobengine.testing import InMemoryEngine, Puppet, PuppetWorkers
from tests.unit.engine.documents import immediate, pipe_job

TIMEOUT_S = 30.0


class StandingStill:
    """The sockets of an engine that stands still in its first poll, for longer than jobs have to finish."""

    def __init__(self, stage: InMemoryEngine) -> None:
        self._stage = stage
        self._stands_still = True

    def poll(self, timeout_ms: int, others: Sequence[int], limit: int) -> Arrivals:
        if self._stands_still:
            self._stage.clock.advance(timedelta(seconds=2 * TIMEOUT_S))
            self._stands_still = False
            return Arrivals()
        return Arrivals(reports=self._stage.workers.take_reports())

    def wake(self) -> None:
        """Nobody waits."""


class Nothing:
    """No news of processes, no timer, no chores, no garbage."""

    def filenos(self) -> Sequence[int]:
        return ()

    def collect(self, ready: Sequence[int]) -> list[News]:
        return []

    def wake_at(self, when: datetime | None) -> None:
        pass

    def begin(self, is_busy: bool = False) -> bool:
        return True

    def look(self, is_quiet: bool) -> None:
        pass


def recording(stage: InMemoryEngine, puppets: PuppetWorkers) -> tuple[str, Puppet]:
    """A job that runs, and its worker."""
    job_id = stage.submit(pipe_job(immediate("Start")))
    puppet = puppets.start(job_id)
    puppet.hello()
    stage.settle()
    puppet.passed(puppet.assignment.transitions[0].transition_id, "Running")
    stage.settle()
    return job_id, puppet


def test_an_engine_that_stood_still_until_after_the_deadline_hears_who_has_finished(
    stage: InMemoryEngine, puppets: PuppetWorkers
) -> None:
    (good, finished), (bad, _) = recording(stage, puppets), recording(stage, puppets)
    finished.changed("Finish", "Finished", samples=48_000)
    nothing, sockets = cast(Any, Nothing()), cast(Any, StandingStill(stage))
    parts = ServiceParts(stage.engine, nothing, sockets, nothing, nothing, stage.clock, nothing)
    service = EngineService(parts, ServiceTerms(group_size=500, finish_timeout_s=TIMEOUT_S))

    service.stop(finish_jobs=True)
    service.run(lambda: None)

    assert (stage.state(good), stage.state(bad)) == ("Finished", "Terminated")
