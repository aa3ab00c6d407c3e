"""The nouns of the client ask what the interface says."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from jobengine import Client
from jobengine.errors import RevisionMismatch
from jobengine.model.lifecycle import JobState
from tests.unit.client.scripted_service import Answer, Asked, ScriptedService, problem, sse

J = "/api/jobs/j1"


def job(state: str = "Running", **members: object) -> Answer:
    return Answer(200, {"jobId": "j1", "currentState": state, **members}, {"ETag": '"3"'})


@pytest.fixture
def client(service: ScriptedService) -> Iterator[Client]:
    with Client(service.url) as client:
        yield client


def test_submit_makes_a_key_so_that_a_broken_post_is_repeated_safely(
    service: ScriptedService, client: Client
) -> None:
    made = Answer(201, {"jobId": "j1", "currentState": "Pending"}, {"ETag": '"1"'})
    service.on("POST", "/api/jobs", Answer(hang_up=True), made)
    submitted = client.jobs.submit({"transitions": []})
    assert (submitted.id, submitted.state, submitted.etag) == ("j1", JobState.PENDING, '"1"')
    first, second = service.requests("POST", "/api/jobs")
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]


def test_list_follows_the_links_until_its_limit(service: ScriptedService, client: Client) -> None:
    link = {"Link": '</api/jobs?cursor=c1&limit=2>; rel="next"'}
    service.on(
        "GET",
        "/api/jobs",
        Answer(200, [{"jobId": "a"}, {"jobId": "b"}], link),
        Answer(200, [{"jobId": "c"}, {"jobId": "d"}], link),
    )
    found = client.jobs.list('name ~ "x"', sort="-createdTime", fields=["name"], limit=3)
    assert [each.id for each in found] == ["a", "b", "c"]
    first, second = service.requests("GET", "/api/jobs")
    assert first.query == {
        "filter": 'name ~ "x"',
        "sort": "-createdTime",
        "fields": "jobId,name",
        "limit": "3",
    }
    assert second.query == {"cursor": "c1", "limit": "2"}


def test_list_ends_where_no_link_leads_on(service: ScriptedService, client: Client) -> None:
    service.on("GET", "/api/jobs", Answer(200, [{"jobId": "a"}]))
    assert [each.id for each in client.jobs.list()] == ["a"]


@pytest.mark.parametrize(
    ("verb", "state"), [("start", "Start"), ("pause", "Pause"), ("finish", "Finish"), ("cancel", "Cancel")]
)
def test_a_verb_is_one_immediate_transition(
    service: ScriptedService, client: Client, verb: str, state: str
) -> None:
    service.on("POST", f"{J}/transitions", Answer(201, [{"transitionId": "t"}]))
    getattr(client.jobs.handle("j1"), verb)()
    (asked,) = service.requests("POST", f"{J}/transitions")
    assert asked.body == {"trigger": {"type": "Immediate", "requestedProcState": state}}
    assert asked.headers["Idempotency-Key"]


def test_changes_of_the_plan_name_the_revision_that_was_read(
    service: ScriptedService, client: Client
) -> None:
    service.on("GET", J, job())
    service.on("PATCH", f"{J}/transitions/t1", problem(412, "revision-mismatch"))
    with pytest.raises(RevisionMismatch):
        client.jobs.get("j1").change_transition("t1", {"info": None})
    (asked,) = service.requests("PATCH", f"{J}/transitions/t1")
    assert asked.headers["If-Match"] == '"3"'
    assert asked.headers["Content-Type"] == "application/merge-patch+json"


def test_ids_are_quoted_in_addresses(service: ScriptedService, client: Client) -> None:
    service.on("GET", "/api/jobs/..%2Fkeys", job())
    client.jobs.get("../keys")
    assert service.asked[0].path == "/api/jobs/..%2Fkeys"


def test_wait_sees_the_state_however_late_its_event_comes(service: ScriptedService, client: Client) -> None:
    service.on("GET", J, job("Waiting"), job("Running"), job("Paused"), job("Finished", statusMessage="done"))
    service.on("GET", "/api/events/stream", Answer(stream=lambda asked: iter((sse(1), sse(2)))))
    finished = client.jobs.handle("j1")
    seen: list[JobState] = []
    assert finished.wait(on_change=lambda read: seen.append(read.state)) is JobState.FINISHED
    assert seen == [JobState.WAITING, JobState.RUNNING, JobState.PAUSED, JobState.FINISHED]
    assert finished.message == "done"
    assert service.requests("GET", "/api/events/stream")[0].query["filter"] == 'jobId == "j1"'


def test_wait_ends_at_the_wished_state_or_at_a_final_one(service: ScriptedService, client: Client) -> None:
    service.on("GET", "/api/events/stream", Answer(stream=lambda asked: iter((sse(1),))))
    service.on("GET", J, job("Running"))
    assert client.jobs.handle("j1").wait("Running") is JobState.RUNNING
    service.on("GET", J, job("Error"))
    assert client.jobs.handle("j1").wait({"Running", "Paused"}) is JobState.ERROR


def test_wait_opens_no_feed_for_a_job_that_is_there_already(service: ScriptedService, client: Client) -> None:
    service.on("GET", J, job("Finished"))
    assert client.jobs.handle("j1").wait() is JobState.FINISHED
    assert service.requests("GET", "/api/events/stream") == []


def test_wait_sees_what_happened_while_the_connection_was_broken(
    service: ScriptedService, client: Client
) -> None:
    service.on("GET", J, job("Running"), job("Cancelled"))
    service.on("GET", "/api/events/stream", Answer(stream=lambda asked: iter((b"id: 1\n\n",))))
    assert client.jobs.handle("j1").wait() is JobState.CANCELLED


def test_wait_raises_at_its_timeout(service: ScriptedService, client: Client) -> None:
    still = threading.Event()

    def silence(asked: Asked) -> Iterator[bytes]:
        yield b"id: 1\n\n"
        while not service.closing.wait(0.05) and not still.is_set():
            yield b": keep-alive\n\n"

    service.on("GET", J, job("Running"))
    service.on("GET", "/api/events/stream", Answer(stream=silence))
    with pytest.raises(TimeoutError, match=r"still Running after 0\.2 s"):
        client.jobs.handle("j1").wait(timeout_s=0.2)
    still.set()


def test_wait_looks_once_more_at_its_deadline(service: ScriptedService, client: Client) -> None:
    service.on("GET", J, job("Running"), job("Finished"))
    assert client.jobs.handle("j1").wait(timeout_s=0) is JobState.FINISHED


def test_a_long_log_is_read_piece_by_piece(service: ScriptedService, client: Client) -> None:
    text = {"Content-Type": "text/plain; charset=utf-8"}
    pieces = ("Stück".encode()[:3], "Stück".encode()[3:], b"")
    service.on("GET", f"{J}/log", *(Answer(200, piece, text) for piece in pieces))
    assert client.jobs.handle("j1").log() == "Stück"
    assert [asked.query["from"] for asked in service.requests("GET", f"{J}/log")] == ["0", "3", "6"]


def test_a_service_that_is_not_ready_tells_its_parts(service: ScriptedService, client: Client) -> None:
    service.on("GET", "/readyz", Answer(503, {"ready": False, "components": {"engine": {"ready": False}}}))
    assert client.readiness()["components"]["engine"] == {"ready": False}
