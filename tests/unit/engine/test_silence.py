"""A worker that hangs is told in the job's status, and forgiven when it speaks again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from jobengine.testing import InMemoryEngine, Puppet, PuppetWorkers
from tests.unit.engine.documents import immediate, pipe_job


@pytest.fixture
def job_id(stage: InMemoryEngine) -> str:
    return stage.submit(pipe_job(immediate("Start")))


@pytest.fixture
def running(stage: InMemoryEngine, puppets: PuppetWorkers, job_id: str) -> Puppet:
    puppet = puppets.start(job_id)
    puppet.hello()
    stage.settle()
    puppet.passed(puppet.assignment.transitions[0].transition_id, "Running")
    puppet.beat("Running", 48_000)
    stage.settle()
    return puppet


def status(stage: InMemoryEngine, job_id: str) -> str:
    return stage.job(job_id).status_message


def test_silence_is_said_after_the_timeout(stage: InMemoryEngine, running: Puppet, job_id: str) -> None:
    stage.advance(timedelta(seconds=9))
    assert status(stage, job_id) == ""
    stage.advance(timedelta(seconds=5))
    assert "not been heard of for more than 10 s" in status(stage, job_id)


def test_nobody_was_silent_towards_an_engine_that_stood_still(
    stage: InMemoryEngine, running: Puppet, job_id: str
) -> None:
    stage.advance(timedelta(seconds=1))
    stage.clock.advance(timedelta(seconds=60))
    stage.advance(timedelta(seconds=9))
    assert status(stage, job_id) == ""
    stage.advance(timedelta(seconds=5))
    assert "not been heard of" in status(stage, job_id)


def test_a_word_of_the_worker_ends_it(stage: InMemoryEngine, running: Puppet, job_id: str) -> None:
    stage.advance(timedelta(seconds=15))
    running.beat("Running", 96_000)
    stage.settle()
    stage.advance(timedelta(seconds=3))
    assert status(stage, job_id) == ""
