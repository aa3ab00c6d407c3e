"""Rules over HTTP: changed while the service runs, tried without doing anything, and what they ask for."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.rest.bench import Bench

OWN = {"pathPattern": r"\.own$", "recipe": "summary"}


def names(bench: Bench) -> list[str]:
    return [rule["name"] for rule in bench.client.get("/api/rules").get_json()]


def put(bench: Bench, name: str, **members: Any) -> int:
    return bench.client.put(f"/api/rules/{name}", json={**OWN, **members}).status_code


def match(bench: Bench, path: str, **members: Any) -> list[str]:
    answer = bench.client.post("/api/rules/match", json={"path": path, **members})
    assert answer.status_code == 200, answer.text
    return [one["rule"] for one in answer.get_json()["firing"]]


def test_null_removes_a_shipped_rule_and_others_are_kept(bench: Bench) -> None:
    before = bench.client.get("/api/rules/mp4").get_json()
    patch = {"jpeg": None, "mp4": {"method": ["GET", "POST"]}}

    answer = bench.client.patch("/api/rules", json=patch, content_type="application/merge-patch+json")

    assert answer.status_code == 200
    assert "jpeg" not in names(bench)
    assert {"png", "ts", "wav", "txt", "fileStore", "dataMissing"} <= set(names(bench))
    after = bench.client.get("/api/rules/mp4").get_json()
    assert after == {**before, "method": ["GET", "POST"], "isShipped": False}


def test_a_rule_is_added_replaced_and_removed_at_run_time(bench: Bench) -> None:
    assert [put(bench, "own"), put(bench, "own", order=5)] == [201, 200]
    assert match(bench, "/beams/a/x.own") == ["own"]
    assert bench.client.delete("/api/rules/own").status_code == 204
    assert bench.client.delete("/api/rules/own").status_code == 404
    assert match(bench, "/beams/a/x.own") == []


def test_a_rule_may_mean_what_was_made_rather_than_where_it_was_asked_for(bench: Bench) -> None:
    made = {"method": "POST", "postRoute": True, "location": True, "statusCode": 201}
    put(bench, "own", pathPattern="^/beams/(?P<content>[^/]+)$", **made)

    assert match(bench, "/beams", method="POST", status=201, location="/beams/a%20b") == ["own"]
    assert match(bench, "/beams", method="POST", status=201) == []
    assert match(bench, "/beams", method="POST", status=201, location="/beams/a/stream_0") == []


def test_who_read_older_rules_changes_none(bench: Bench) -> None:
    put(bench, "own")
    read = bench.client.get("/api/rules/own").headers["ETag"]
    assert bench.client.get("/api/rules").headers["ETag"] == read
    assert bench.client.get("/api/rules", headers={"If-None-Match": read}).status_code == 304
    put(bench, "other")
    old = {"If-Match": read}

    answers = [
        bench.client.put("/api/rules/own", json=OWN, headers=old),
        bench.client.patch("/api/rules", json={}, headers=old, content_type="application/merge-patch+json"),
        bench.client.delete("/api/rules/own", headers=old),
    ]

    assert [answer.status_code for answer in answers] == [412, 412, 412]
    now = {"If-Match": bench.client.get("/api/rules").headers["ETag"]}
    assert bench.client.delete("/api/rules/own", headers=now).status_code == 204


def test_a_rule_that_must_not_be_there_is_not_replaced(bench: Bench) -> None:
    new = {"If-None-Match": "*"}

    answers = [
        bench.client.put(f"/api/rules/{name}", json={**OWN, "order": order}, headers=new)
        for order, name in enumerate(("own", "own", "jpeg"))
    ]

    assert [answer.status_code for answer in answers] == [201, 412, 412]
    assert bench.client.get("/api/rules/own").get_json()["order"] == 0
    assert bench.client.get("/api/rules/jpeg").get_json()["isShipped"]


@pytest.mark.parametrize(("name", "value"), [("method", []), ("statusCode", [404]), ("statusCode", 200)])
def test_a_rule_that_could_never_fit_or_not_as_it_says_is_refused(
    bench: Bench, name: str, value: Any
) -> None:
    answer = bench.client.put("/api/rules/own", json={**OWN, name: value})

    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.get_json()["errors"]] == [f"/{name}"]
    assert put(bench, "own", postRoute=True, statusCode=[404]) == 201


def test_a_wrong_rule_is_refused_with_its_places(bench: Bench) -> None:
    answer = bench.client.put(
        "/api/rules/own", json={"pathPattern": "(", "recipe": "wibble", "method": "get"}
    )

    assert answer.status_code == 422
    assert {fault["pointer"] for fault in answer.get_json()["errors"]} == {"/pathPattern", "/method/0"}
    assert "own" not in names(bench)


def test_a_try_tells_what_would_fire_and_does_nothing(bench: Bench) -> None:
    answer = bench.client.post(
        "/api/rules/match", json={"path": "/beams/a%20b/video/1.4s.jpg", "query": {"width": "64", "x": "1"}}
    )

    (firing,) = answer.get_json()["firing"]
    assert (firing["rule"], firing["postRoute"], firing["respond"]) == ("jpeg", False, True)
    assert firing["convertSpec"]["source"] == [{"content": "a b", "stream": "video", "reference": "1.4s"}]
    assert firing["convertSpec"]["parameters"] == {"width": "64"}
    assert bench.client.get("/api/jobs?count").get_json() == {"count": 0}


def test_a_picture_without_a_stream_is_of_the_one_that_people_take_first(bench: Bench) -> None:
    answer = bench.client.post("/api/rules/match", json={"path": "/beams/film/1s.jpg"})

    (firing,) = answer.get_json()["firing"]
    assert firing["convertSpec"]["source"] == [{"content": "film", "stream": "default", "reference": "1s"}]


def test_a_rule_for_reads_is_not_for_writes(bench: Bench) -> None:
    assert match(bench, "/beams/a/video/x.jpeg", method="GET") == ["jpeg"]
    assert match(bench, "/beams/a/video/x.jpeg", method="PUT") == []


def test_rules_behind_the_routes_fire_by_status(bench: Bench) -> None:
    patch = {"dataMissing": {"enabled": True}, "fileStore": {"enabled": True}}
    bench.client.patch("/api/rules", json=patch, content_type="application/merge-patch+json")

    assert match(bench, "/beams/a/0/packet_-42/data", status=404) == ["dataMissing"]
    assert match(bench, "/beams/a/0/packet_-42/data", status=200) == []
    assert match(bench, "/beams/a/0/packet_1/data", method="PUT", status=201) == ["fileStore"]


def test_a_request_does_not_hang_without_an_engine(bench: Bench) -> None:
    bench.engine.is_away = True

    answer = bench.client.get("/beams/a/video/1s.jpg")

    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0


def test_a_request_does_not_hang_without_a_worker_and_its_job_is_cancelled(bench: Bench) -> None:
    patch = {"jpeg": {"timeoutMs": 1}}
    bench.client.patch("/api/rules", json=patch, content_type="application/merge-patch+json")

    answer = bench.client.get("/beams/a/video/1s.jpg")

    assert answer.status_code == 503
    assert "no worker" in answer.get_json()["detail"]
    (job,) = bench.client.get("/api/jobs").get_json()
    assert job["clientData"] == {"rule": "jpeg", "path": "/beams/a/video/1s.jpg"}
    assert [t["trigger"]["requestedProcState"] for t in job["transitions"]] == ["Start", "Cancel"]


@pytest.mark.parametrize("sent", ["a%2Fb", "a/b"])
def test_a_rule_sees_payloads_of_names_with_slashes_as_they_are_encoded(bench: Bench, sent: str) -> None:
    stream = {"type": "Stream", "index": 0, "time_base": [1, 25], "codecpar": {"codec_type": "data"}}
    bench.client.post("/beams", json={"type": "format", "url": "a/b", "streams": [stream]})
    bench.client.put("/beams/a%2Fb/0/packet_1", json={"type": "Packet"})
    data = "/beams/a%2Fb/0/packet_1/data"
    bench.client.put(data, data=b"hello", content_type="application/octet-stream")
    address = f"/beams/{sent}/0/packet_1/data"
    assert bench.client.get(address).data == b"hello"

    pattern = "^/beams/(?P<content>[^/]+)/(?P<stream>[^/]+)/(?P<reference>[^/]+)/data$"
    put(bench, "own", pathPattern=pattern)
    bench.engine.is_away = True

    assert bench.client.get(address).status_code == 503


def test_parameters_that_the_recipe_refuses_make_no_job(bench: Bench) -> None:
    answers = [bench.client.get(f"/beams/a/video/{ref}") for ref in ("1s.jpg?width=x", "1wibble.jpg")]

    assert [answer.status_code for answer in answers] == [400, 400]
    wrong_width, wrong_reference = (answer.get_json() for answer in answers)
    assert [error["parameter"] for error in wrong_width["errors"]] == ["width"]
    assert wrong_reference["column"] == 2
    assert bench.client.get("/api/jobs?count").get_json() == {"count": 0}


@pytest.mark.parametrize(
    ("query", "told"),
    [("widht=5", "did you mean width?"), ("width=5&width=6", "more than once"), ("height=&x", "known are")],
)
def test_a_query_that_the_rule_does_not_know_makes_no_job(bench: Bench, query: str, told: str) -> None:
    answer = bench.client.get(f"/beams/a/video/1s.jpg?{query}")

    assert answer.status_code == 400
    assert told in answer.get_json()["errors"][0]["detail"]
    assert bench.client.get("/api/jobs?count").get_json() == {"count": 0}


@pytest.mark.parametrize("members", [{"anyQuery": True}, {"query": {"x": "^1$"}}], ids=["any", "a condition"])
def test_a_query_may_have_what_the_rule_says(bench: Bench, members: dict[str, Any]) -> None:
    put(bench, "own", pathPattern="^/beams/(?P<content>[^/]+)/own$", **members)
    bench.engine.is_away = True

    assert bench.client.get("/beams/a/own?x=1").status_code == 503


def test_only_an_admin_changes_rules(bench: Bench) -> None:
    headers = {"X-API-Key": bench.key("operator")}

    assert bench.client.get("/api/rules", headers=headers).status_code == 200
    assert bench.client.put("/api/rules/own", json=OWN, headers=headers).status_code == 403
    assert bench.client.delete("/api/rules/jpeg", headers=headers).status_code == 403


@pytest.mark.parametrize("is_patch", [False, True])
def test_a_rule_that_copies_to_where_nobody_may_is_refused(bench: Bench, is_patch: bool) -> None:
    rule = {"pathPattern": "x", "recipe": "storeCopy", "order": 1, "parameters": {"to": "https://b/a"}}
    if is_patch:
        kind = "application/merge-patch+json"
        answer = bench.client.patch("/api/rules", json={"mine": rule}, content_type=kind)
    else:
        answer = bench.client.put("/api/rules/mine", json=rule)

    assert answer.status_code == 422
    (fault,) = answer.get_json()["errors"]
    assert fault["pointer"].endswith("/parameters/to")
    assert "copy_urls" in fault["detail"]
