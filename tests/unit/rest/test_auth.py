"""Keys, roles, and what browsers of other sites may not do."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobengine.clock import to_text
from jobengine.rest import auth
from tests.unit.rest.bench import CLOCK, Bench, immediate, make_bench, on_event


@pytest.fixture(autouse=True)
def _keys_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "_FRESH_NS", -1)


def _as(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_loopback_is_open_until_there_is_a_key(bench: Bench) -> None:
    assert bench.client.get("/api/jobs").status_code == 200
    key = bench.key("viewer")
    closed = bench.client.get("/api/jobs")
    assert (closed.status_code, closed.get_json()["code"]) == (401, "authentication-required")
    assert "Bearer" in closed.headers["WWW-Authenticate"]
    assert bench.client.get("/api/jobs", headers=_as(key)).status_code == 200
    assert bench.client.get("/api/jobs", headers={"X-API-Key": key}).status_code == 200


def test_beyond_loopback_a_key_is_always_needed(tmp_path: Path, sqlite_url: str) -> None:
    bench = make_bench(tmp_path, sqlite_url, host="0.0.0.0")
    assert bench.client.get("/api/jobs").status_code == 401
    assert bench.client.get("/healthz").status_code == 200
    bench.database.close()


@pytest.mark.parametrize(
    ("role", "reads", "writes", "administers"),
    [("viewer", 200, 403, 403), ("operator", 200, 201, 403), ("admin", 200, 201, 200)],
)
def test_a_role_may_do_what_it_says(
    bench: Bench, role: str, reads: int, writes: int, administers: int
) -> None:
    headers = _as(bench.key(role))
    job = {"transitions": [on_event("Start")]}
    assert bench.client.get("/api/jobs", headers=headers).status_code == reads
    assert bench.client.post("/api/jobs", json=job, headers=headers).status_code == writes
    assert bench.client.put("/api/variables/A", json={"value": 1}, headers=headers).status_code == administers


def test_the_history_names_the_key_that_asked(bench: Bench) -> None:
    headers = _as(bench.key("operator", "news desk"))
    job = bench.client.post("/api/jobs", json={"transitions": [immediate("Start")]}, headers=headers)
    history = bench.client.get(f"{job.headers['Location']}/history", headers=headers).get_json()
    assert history[0]["actor"] == "news desk"


def test_wrong_revoked_and_expired_keys_are_refused(bench: Bench) -> None:
    good = bench.key("viewer")
    now = to_text(CLOCK.now())
    refused = [
        good + "x",
        "je_nobody_s3cret",
        "nonsense",
        "",
        bench.key("admin", revoked_time=now),
        bench.key("admin", expires_time=now),
    ]
    assert [bench.client.get("/api/jobs", headers=_as(key)).status_code for key in refused] == [401] * 6
    assert bench.client.get("/api/jobs", headers={"Authorization": "Basic YTpi"}).status_code == 401
    assert bench.client.get("/api/jobs", headers=_as(good)).status_code == 200


def test_viewers_do_not_see_secrets(bench: Bench) -> None:
    headers = _as(bench.key("operator"))
    data = {
        "icecast": {"adminPassword": "hackme", "password": 1234},
        "credentials": {"user": "me", "pin": 7},
        "tokens": ["a", {"b": "c"}],
        "needsToken": True,
        "desk": "news",
    }
    body = {"clientData": data, "transitions": [on_event("Start")]}
    place = bench.client.post("/api/jobs", json=body, headers=headers).headers["Location"]
    assert bench.client.get(place, headers=headers).get_json()["clientData"] == data
    seen = bench.client.get(place, headers=_as(bench.key("viewer"))).get_json()["clientData"]
    assert seen == {
        "icecast": {"adminPassword": "***", "password": "***"},
        "credentials": "***",
        "tokens": ["***", "***"],
        "needsToken": True,
        "desk": "news",
    }


def test_viewers_can_not_guess_secrets_by_filters(bench: Bench) -> None:
    operator, viewer = _as(bench.key("operator")), _as(bench.key("viewer"))
    asked = [
        {"filter": 'clientData.icecast.adminPassword ~ "h*"'},
        {"filter": "name == x OR NOT (clientData.apiKey == 1 AND isActive == true)"},
        {"sort": "-createdTime,clientData.token"},
    ]
    for query in asked:
        assert bench.client.get("/api/jobs", query_string=query, headers=operator).status_code == 200
        refused = bench.client.get("/api/jobs", query_string=query, headers=viewer)
        assert (refused.status_code, refused.get_json()["code"]) == (403, "forbidden")
    query = {"filter": 'data.secret == "x"'}
    for place in ("/api/events", "/api/events/stream"):
        assert bench.client.get(place, query_string=query, headers=viewer).status_code == 403
    query = {"filter": 'clientData.desk == "news"', "sort": "clientData.desk"}
    assert bench.client.get("/api/jobs", query_string=query, headers=viewer).status_code == 200


def test_a_rebound_name_does_not_reach_a_loopback_service(bench: Bench) -> None:
    for host, status in (("evil.example", 403), ("localhost:8484", 200), ("[::1]:8484", 200)):
        answer = bench.client.get("/api/jobs", headers={"Host": host})
        assert answer.status_code == status
        assert status == 200 or answer.get_json()["code"] == "host-refused"


def test_a_page_of_another_site_can_not_write(bench: Bench) -> None:
    headers = {"Sec-Fetch-Site": "cross-site"}
    body = {"transitions": [on_event("Start")]}
    assert bench.client.post("/api/jobs", json=body, headers=headers).status_code == 403
    answer = bench.client.get("/api/jobs", headers={"Origin": "https://evil.example"})
    assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


def test_every_answer_has_the_security_headers(bench: Bench) -> None:
    for place in ("/", "/api/jobs", "/nowhere", "/healthz"):
        response = bench.client.get(place)
        response.close()
        headers = response.headers
        assert headers["Content-Security-Policy"].startswith("default-src 'self'")
        assert headers["X-Content-Type-Options"] == "nosniff"
