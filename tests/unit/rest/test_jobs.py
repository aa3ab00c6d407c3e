"""``/api/jobs``: what users of ROAD's interface rely on."""

from __future__ import annotations

import copy
from itertools import count
from typing import Any

import pytest

from jobengine.rest.job_changes import PATCH_TRIES
from tests.unit.rest.bench import HOST, PIPE, Bench, immediate, on_event


def test_a_posted_job_is_answered_as_it_is_stored(bench: Bench) -> None:
    response = bench.client.post(
        "/api/jobs",
        json={"name": "Noon", "clientData": {"desk": "news"}, "transitions": [on_event("Start")]},
    )
    job = response.get_json()
    assert response.status_code == 201
    assert response.headers["Location"] == f"/api/jobs/{job['jobId']}"
    assert response.headers["ETag"] == f'"{job["revision"]}"'
    assert (job["name"], job["clientData"], job["currentState"]) == ("Noon", {"desk": "news"}, "Pending")
    assert job["processingHost"] == HOST
    (transition,) = job["transitions"]
    assert transition["status"] == "Pending"
    assert transition["currentProcState"] == "Pending"
    assert transition["actor"] == "local"
    assert bench.client.get(response.headers["Location"]).get_json() == job


def test_transitions_come_as_they_passed_and_then_as_planned(bench: Bench) -> None:
    job = bench.submit(on_event("Finish", "late"), immediate("Start"), on_event("Pause", "later"))
    got = bench.client.get(f"/api/jobs/{job['jobId']}").get_json()
    states = [(t["status"], t["trigger"]["requestedProcState"]) for t in got["transitions"]]
    assert states == [("Passed", "Start"), ("Pending", "Finish"), ("Pending", "Pause")]
    history = bench.client.get(f"/api/jobs/{job['jobId']}/history").get_json()
    assert [t["currentProcState"] for t in history] == ["Running"]
    assert len(history[0]["hash"]) == 64


def test_checking_answers_the_timeline_and_stores_nothing(bench: Bench) -> None:
    transitions = [
        immediate("Start", jobDescription=PIPE),
        {"trigger": {"type": "Duration", "duration": 2000, "requestedProcState": "Finish"}},
    ]
    response = bench.client.post("/api/jobs?validate=true", json={"transitions": transitions})
    plan = response.get_json()
    assert response.status_code == 200
    assert plan["kind"] == "pipe"
    assert [entry["currentProcState"] for entry in plan["timeline"]] == ["Running", "Finished"]
    assert plan["timeline"][1]["streamTimeMs"] == 2000
    assert "from studio-2" in str(plan["timeline"][1]["effectiveDescription"])
    assert bench.client.get("/api/jobs?count").get_json() == {"count": 0}


def test_placeholders_are_kept_beside_what_they_became(bench: Bench) -> None:
    start = {
        "trigger": {"type": "Event", "name": "go", "requestedProcState": "Start"},
        "jobDescription": PIPE,
    }
    (transition,) = bench.submit(start)["transitions"]
    assert "${ProcessingHost}" in str(transition["jobDescription"])
    assert "from studio-2" in str(transition["resolvedDescription"])
    assert transition["values"] == {"ProcessingHost": HOST}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b'{"name": "a", "name": "b"}', 400, "malformed"),
        (b'{"name": NaN}', 400, "malformed"),
        (b'{"clientData": 1e999}', 400, "malformed"),
        (b'{"clientData": 18446744073709551616}', 400, "malformed"),
        (b'{"clientData": -9223372036854775809}', 400, "malformed"),
        (b'{"clientData": ' + b"9" * 5_000 + b"}", 400, "malformed"),
        (b'{"name": ', 400, "malformed"),
        (b"\xff\xfe", 400, "malformed"),
        (b"[" * 200_000, 400, "malformed"),
        (b'{"clientData": ' + b"[" * 100 + b"]" * 100 + b"}", 400, "malformed"),
        (b'{"clientData": ' + b"[" * 99 + b"]" * 99 + b"}", 422, "invalid-document"),
        (b'{"clientData": ' + b'{"a\\u0062":' * 900 + b"1" + b"}" * 901, 400, "malformed"),
        (b"[]", 422, "invalid-document"),
        (b'{"transitions": []}', 422, "invalid-document"),
        (b'{"name": "\\u0000", "transitions": []}', 422, "invalid-document"),
        (b'{"name": "\\ud800", "transitions": []}', 422, "invalid-document"),
    ],
)
def test_a_bad_body_is_a_clear_problem(bench: Bench, body: bytes, status: int, code: str) -> None:
    response = bench.client.post("/api/jobs", data=body, content_type="application/json")
    problem = response.get_json()
    assert (response.status_code, problem["code"]) == (status, code)
    assert response.mimetype == "application/problem+json"
    assert problem["request_id"] == response.headers["X-Request-Id"]
    assert bench.client.get(problem["type"]).status_code == 200


def test_every_fault_has_its_pointer(bench: Bench) -> None:
    body = {
        "restartPolicy": "x",
        "transitions": [{"trigger": {"type": "Time", "requestedProcState": "Start"}}],
    }
    errors = bench.client.post("/api/jobs", json=body).get_json()["errors"]
    assert {error["pointer"] for error in errors} == {"/restartPolicy", "/transitions/0/trigger/startTime"}


def test_a_body_of_another_type_or_size_is_refused(bench: Bench) -> None:
    assert bench.client.post("/api/jobs", data="{}").status_code == 415
    large = bench.client.post(
        "/api/jobs", data=b" " * (16 * 1024 * 1024 + 1), content_type="application/json"
    )
    assert large.status_code == 413


def test_a_path_outside_the_roots_is_refused(bench: Bench) -> None:
    document: dict[str, Any] = {"pipeSpec": {**PIPE["pipeSpec"]}}
    graph: Any = dict(document["pipeSpec"]["outputGraph"][0])
    graph["filter"] = [{"name": "WAVDest"}, {"name": "FileWriter", "filePath": "/etc/passwd"}]
    document["pipeSpec"]["outputGraph"] = [graph]
    response = bench.client.post(
        "/api/jobs", json={"transitions": [immediate("Start", jobDescription=document)]}
    )
    (error,) = response.get_json()["errors"]
    assert error["pointer"].endswith("/outputGraph/0/filter/1/filePath")
    assert "outside" in error["detail"]


def test_the_same_idempotency_key_makes_one_job(bench: Bench) -> None:
    headers = {"Idempotency-Key": "k1"}
    body = {"transitions": [on_event("Start")]}
    first = bench.client.post("/api/jobs", json=body, headers=headers)
    again = bench.client.post("/api/jobs", json=body, headers=headers)
    assert again.status_code == 201
    assert again.get_json()["jobId"] == first.get_json()["jobId"]
    assert again.headers["Idempotent-Replayed"] == "true"
    other = bench.client.post("/api/jobs", json={**body, "name": "other"}, headers=headers)
    assert (other.status_code, other.get_json()["code"]) == (422, "idempotency-key-reused")
    assert bench.client.get("/api/jobs?count").get_json() == {"count": 1}


def test_a_post_is_answered_as_before_though_what_it_uses_is_gone(bench: Bench) -> None:
    bench.client.put("/api/variables/folder", json={"value": "news"})
    document = copy.deepcopy(PIPE)
    document["pipeSpec"]["outputGraph"][0]["filter"][-1]["filePath"] = "${Var:folder}/noon.wav"
    body = {"transitions": [immediate("Start", jobDescription=document)]}
    first = bench.client.post("/api/jobs", json=body, headers={"Idempotency-Key": "k1"})
    assert bench.client.delete("/api/variables/folder").status_code == 204

    again = bench.client.post("/api/jobs", json=body, headers={"Idempotency-Key": "k1"})
    assert (again.status_code, again.get_json()["jobId"]) == (201, first.get_json()["jobId"])
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Idempotent-Replayed"] == "true"
    new = bench.client.post("/api/jobs", json=body, headers={"Idempotency-Key": "k2"})
    assert (new.status_code, new.get_json()["code"]) == (422, "invalid-document")
    checked = bench.client.post("/api/jobs?validate=1", json=body, headers={"Idempotency-Key": "k1"})
    assert checked.status_code == 422
    other = bench.client.post("/api/jobs", json={**body, "name": "x"}, headers={"Idempotency-Key": "k1"})
    assert other.get_json()["code"] == "idempotency-key-reused"


def test_a_repeated_post_whose_job_was_deleted_makes_none_and_says_so(bench: Bench) -> None:
    headers = {"Idempotency-Key": "k1"}
    body = {"transitions": [on_event("Start")]}
    job_id = bench.client.post("/api/jobs", json=body, headers=headers).get_json()["jobId"]
    bench.client.delete(f"/api/jobs/{job_id}?force=true")
    again = bench.client.post("/api/jobs", json=body, headers=headers)
    assert again.status_code == 404
    assert f"made job {job_id} before, which has been deleted" in again.get_json()["detail"]
    assert bench.client.get("/api/jobs?count").get_json() == {"count": 0}


def test_patches_of_any_revision_at_once_are_all_merged(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = f"/api/jobs/{bench.submit(on_event('Start'), clientData={})['jobId']}"
    others, asked = [{"b": 2}, {"a": 1}], bench.engine.ask

    def patch(data: dict[str, int]) -> Any:
        return bench.client.patch(place, json={"clientData": data}, headers={"If-Match": "*"}).get_json()

    def ask(request: Any, **members: Any) -> Any:
        if others:  # another client is quicker
            patch(others.pop())
        return asked(request, **members)

    monkeypatch.setattr(bench.engine, "ask", ask)
    assert patch({"c": 3})["clientData"] == {"a": 1, "b": 2, "c": 3}


def test_a_patch_before_which_others_always_come_is_refused_in_the_end(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, asked, tries = bench.submit(on_event("Start"), clientData={}), bench.engine.ask, count()

    def ask(request: Any, **members: Any) -> Any:
        change = {"name": f"theirs {next(tries)}"}
        asked(request, actor="other", job_id=job["jobId"], changes=change, revision=members["revision"])
        return asked(request, **members)

    monkeypatch.setattr(bench.engine, "ask", ask)
    place, headers = f"/api/jobs/{job['jobId']}", {"If-Match": "*"}
    response = bench.client.patch(place, json={"clientData": {"c": 3}}, headers=headers)
    assert response.status_code == 409
    assert f"{PATCH_TRIES} times" in response.get_json()["detail"]
    assert next(tries) == PATCH_TRIES
    assert bench.client.get(place).get_json()["clientData"] == {}


def test_a_job_for_another_host_is_refused_in_a_sentence(bench: Bench) -> None:
    body = {"transitions": [on_event("Start")]}
    assert bench.client.post("/api/jobs?host=STUDIO-2", json=body).status_code == 201
    response = bench.client.post("/api/jobs?host=elsewhere", json=body)
    assert response.status_code == 422
    assert "elsewhere" in response.get_json()["detail"]


def test_the_list_is_filtered_sorted_pruned_and_paged(bench: Bench) -> None:
    for n in range(5):
        bench.submit(on_event("Start"), name=f"job {n}", clientData={"n": n})
    response = bench.client.get(
        "/api/jobs",
        query_string={
            "filter": "clientData.n > 0",
            "sort": "clientData.n",
            "fields": "name,transitions.trigger.type",
            "limit": 3,
        },
    )
    trigger = {"transitions": [{"trigger": {"type": "Event"}}]}
    assert response.get_json() == [{"name": f"job {n}", **trigger} for n in (1, 2, 3)]
    following = response.headers["Link"].split(">")[0][1:]
    last = bench.client.get(following)
    assert [job["name"] for job in last.get_json()] == ["job 4"]
    assert "Link" not in last.headers


def test_a_misspelt_member_is_not_answered_with_nothing(bench: Bench) -> None:
    job_id = bench.submit(on_event("Start"))["jobId"]
    for place in ("/api/jobs", f"/api/jobs/{job_id}"):
        refused = bench.client.get(f"{place}?fields=name,currentStat")
        assert (refused.status_code, refused.get_json()["code"]) == (400, "malformed")
        assert "no member currentStat; did you mean currentState?" in refused.get_data(as_text=True)
        assert bench.client.get(f"{place}?fields=NAME,clientData.desk").status_code == 200


def test_a_misspelt_parameter_is_not_ignored(bench: Bench) -> None:
    response = bench.client.get("/api/jobs?fliter=x")
    assert response.status_code == 400
    assert "did you mean filter" in response.get_json()["detail"]


def test_an_unchanged_job_is_not_sent_again(bench: Bench) -> None:
    job = bench.submit(on_event("Start"))
    place = f"/api/jobs/{job['jobId']}"
    etag = bench.client.get(place).headers["ETag"]
    assert bench.client.get(place, headers={"If-None-Match": etag}).status_code == 304
    bench.client.post(f"{place}/transitions", json=immediate("Start"))
    assert bench.client.get(place, headers={"If-None-Match": etag}).status_code == 200


def test_patch_needs_the_revision_and_merges(bench: Bench) -> None:
    job = bench.submit(on_event("Start"), name="old", clientData={"a": 1, "b": 2})
    place = f"/api/jobs/{job['jobId']}"
    patch: dict[str, Any] = {"clientData": {"a": None, "c": 3}}
    assert bench.client.patch(place, json=patch).status_code == 428
    etag = f'"{job["revision"]}"'
    patched = bench.client.patch(
        place,
        json=patch,
        headers={"If-Match": etag, "Content-Type": "application/merge-patch+json"},
    )
    assert patched.get_json()["clientData"] == {"b": 2, "c": 3}
    stale = bench.client.patch(place, json=patch, headers={"If-Match": etag})
    assert (stale.status_code, stale.get_json()["code"]) == (412, "revision-mismatch")


def test_put_appends_transitions_and_changes_members_as_in_road(bench: Bench) -> None:
    job = bench.submit(immediate("Start"), name="old")
    response = bench.client.put(
        f"/api/jobs/{job['jobId']}", json={"Name": "new", "Transitions": [immediate("Finish")]}
    )
    changed = response.get_json()
    assert (response.status_code, changed["name"], changed["currentState"]) == (200, "new", "Finished")
    assert len(changed["transitions"]) == 2


def test_only_with_force_is_an_active_job_deleted(bench: Bench) -> None:
    place = f"/api/jobs/{bench.submit(immediate('Start'))['jobId']}"
    assert bench.client.delete(place).status_code == 409
    forced = bench.client.delete(f"{place}?force")
    assert (forced.status_code, forced.get_json()) == (202, {"count": 1})
    assert bench.client.get(place).status_code == 404


def test_many_are_deleted_by_filter_or_none(bench: Bench) -> None:
    for _ in range(2):
        bench.submit(immediate("Start"), immediate("Finish"), name="done")
    bench.submit(immediate("Start"), name="on")
    query = {"filter": 'name == "done" OR name == "on"'}
    assert bench.client.delete("/api/jobs", query_string=query).status_code == 409
    assert bench.client.delete("/api/jobs").status_code == 400
    response = bench.client.delete(
        "/api/jobs", query_string={"filter": f"({query['filter']}) AND isActive == false"}
    )
    assert (response.status_code, response.get_json()) == (202, {"count": 2})
    assert bench.client.delete("/api/jobs", query_string={"filter": 'name == "no"'}).get_json() == {
        "count": 0
    }


def test_log_infos_come_only_when_asked_for(bench: Bench) -> None:
    job_id = bench.submit(on_event("Start"))["jobId"]
    log = bench.settings.worker_log(job_id)
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("one\ntwo\n")
    place = f"/api/jobs/{job_id}"
    whole = bench.client.get(place).get_json()
    assert whole["logInfoCount"] == 1
    assert "logInfos" not in whole
    (info,) = bench.client.get(f"{place}?fields=logInfos").get_json()["logInfos"]
    assert bench.client.get(info["href"]).text == "one\ntwo\n"
    tail = bench.client.get(f"{info['href']}?from=4")
    assert (tail.text, tail.headers["Log-Next"]) == ("two\n", "8")
    assert bench.client.get(f"{info['href']}?from=-4").text == "two\n"
    assert bench.client.get(f"{info['href']}?from=99").text == ""


def test_a_job_without_a_worker_has_an_empty_log_and_no_live_counters(bench: Bench) -> None:
    job_id = bench.submit(on_event("Start"))["jobId"]
    assert bench.client.get(f"/api/jobs/{job_id}/log").text == ""
    progress = bench.client.get(f"/api/jobs/{job_id}/progress").get_json()
    assert progress == {"jobId": job_id, "currentState": "Pending", "live": False}
    assert bench.client.get(f"/api/jobs/{job_id}/outputs").get_json() == []


def test_the_timeline_tells_the_past_the_plan_and_the_reason_of_waiting(bench: Bench) -> None:
    job_id = bench.submit(immediate("Start"), on_event("Finish", "bell"))["jobId"]
    timeline = bench.client.get(f"/api/jobs/{job_id}/timeline").get_json()
    assert [band["state"] for band in timeline["bands"]] == ["Pending", "Running"]
    assert timeline["bands"][-1]["to"] is None
    assert timeline["waitingFor"] == "Finish: waits for the event bell"


def test_the_description_is_that_of_the_moment_asked_for(bench: Bench) -> None:
    start = {
        "trigger": {"type": "Event", "name": "go", "requestedProcState": "Start"},
        "jobDescription": PIPE,
    }
    job = bench.submit(start)
    place = f"/api/jobs/{job['jobId']}/description"
    assert bench.client.get(place).get_json() == {}
    at = job["transitions"][0]["transitionId"]
    assert "inputGraph" in bench.client.get(f"{place}?at={at}").get_json()["pipeSpec"]
    assert bench.client.get(f"{place}?at=unknown").status_code == 404


@pytest.mark.parametrize("job_id", ["x", "00000000-0000-0000-0000-000000000000", "..%2f", "a%00b"])
def test_an_unknown_job_is_a_404_problem(bench: Bench, job_id: str) -> None:
    response = bench.client.get(f"/api/jobs/{job_id}")
    assert (response.status_code, response.mimetype) == (404, "application/problem+json")


def test_without_an_engine_writes_are_refused_and_reads_go_on(bench: Bench) -> None:
    bench.engine.is_away = True
    response = bench.client.post("/api/jobs", json={"transitions": [on_event("Start")]})
    assert response.status_code == 503
    assert "nothing was changed" in response.get_json()["detail"]
    assert response.headers["Retry-After"] == "2"
    assert bench.client.get("/api/jobs").status_code == 200
