"""A job's list over REST: appending, and editing what is still planned."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.rest.bench import PIPE, Bench, immediate, on_event


def _list(bench: Bench, job_id: str) -> list[tuple[str, str]]:
    found = bench.client.get(f"/api/jobs/{job_id}/transitions").get_json()
    return [(t["status"], t["trigger"]["requestedProcState"]) for t in found]


def test_one_or_many_are_appended_and_answered(bench: Bench) -> None:
    job_id = bench.submit(on_event("Start"))["jobId"]
    place = f"/api/jobs/{job_id}/transitions"
    one = bench.client.post(place, json=immediate("Start"))
    assert one.status_code == 201
    (made,) = one.get_json()
    assert (made["status"], made["currentProcState"]) == ("Passed", "Running")
    assert bench.client.get(one.headers["Location"]).get_json() == made
    many = bench.client.post(place, json=[on_event("Pause", "a"), on_event("Finish", "b")])
    assert [t["trigger"]["requestedProcState"] for t in many.get_json()] == ["Pause", "Finish"]
    wrapped = bench.client.post(place, json={"transitions": [immediate("Finish")]})
    assert wrapped.get_json()[0]["currentProcState"] == "Finished"


@pytest.mark.parametrize("is_put", [False, True])
@pytest.mark.parametrize("matches", [False, True])
def test_what_comes_again_is_answered_as_before_though_it_could_not_be_done_now(
    bench: Bench, is_put: bool, matches: bool
) -> None:
    place, revision = _begun(bench)
    headers = {"Idempotency-Key": "k1", **({"If-Match": revision} if matches else {})}
    start = immediate("Start", jobDescription=PIPE)
    method, path = ("PUT", place) if is_put else ("POST", f"{place}/transitions")
    body = {"transitions": [start]}
    first = bench.client.open(path, method=method, json=body, headers=headers)
    again = bench.client.open(path, method=method, json=body, headers=headers)
    assert (first.status_code, again.status_code) == ((200, 200) if is_put else (201, 201))
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(bench.client.get(place).get_json()["transitions"]) == 2
    other = bench.client.open(path, method=method, json={"transitions": [start, start]}, headers=headers)
    assert other.get_json()["code"] == "idempotency-key-reused"
    new = bench.client.open(path, method=method, json=body, headers={**headers, "Idempotency-Key": "k2"})
    assert new.status_code == (412 if matches else 422)


def _begun(bench: Bench) -> tuple[str, str]:
    """The address of a job that waits for a description, and its revision."""
    posted = bench.client.post("/api/jobs", json={"transitions": [on_event("None")]})
    return posted.headers["Location"], posted.headers["ETag"]


def test_nothing_is_appended_to_a_job_that_has_ended(bench: Bench) -> None:
    job_id = bench.submit(immediate("Start"), immediate("Finish"))["jobId"]
    response = bench.client.post(f"/api/jobs/{job_id}/transitions", json=immediate("Start"))
    problem = response.get_json()
    assert (response.status_code, problem["code"]) == (409, "transition-not-allowed")
    assert (problem["state"], problem["allowed"]) == ("Finished", [])


def test_pointers_are_those_of_what_was_posted(bench: Bench) -> None:
    place = f"/api/jobs/{bench.submit(on_event('Start'))['jobId']}/transitions"
    level = {"trigger": {"type": "Level", "graph": "Out", "above": -10, "requestedProcState": "Start"}}
    assert bench.client.post(place, json=level).get_json()["errors"][0]["pointer"] == "/trigger/type"
    assert bench.client.post(place, json=[level]).get_json()["errors"][0]["pointer"] == "/0/trigger/type"
    wrapped = bench.client.post(place, json={"Transitions": [level]})
    assert wrapped.get_json()["errors"][0]["pointer"] == "/Transitions/0/trigger/type"


def test_a_volatile_transition_needs_a_running_worker(bench: Bench) -> None:
    job_id = bench.submit(immediate("Start"))["jobId"]
    place = f"/api/jobs/{job_id}/transitions"
    volatile = immediate("None", volatile=True)
    assert bench.client.post(place, json=volatile).status_code == 409
    mixed = bench.client.post(place, json=[immediate("None"), volatile])
    assert mixed.get_json()["errors"][0]["pointer"] == "/1/volatile"
    new = bench.client.post("/api/jobs", json={"transitions": [volatile]})
    assert new.get_json()["errors"][0]["pointer"] == "/transitions/0/volatile"
    assert _list(bench, job_id) == [("Passed", "Start")]


def test_a_planned_transition_is_changed_and_the_old_row_stays(bench: Bench) -> None:
    job = bench.submit(on_event("Start", "go"))
    place = f"/api/jobs/{job['jobId']}/transitions/{job['transitions'][0]['transitionId']}"
    patch = {"trigger": {"type": "Event", "name": "later", "requestedProcState": "Start"}}
    assert bench.client.patch(place, json=patch).status_code == 428
    etag = f'"{job["revision"]}"'
    changed = bench.client.patch(place, json=patch, headers={"If-Match": etag})
    assert changed.status_code == 200, changed.text
    assert changed.get_json()["trigger"]["name"] == "later"
    assert sorted(_list(bench, job["jobId"])) == [("Pending", "Start"), ("Superseded", "Start")]
    stale = bench.client.patch(changed.headers["Location"], json=patch, headers={"If-Match": etag})
    assert stale.status_code == 412
    whole = bench.client.get(f"/api/jobs/{job['jobId']}").get_json()
    assert [t["status"] for t in whole["transitions"]] == ["Pending"]


def _planned(bench: Bench, **members: Any) -> str:
    """The address of a planned Duration transition behind one that waits."""
    after = {"trigger": {"type": "Duration", "duration": 500, "requestedProcState": "Finish"}, **members}
    job = bench.submit(on_event("Start"), after)
    return f"/api/jobs/{job['jobId']}/transitions/{job['transitions'][1]['transitionId']}"


def _patch(bench: Bench, place: str, patch: Any) -> Any:
    headers = {"If-Match": "*", "Content-Type": "application/merge-patch+json"}
    return bench.client.patch(place, data=json.dumps(patch), headers=headers)


def test_a_patch_is_merged_into_what_was_posted(bench: Bench) -> None:
    place = _planned(bench, info={"by": "me", "Why": {"a": 1, "b": 2}})
    changed = _patch(bench, place, {"trigger": {"duration": 1500}, "info": {"by": None, "Why": {"b": 3}}})
    assert changed.status_code == 200, changed.text
    found = changed.get_json()
    assert found["trigger"] == {"type": "Duration", "duration": 1500, "requestedProcState": "Finish"}
    assert found["info"] == {"Why": {"a": 1, "b": 3}}
    assert _patch(bench, changed.headers["Location"], {"info": None}).get_json()["info"] is None


def test_a_patch_may_spell_keys_in_any_case_but_not_those_of_info(bench: Bench) -> None:
    place = _planned(bench, info={"by": "me"})
    found = _patch(bench, place, {"Trigger": {"Duration": 7}, "Info": {"By": "you"}}).get_json()
    assert found["trigger"]["duration"] == 7
    assert found["info"] == {"by": "me", "By": "you"}


def test_another_type_of_trigger_lets_go_of_what_belonged_to_the_old(bench: Bench) -> None:
    place = _planned(bench)
    other = {"type": "Event", "name": "end"}
    found = _patch(bench, place, {"trigger": other}).get_json()
    assert found["trigger"] == {**other, "requestedProcState": "Finish"}


@pytest.mark.parametrize(
    ("patch", "pointer"),
    [
        ({"Trigger": {"DURATION": -1}}, "/Trigger/DURATION"),
        ({"trigger": {"requestedProcState": "Stop"}}, "/trigger/requestedProcState"),
        ({"trigger": {"duration": None}}, "/trigger/duration"),
        ({"trigger": None}, "/trigger"),
        ({"volatile": True}, "/volatile"),
        ({"trigger": {"a/b": 1}}, "/trigger/a~1b"),
        ({"jobDescription": {"pipeSpec": {"mixer": 7}}}, "/jobDescription/pipeSpec/mixer"),
        ([], ""),
    ],
)
def test_what_the_patch_would_make_is_checked_as_a_whole(bench: Bench, patch: Any, pointer: str) -> None:
    place = _planned(bench)
    response = _patch(bench, place, patch)
    assert response.status_code == 422, response.text
    assert [fault["pointer"] for fault in response.get_json()["errors"]] == [pointer]
    assert bench.client.get(place).get_json()["trigger"]["duration"] == 500


def test_a_planned_transition_is_removed(bench: Bench) -> None:
    job = bench.submit(on_event("Start"), on_event("Finish", "end"))
    place = f"/api/jobs/{job['jobId']}/transitions/{job['transitions'][1]['transitionId']}"
    assert bench.client.delete(place).status_code == 428
    assert bench.client.delete(place, headers={"If-Match": "*"}).status_code == 204
    assert bench.client.get(place).get_json()["status"] == "Superseded"


def test_what_has_passed_can_not_be_changed(bench: Bench) -> None:
    job = bench.submit(immediate("Start"))
    now = bench.client.get(f"/api/jobs/{job['jobId']}").get_json()
    place = f"/api/jobs/{job['jobId']}/transitions/{now['transitions'][0]['transitionId']}"
    headers = {"If-Match": "*"}
    assert bench.client.delete(place, headers=headers).status_code == 409
    assert bench.client.patch(place, json={"info": {}}, headers=headers).status_code == 409


def test_an_event_starts_what_waits_for_it(bench: Bench) -> None:
    job_id = bench.submit(on_event("Start", "go"))["jobId"]
    assert bench.client.post("/api/events", json={"name": "go", "data": {"by": "test"}}).status_code == 202
    assert bench.client.get(f"/api/jobs/{job_id}").get_json()["currentState"] == "Running"
