"""Jobs of puppet workers, brought to where a test begins."""

from __future__ import annotations

from jobengine.testing import InMemoryEngine, Puppet, PuppetWorkers
from tests.unit.engine.documents import after, immediate, pipe_job


def assigned(stage: InMemoryEngine, puppets: PuppetWorkers, job_id: str) -> Puppet:
    """A worker that has been given its job."""
    puppet = puppets.start(job_id)
    puppet.hello()
    stage.settle()
    return puppet


def interrupted(stage: InMemoryEngine, puppets: PuppetWorkers) -> tuple[str, Puppet]:
    """A job that waits for a successor at its start, and the worker that died there."""
    job_id = stage.submit(pipe_job(immediate("Start"), after(1000, "Finish"), restartPolicy="resume"))
    first = assigned(stage, puppets, job_id)
    first.passed(first.assignment.transitions[0].transition_id, "Running")
    stage.settle()
    first.die()
    stage.settle()
    assert stage.state(job_id) == "Updating"
    return job_id, first
