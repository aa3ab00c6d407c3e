"""Only what may be asked twice is asked twice, a few times, with pauses that grow."""

from __future__ import annotations

import pytest

from jobengine.client.http import RETRY_DELAYS_S, Http
from jobengine.errors import UnavailableError
from tests.unit.client.scripted_service import Answer, ScriptedService
from tests.waiting import PATIENCE_S

HANG_UP = Answer(hang_up=True)


def test_a_get_is_repeated_after_growing_pauses(service: ScriptedService) -> None:
    service.on("GET", "/x", HANG_UP, HANG_UP, Answer(200, {"a": 1}))
    pauses: list[float] = []
    http = Http(service.url, None, PATIENCE_S, pauses.append)
    assert http.get("/x") == {"a": 1}
    assert pauses == list(RETRY_DELAYS_S[:2])
    http.close()


def test_repeating_is_bounded(service: ScriptedService) -> None:
    service.on("GET", "/x", HANG_UP)
    pauses: list[float] = []
    http = Http(service.url, None, PATIENCE_S, pauses.append)
    with pytest.raises(UnavailableError, match="broke"):
        http.get("/x")
    assert len(service.requests("GET", "/x")) == len(RETRY_DELAYS_S) + 1
    http.close()


def test_a_post_is_repeated_only_with_its_idempotency_key(service: ScriptedService) -> None:
    service.on("POST", "/x", HANG_UP, Answer(201, {"made": True}))
    http = Http(service.url, None, PATIENCE_S, lambda _: None)
    with pytest.raises(UnavailableError):
        http.request("POST", "/x", body={})
    service.on("POST", "/x", HANG_UP, Answer(201, {"made": True}))
    assert http.request("POST", "/x", body={}, headers={"Idempotency-Key": "k"}).json() == {"made": True}
    keys = [asked.headers.get("Idempotency-Key") for asked in service.requests("POST", "/x")]
    assert keys == [None, "k", "k"]
    http.close()


def test_an_answer_is_never_asked_for_again(service: ScriptedService) -> None:
    service.on("GET", "/x", Answer(503, {"detail": "busy"}))
    http = Http(service.url, None, PATIENCE_S, lambda _: None)
    with pytest.raises(UnavailableError):
        http.get("/x")
    assert len(service.requests("GET", "/x")) == 1
    http.close()


def test_the_key_is_sent(service: ScriptedService) -> None:
    service.on("GET", "/x", Answer(200, {}))
    http = Http(service.url, "je_1_secret", PATIENCE_S)
    http.get("/x")
    assert service.asked[0].headers["Authorization"] == "Bearer je_1_secret"
    http.close()
