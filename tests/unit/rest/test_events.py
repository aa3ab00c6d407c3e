"""The numbered feed: polling, following, replaying, gaps, seats."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobengine.clock import SystemClock
from jobengine.history.reader import JobReader
from jobengine.rest import event_feed
from tests.unit.rest.bench import Bench, immediate, make_bench, on_event

MAX_KEEP_ALIVES = 50


@pytest.fixture(autouse=True)
def _speak_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_feed, "LOOK_AGAIN_S", 0.05)
    monkeypatch.setattr(event_feed, "KEEP_ALIVE_S", 0.05)


def _messages(chunks: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    silence = 0
    for chunk in chunks:
        silence += chunk.startswith(b": keep-alive")
        assert silence < MAX_KEEP_ALIVES, "the expected event never came"
        for block in chunk.decode().split("\n\n"):
            lines = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
            if "data" in lines:
                yield {**lines, "data": json.loads(lines["data"])}


def _follow(bench: Bench, query: str = "", **headers: str) -> Any:
    return bench.client.get(f"/api/events/stream{query}", headers=headers, buffered=False)


def test_polling_goes_on_where_it_stopped(bench: Bench) -> None:
    for _ in range(2):
        bench.submit(immediate("Start"))
    response = bench.client.get("/api/events?limit=2")
    first = response.get_json()
    rest = bench.client.get(response.headers["Link"].split(">")[0][1:]).get_json()
    assert [event["sequence"] for event in first + rest] == list(range(1, len(first + rest) + 1))
    assert first[0]["type"] == "job.created"
    assert "job.state" in {event["type"] for event in first + rest}


def test_a_follower_misses_nothing_across_a_reconnect(bench: Bench) -> None:
    job_id = bench.submit(on_event("Start"))["jobId"]
    response = _follow(bench, "?lastEventId=0")
    messages = _messages(response.response)
    seen = [next(messages)]
    response.close()
    bench.client.post(f"/api/jobs/{job_id}/transitions", json=immediate("Start"))
    again = _follow(bench, **{"Last-Event-ID": seen[-1]["id"]})
    messages = _messages(again.response)
    while seen[-1]["event"] != "job.state":
        seen.append(next(messages))
    again.close()
    assert [int(message["id"]) for message in seen] == list(range(1, len(seen) + 1))
    assert seen[-1]["data"]["jobId"] == job_id
    assert seen[-1]["data"]["data"]["currentState"] == "Running"


def test_without_a_number_it_begins_now(bench: Bench) -> None:
    bench.submit(on_event("Start"), name="old")
    response = _follow(bench)
    chunks = response.response
    assert next(chunks).startswith(b"retry: ")
    assert b"from now on" in next(chunks)
    bench.submit(on_event("Start"), name="new")
    first = next(_messages(chunks))
    response.close()
    assert first["data"]["data"]["name"] == "new"


def test_it_begins_when_it_is_asked_for_not_when_it_is_first_read(bench: Bench) -> None:
    feed = event_feed.Feed(JobReader(bench.database), bench.notices, SystemClock(), None, lambda view: view)
    chunks = feed.follow(None)
    bench.submit(on_event("Start"), name="between")
    first = next(_messages(chunks))
    assert first["data"]["data"]["name"] == "between"


def test_a_feed_ends_when_the_service_stops(bench: Bench) -> None:
    response = _follow(bench)
    chunks = response.response
    assert [next(chunks)[:6], next(chunks)[:4]] == [b"retry:", b"id: "]
    bench.notices.has_ended = True
    assert all(chunk.startswith(b": keep-alive") for chunk in chunks)
    response.close()


def test_a_filter_leaves_out_what_is_not_asked_for(bench: Bench) -> None:
    bench.submit(immediate("Start"))
    job_id = bench.submit(immediate("Start"))["jobId"]
    response = _follow(bench, f'?lastEventId=0&filter=type=="job.state" AND jobId=="{job_id}"')
    first = next(_messages(response.response))
    response.close()
    assert (first["event"], first["data"]["jobId"]) == ("job.state", job_id)
    assert bench.client.get("/api/events/stream?filter=((").status_code == 400


@pytest.mark.parametrize("text", ["typ == job.state", "NOT (type == x OR jobs == 1)", "type.of == x"])
def test_a_filter_by_no_field_of_events_is_refused(bench: Bench, text: str) -> None:
    for place in ("/api/events", "/api/events/stream"):
        refused = bench.client.get(place, query_string={"filter": text})
        assert (refused.status_code, refused.get_json()["code"]) == (400, "malformed")
        column = refused.get_json()["column"]
        assert refused.get_json()["detail"].startswith(f"filter, column {column}: ")
    wanted = {"filter": "JOBID == x OR data.name == y OR Time > 2026-01-01"}
    assert bench.client.get("/api/events", query_string=wanted).status_code == 200


@pytest.mark.parametrize("name", ["job:42:Finished", "content:tape:closed"])
def test_events_of_the_engine_are_raised_by_nobody_else(bench: Bench, name: str) -> None:
    refused = bench.client.post("/api/events", json={"name": name})
    assert refused.status_code == 422
    assert refused.get_json()["errors"][0]["pointer"] == "/name"


def test_a_gap_is_told(bench: Bench) -> None:
    bench.submit(immediate("Start"))
    bench.submit(immediate("Start"))
    with bench.database.writing() as connection:
        connection.exec_driver_sql("DELETE FROM events WHERE sequence < 3")
    response = _follow(bench, "?lastEventId=1")
    messages = _messages(response.response)
    gap, following = next(messages), next(messages)
    response.close()
    assert gap["event"] == "gap"
    assert "2 to 2" in gap["data"]["detail"]
    assert following["id"] == "3"
    ahead = _follow(bench, "?lastEventId=9999")
    assert "was never reached" in next(_messages(ahead.response))["data"]["detail"]
    ahead.close()


def test_beyond_the_cap_clients_are_sent_away_and_health_answers(tmp_path: Path, sqlite_url: str) -> None:
    bench = make_bench(tmp_path, sqlite_url, max_sse_clients=2)
    followers = [_follow(bench), _follow(bench)]
    refused = _follow(bench)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "10")
    assert bench.client.get("/healthz").status_code == 200
    followers[0].close()
    third = _follow(bench)
    assert third.status_code == 200
    for response in (third, followers[1]):
        response.close()
    bench.database.close()
