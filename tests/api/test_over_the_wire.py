"""What only a real server can show: bodies without a length, seats of clients gone, live counters."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import httpx
import pytest

from tests.services import Service, running_service
from tests.waiting import PATIENCE_S, wait_until

SEATS = 3
TONE: dict[str, Any] = {
    "pipeSpec": {
        "inputGraph": [{"name": "In", "filter": [{"name": "Audio Synthesizer", "realTime": True}]}],
        "outputGraph": [
            {
                "name": "Out",
                "format": {"sampleRate": 48000, "resolution": 16, "channels": 2},
                "filter": [{"name": "WAVDest"}, {"name": "FileWriter", "filePath": "tone.wav"}],
            }
        ],
    }
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    settings = {"http__max_sse_clients": SEATS, "http__threads": 8, "http__max_document_bytes": 100_000}
    with running_service(folder / "data", **settings) as service:
        yield service


@pytest.fixture
def http(service: Service) -> Iterator[httpx.Client]:
    with service.http() as client:
        yield client


def _immediate(requested: str, **members: Any) -> dict[str, Any]:
    return {"trigger": {"type": "Immediate", "requestedProcState": requested}, **members}


def _seats_taken(http: httpx.Client) -> int:
    found = re.search(r"^jobengine_event_streams (\d+)", http.get("/metrics").text, re.MULTILINE)
    assert found is not None
    return int(found[1])


def _listen(service: Service) -> socket.socket:
    listener = socket.create_connection(("127.0.0.1", service.port), PATIENCE_S)
    listener.sendall(b"GET /api/events/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return listener


def test_a_recording_shows_live_counters_a_log_and_its_file(service: Service, http: httpx.Client) -> None:
    posted = http.post("/api/jobs", json={"transitions": [_immediate("Start", jobDescription=TONE)]})
    place = posted.headers["Location"]

    def counters() -> Any:
        found = http.get(f"{place}/progress").json()
        return found if found["live"] and found["position"]["samples"] > 4800 else None

    assert set(wait_until(counters, "sound is recorded")["levels"]) == {"In", "Out"}
    volatile = {"pipeSpec": {"mixer": {"outputLevel": [{"graph": "Out", "level": 0.5}]}}}
    sent = http.post(f"{place}/transitions", json=_immediate("None", volatile=True, jobDescription=volatile))
    assert sent.status_code == 202
    http.post(f"{place}/transitions", json=_immediate("Finish"))
    wait_until(lambda: http.get(place).json()["currentState"] == "Finished", "the job is finished")
    (output,) = http.get(f"{place}/outputs").json()
    assert output["path"] == str(service.media / "tone.wav")
    assert output["closed"]
    assert len(http.get(f"{place}/history").json()) == 2
    assert http.get(f"{place}?fields=logInfoCount").json() == {"logInfoCount": 1}
    assert "job_id" in http.get(f"{place}/log").text


def test_a_body_without_a_length_is_read_and_limited(http: httpx.Client) -> None:
    headers = {"Content-Type": "application/json"}
    job = b'{"transitions": [{"trigger": {"type": "Event", "name": "x", "requestedProcState": "Start"}}]}'
    assert http.post("/api/jobs", content=iter([job[:20], job[20:]]), headers=headers).status_code == 201
    large = http.post("/api/jobs", content=iter([b" " * 60_000] * 3), headers=headers)
    assert (large.status_code, large.json()["limit"]) == (413, 100_000)
    assert http.post("/api/jobs", content=b" " * 50_000_000, headers=headers).status_code == 413


def test_a_refused_body_leaves_its_connection_usable(http: httpx.Client) -> None:
    headers = {"Content-Type": "application/json"}
    for status, method, path in [(405, "DELETE", "/api/events"), (415, "POST", "/api/jobs")] * 20:
        given = headers if status == 405 else {}
        refused = http.request(method, path, content=b"[" * 90_000, headers=given)
        assert refused.status_code == status
        assert http.post("/api/events", json={"name": "x"}).status_code < 300


def test_calls_are_answered_while_every_seat_is_taken_and_gone_listeners_free_theirs(
    service: Service, http: httpx.Client
) -> None:
    with ExitStack() as listeners:
        for _ in range(SEATS):
            assert b"200 OK" in listeners.enter_context(closing(_listen(service))).recv(4096)
        refused = http.get("/api/events/stream")
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "10")
        assert http.get("/healthz").status_code == 200
        wait_until(service.is_ready, "it is ready as before")
        assert http.get("/api/events").status_code == 200
    wait_until(lambda: _seats_taken(http) == 0, "the seats are free again")
