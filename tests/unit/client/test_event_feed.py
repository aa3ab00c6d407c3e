"""The event feed loses nothing, doubles nothing, and ends when it is told to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice

import pytest

from jobengine.client import Client
from jobengine.client.deadline import Deadline
from jobengine.client.event_feed import EventFeed
from jobengine.client.http import Http
from jobengine.clock import SystemClock
from jobengine.errors import AuthenticationError, UnavailableError
from tests.unit.client.scripted_service import Answer, Asked, ScriptedService, problem, sse
from tests.waiting import PATIENCE_S

PLACE = "/api/events/stream"


def says(*chunks: bytes) -> Answer:
    return Answer(stream=lambda asked: iter(chunks))


def test_a_broken_feed_goes_on_behind_the_last_number_seen(service: ScriptedService) -> None:
    service.on(
        "GET",
        PLACE,
        says(b"retry: 1\n\n", sse(5), sse(6)),
        Answer(hang_up=True),
        says(sse(6), sse(7), sse(8)),
    )
    with Client(service.url) as client:
        found = list(islice(client.events.stream('type == "job.state"', last_event_id=4), 4))
    assert [event.sequence for event in found] == [5, 6, 7, 8]
    asked = service.requests("GET", PLACE)
    assert [a.headers.get("Last-Event-ID") for a in asked] == ["4", "6", "6"]
    assert {a.query["filter"] for a in asked} == {'type == "job.state"'}


def test_a_feed_that_broke_before_its_first_event_loses_nothing(service: ScriptedService) -> None:
    service.on("GET", PLACE, says(b"id: 41\n: from now on\n\n"), says(sse(42, job_id="j2", state="Running")))
    with Client(service.url) as client:
        event = next(client.events.stream())
    assert (event.sequence, event.type, event.job_id, event.data) == (
        42,
        "job.state",
        "j2",
        {"state": "Running"},
    )
    assert service.requests("GET", PLACE)[1].headers["Last-Event-ID"] == "41"


def test_a_gap_is_told_and_does_not_hide_what_follows(service: ScriptedService) -> None:
    gap = f"event: gap\ndata: {json.dumps({'after': 90, 'oldest': 3, 'detail': 'gone'})}\n\n".encode()
    service.on("GET", PLACE, says(gap, sse(3)))
    with Client(service.url) as client:
        found = list(islice(client.events.stream(last_event_id=90), 2))
    assert [(event.type, event.sequence) for event in found] == [("gap", 0), ("job.state", 3)]
    assert found[0].data["detail"] == "gone"


def test_a_full_house_is_asked_again_after_the_time_it_names(service: ScriptedService) -> None:
    full = problem(503, "unavailable")
    full.headers["Retry-After"] = "10"
    service.on("GET", PLACE, full, says(sse(1)))
    pauses: list[float] = []
    http = Http(service.url, None, PATIENCE_S, pauses.append)
    feed = EventFeed(http).follow()
    assert [next(feed), next(feed) is not None] == [None, True]
    assert pauses == [10.0]
    http.close()


def test_a_refusal_is_raised_at_once(service: ScriptedService) -> None:
    service.on("GET", PLACE, problem(401, "authentication-required"))
    with Client(service.url) as client, pytest.raises(AuthenticationError):
        next(client.events.stream())


def test_a_service_that_was_never_there_is_not_waited_for() -> None:
    with Client("http://127.0.0.1:9") as client, pytest.raises(UnavailableError):
        next(client.events.stream())


def test_a_silent_feed_ends_at_its_deadline(service: ScriptedService) -> None:
    def silence(asked: Asked) -> Iterator[bytes]:
        yield b"id: 1\n\n"
        while not service.closing.wait(0.05):
            yield b": keep-alive\n\n"

    service.on("GET", PLACE, Answer(stream=silence))
    http, clock = Http(service.url, None, PATIENCE_S), SystemClock()
    start_ns = clock.monotonic_ns()
    assert set(EventFeed(http, deadline=Deadline(0.3)).follow()) <= {None}
    assert (clock.monotonic_ns() - start_ns) / 1e9 >= 0.3
    http.close()
