"""Re-streaming jobs wait for room and for each other: seen in their status, in order, and never for ever."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from jobengine.engine.admission import AdmissionTerms, Lease
from jobengine.ids import new_id
from jobengine.messaging.engine_messages import ReadProgress
from jobengine.testing import InMemoryEngine, InProcessWorkers, ManualClock, SyntheticWork


@contextmanager
def engine(**terms: Any) -> Iterator[InMemoryEngine]:
    """An engine with these bounds; its jobs run until they are ended."""
    clock = ManualClock()
    workers = InProcessWorkers(clock, lambda kind: SyntheticWork())
    with InMemoryEngine(clock, workers, admission=AdmissionTerms(**terms)) as stage:
        yield stage


def job(stream: str = "vod", content: str = "camera", port: int = 5555) -> dict[str, Any]:
    """A job that begins at once."""
    spec = {
        "source": {"content": content},
        "resultingStream": stream,
        "sink": {"url": f"dealer+connect:tcp://127.0.0.1:{port}"},
        "anchor": "first",
    }
    trigger = {"type": "Immediate", "requestedProcState": "Start"}
    return {"transitions": [{"trigger": trigger, "jobDescription": {"restreamSpec": spec}}]}


def states(stage: InMemoryEngine, ids: list[str]) -> list[str]:
    return [str(stage.state(job_id)) for job_id in ids]


def test_g18_a_second_job_for_the_same_stream_and_sink_waits_and_says_for_whom() -> None:
    with engine() as stage:
        ids = [stage.submit(job()), stage.submit(job()), stage.submit(job(stream="other"))]
        stage.settle()
        assert states(stage, ids) == ["Running", "Pending", "Running"]
        assert ids[0] in stage.job(ids[1]).status_message
        stage.request(ids[0], "Finish")
        stage.settle()
        assert states(stage, ids) == ["Finished", "Running", "Running"]
        assert stage.job(ids[1]).status_message == ""
        assert stage.audit().is_intact


def test_a_job_that_waits_knows_its_place_and_it_moves_on() -> None:
    def queue(job_id: str) -> dict[str, Any]:
        request = ReadProgress(request_id=new_id(), job_ids=(job_id,))
        found: dict[str, Any] = stage.ask(request).data.get(job_id, {})
        return found.get("queue") or {}

    with engine() as stage:
        ids = [stage.submit(job()) for _ in range(3)]
        stage.settle()
        assert [queue(each).get("place") for each in ids] == [None, 1, 2]
        assert queue(ids[2])["waitsFor"] == f"job {ids[0]} sends stream 'vod' to this sink"
        stage.request(ids[0], "Finish")
        stage.settle()
        assert queue(ids[1]) == {}
        assert queue(ids[2]) == {
            "waitsFor": f"job {ids[1]} sends stream 'vod' to this sink",
            "place": 1,
            "waiting": 1,
        }


def test_g18_or_is_refused_with_its_reason() -> None:
    with engine(lease="refuse") as stage:
        ids = [stage.submit(job()), stage.submit(job())]
        stage.settle()
        assert states(stage, ids) == ["Running", "Error"]
        info = stage.history(ids[1])[-1].info or {}
        assert (info["code"], ids[0] in info["cause"]) == ("lease", True)


def test_g18_or_takes_over_when_the_former_has_finished() -> None:
    with engine(lease="preempt") as stage:
        ids = [stage.submit(job()), stage.submit(job())]
        stage.settle()
        assert states(stage, ids) == ["Finished", "Running"]
        assert ids[1] in str(stage.history(ids[0])[-1].info)


@pytest.mark.parametrize("terms", [{"jobs": 2}, {"jobs_per_sink": 2}, {"jobs_per_stream": 2}])
def test_jobs_beyond_a_bound_are_admitted_one_by_one_in_their_order(terms: dict[str, int]) -> None:
    with engine(**terms) as stage:
        ids = [stage.submit(job(stream=f"vod-{n}")) for n in range(5)]
        stage.settle()
        assert states(stage, ids) == ["Running"] * 2 + ["Pending"] * 3
        for ended in range(3):
            stage.request(ids[ended], "Cancel")
            stage.settle()
            assert states(stage, ids)[ended + 2] == "Running"
            assert states(stage, ids).count("Running") == 2


def test_a_bound_of_one_sink_holds_up_no_other() -> None:
    with engine(jobs_per_sink=1) as stage:
        ids = [stage.submit(job("a")), stage.submit(job("b")), stage.submit(job("c", port=6666))]
        stage.settle()
        assert states(stage, ids) == ["Running", "Pending", "Running"]


@pytest.mark.parametrize(("request_", "state"), [("Cancel", "Cancelled"), ("Finish", "Finished")])
def test_a_job_that_waits_is_ended_at_once(request_: str, state: str) -> None:
    with engine(jobs=1) as stage:
        ids = [stage.submit(job("a")), stage.submit(job("b")), stage.submit(job("c"))]
        stage.settle()
        stage.request(ids[1], request_)
        stage.settle()
        assert states(stage, ids) == ["Running", state, "Pending"]
        stage.request(ids[0], "Finish")
        stage.settle()
        assert states(stage, ids)[2] == "Running"


@pytest.mark.parametrize("lease", ["queue", "refuse", "preempt"])
def test_what_runs_keeps_its_lease_over_a_restart_of_the_service(lease: Lease) -> None:
    with engine(lease=lease) as stage:
        first = stage.submit(job())
        stage.settle()
        stage.restart()
        second = stage.submit(job())
        stage.settle()
        expected = {"queue": "Pending", "refuse": "Error", "preempt": "Running"}
        assert str(stage.state(second)) == expected[lease]
        assert str(stage.state(first)) == ("Finished" if lease == "preempt" else "Running")


def test_jobs_that_wait_go_on_waiting_over_a_restart_of_the_service() -> None:
    with engine(jobs=1) as stage:
        ids = [stage.submit(job("a")), stage.submit(job("b"))]
        stage.settle()
        stage.restart()
        stage.settle()
        assert states(stage, ids) == ["Running", "Pending"]
        stage.request(ids[0], "Finish")
        stage.settle()
        assert states(stage, ids) == ["Finished", "Running"]
