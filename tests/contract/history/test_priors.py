"""What a job has before an append is the same whether its history was read at once or bit by bit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jobengine.errors import NotFoundError
from jobengine.history.batch import Batch
from jobengine.history.store import SqlJobStore
from jobengine.history.whole_jobs import WholeJobs
from jobengine.ids import new_id
from jobengine.model.lifecycle import JobState
from jobengine.model.record import JobRecord, TransitionRecord
from jobengine.rest.priors import Priors, in_force, prior_of
from tests.contract.history.records import a_job, a_transition, settle


def a_level(job: JobRecord, number: int) -> TransitionRecord:
    """A pending change of the level of a graph of its own."""
    level = [{"graph": f"Out{number % 3}", "level": number / 10}]
    description = {"pipeSpec": {"mixer": {"outputLevel": level}}}
    return a_transition(job, position=number, job_description=description)


def write(batch: Batch, job: JobRecord, before: JobRecord) -> None:
    job.revision += 1
    batch.update_job(job, before.revision, before.epoch)


@pytest.mark.parametrize("capacity", [1, 10])
def test_what_is_read_bit_by_bit_is_what_the_whole_history_says(
    whole_jobs: WholeJobs, store: SqlJobStore, capacity: int
) -> None:
    priors = Priors(whole_jobs, capacity)
    jobs = [a_job(), a_job()]
    with store.batch() as batch:
        for job in jobs:
            batch.insert_job(job)
    waiting = {job.job_id: a_level(job, 0) for job in jobs}
    for number in range(1, 7):
        for job in jobs:
            passed, before = waiting[job.job_id], replace(job)
            with store.batch() as batch:
                settle(job, passed, JobState.RUNNING)
                batch.insert_transition(passed) if number == 1 else batch.settle_transition(passed)
                waiting[job.job_id] = a_level(job, number)
                batch.insert_transition(waiting[job.job_id])
                write(batch, job, before)
            read, prior = priors.read(job.job_id)
            whole = whole_jobs.get(job.job_id)
            assert read == whole.job
            assert prior == prior_of(whole.job, in_force(whole.transitions))


def test_there_is_nothing_before_a_job_that_is_not_there(whole_jobs: WholeJobs) -> None:
    with pytest.raises(NotFoundError):
        Priors(whole_jobs).read(new_id())
