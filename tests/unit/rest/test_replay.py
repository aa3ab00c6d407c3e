"""Savant Replay's endpoints: its requests as they stand, its answers, and proper statuses for failures."""

from __future__ import annotations

import copy
from typing import Any
from uuid import UUID

import pytest

from jobengine.contents.catalogue import Catalogue
from jobengine.contents.sources import source_write
from jobengine.messaging.sockets.codecs import decoder
from jobengine.model.element import Element, ElementKind
from jobengine.ports.contents import PutElement
from tests.integration.sockets import savant
from tests.unit.rest.bench import CLOCK, Bench, immediate

ANCHOR = "018f76e3-a0b9-7f67-8f76-ab0402fda78e"
SECOND = {"secs": 1, "nanos": 0}
JOB: dict[str, Any] = {
    "sink": {
        "url": "dealer+connect:ipc:///tmp/in",
        "options": {
            "send_timeout": SECOND,
            "send_retries": 3,
            "receive_timeout": SECOND,
            "receive_retries": 3,
            "send_hwm": 1000,
            "receive_hwm": 1000,
            "inflight_ops": 100,
        },
    },
    "configuration": {
        "ts_sync": True,
        "skip_intermediary_eos": False,
        "send_eos": True,
        "stop_on_incorrect_ts": False,
        "ts_discrepancy_fix_duration": {"secs": 0, "nanos": 33333333},
        "min_duration": {"secs": 0, "nanos": 10000000},
        "max_duration": {"secs": 0, "nanos": 103333333},
        "stored_stream_id": "in-video",
        "resulting_stream_id": "vod-video-1",
        "routing_labels": "bypass",
        "max_idle_duration": {"secs": 10, "nanos": 0},
        "max_delivery_duration": {"secs": 10, "nanos": 0},
        "send_metadata_only": False,
        "labels": {"namespace": "key"},
    },
    "stop_condition": {"frame_count": 10000},
    "anchor_keyframe": ANCHOR,
    "anchor_wait_duration": SECOND,
    "offset": {"blocks": 5},
    "attributes": [
        {
            "namespace": "key",
            "name": "value",
            "values": [
                {"confidence": 0.5, "value": {"Integer": 1}},
                {"confidence": None, "value": {"FloatVector": [1.0, 2.0, 3.0]}},
                {"confidence": None, "value": "None"},
            ],
            "hint": None,
            "is_persistent": True,
            "is_hidden": False,
        }
    ],
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """The job with one member changed."""
    job = copy.deepcopy(JOB)
    *parents, last = path.split("/")
    target: Any = job
    for name in parents:
        target = target[int(name) if name.isdigit() else name]
    target[last] = value
    return job


def put(bench: Bench, job: dict[str, Any]) -> str:
    response = bench.client.put("/api/v1/job", json=job)
    assert response.status_code == 200, response.text
    made: str = response.get_json()["new_job"]
    return made


def test_a_job_of_replay_is_a_restream_job(bench: Bench) -> None:
    job_id = put(bench, JOB)
    assert UUID(job_id).version == 7
    job = bench.client.get(f"/api/jobs/{job_id}").get_json()
    assert (job["kind"], job["restartPolicy"]) == ("restream", "resume")
    start, stop = job["transitions"]
    spec = start["jobDescription"]["restreamSpec"]
    assert spec["source"] == {"content": "in-video", "stream": 0}
    assert spec["anchor"] == {"key": ANCHOR}
    assert spec["pacing"] == {
        "mode": "absolute",
        "minDurationMs": 10.0,
        "maxDurationMs": 103.333333,
        "discrepancyFixMs": 33.333333,
        "stopOnIncorrectTs": False,
    }
    assert spec["sink"]["options"]["codec"] == "savant"
    assert spec["attributes"][0]["values"][2] == {"confidence": None, "value": {"None": None}}
    assert stop["trigger"] == {
        "type": "Stream",
        "condition": {"frameCount": 10000},
        "requestedProcState": "Finish",
    }


def test_jobs_are_listed_with_their_configuration_and_stop_condition(bench: Bench) -> None:
    bench.submit(immediate("Start"))
    job_id = put(bench, JOB)
    row = [job_id, JOB["configuration"], {"frame_count": 10000}]
    assert bench.client.get("/api/v1/job").get_json() == {"jobs": [row]}
    assert bench.client.get(f"/api/v1/job/{job_id}").get_json() == {"jobs": [row]}
    assert bench.client.get(f"/api/v1/job?job={job_id}").get_json() == {"jobs": [row]}
    assert bench.client.get("/api/v1/job/stopped").get_json() == {"stopped_jobs": []}


def test_a_job_is_cancelled_by_a_transition_of_its_own(bench: Bench) -> None:
    job_id = put(bench, JOB)
    response = bench.client.delete(f"/api/v1/job/{job_id}")
    assert (response.status_code, response.get_json()) == (200, "ok")
    last = bench.client.get(f"/api/jobs/{job_id}/transitions").get_json()[-1]
    assert last["trigger"] == {"type": "Immediate", "requestedProcState": "Cancel"}


@pytest.mark.parametrize(("end", "failure"), [("Finish", None), ("Cancel", "cancelled")])
def test_jobs_that_have_ended_are_listed_with_why(bench: Bench, end: str, failure: str | None) -> None:
    data = {"dialect": "replay", "posted": JOB}
    job_id = bench.submit(immediate("Start"), immediate(end), clientData=data)["jobId"]
    stopped = bench.client.get("/api/v1/job/stopped").get_json()
    assert stopped == {"stopped_jobs": [[job_id, JOB["configuration"], failure]]}
    assert bench.client.get(f"/api/v1/job/{job_id}").get_json() == {"jobs": []}
    assert bench.client.delete(f"/api/v1/job/{job_id}").status_code == 409
    assert bench.client.patch(f"/api/v1/job/{job_id}/stop-condition", json="now").status_code == 409


def test_a_job_that_only_says_it_is_replays_does_no_harm(bench: Bench) -> None:
    job_id = bench.submit(immediate("Start"), clientData={"dialect": "replay"})["jobId"]
    assert bench.client.get("/api/v1/job").get_json() == {"jobs": [[job_id, {}, "now"]]}
    assert bench.client.patch(f"/api/v1/job/{job_id}/stop-condition", json="now").status_code == 409


@pytest.mark.parametrize(
    "condition",
    [
        {"last_frame": {"uuid": ANCHOR}},
        {"frame_count": 5},
        {"key_frame_count": 5},
        {"ts_delta_sec": {"max_delta_sec": 1.5}},
        {"real_time_delta_ms": {"configured_delta_ms": 500}},
        "now",
        "never",
    ],
)
def test_a_stop_condition_is_replaced_and_the_old_one_stays_in_the_history(
    bench: Bench, condition: Any
) -> None:
    job_id = put(bench, JOB)
    response = bench.client.patch(f"/api/v1/job/{job_id}/stop-condition", json=condition)
    assert (response.status_code, response.get_json()) == (200, "ok")
    (row,) = bench.client.get("/api/v1/job").get_json()["jobs"]
    assert row[2] == condition
    transitions = bench.client.get(f"/api/jobs/{job_id}/transitions").get_json()
    superseded = [t["trigger"]["condition"] for t in transitions if t["status"] == "Superseded"]
    assert superseded == [{"frameCount": 10000}]


@pytest.mark.parametrize(
    ("job", "pointer"),
    [
        (changed("sink/url", "router+connect:ipc:///tmp/in"), "/sink/url"),
        (changed("sink/url", "dealer+bind:tcp://127.0.0.1:1"), "/sink/url"),
        (changed("sink/options/send_timeout", {"secs": 0, "nanos": 0}), "/sink/options/send_timeout"),
        (changed("anchor_keyframe", "not a uuid"), "/anchor_keyframe"),
        (changed("offset", {"seconds": -1}), "/offset/seconds"),
        (changed("offset", {"seconds": 1e300}), "/offset/seconds"),
        (changed("offset", {}), "/offset"),
        (changed("configuration/min_duration", SECOND), "/configuration"),
        (changed("configuration/stored_stream_id", ""), "/configuration/stored_stream_id"),
        (changed("configuration/resulting_stream_id", "a\x01"), "/configuration/resulting_stream_id"),
        (changed("stop_condition", {"frame_count": 0}), "/stop_condition/frame_count"),
        (changed("stop_condition", {"key_frame_count": 0}), "/stop_condition/key_frame_count"),
        (changed("stop_condition", "soon"), "/stop_condition"),
        (changed("stop_condition", {"last_frame": {"uuid": "x"}}), "/stop_condition/last_frame/uuid"),
        (changed("attributes", [{"name": "x"}]), "/attributes/0/namespace"),
        (changed("attributes/0/values/0/value", {"FloatVector": ["a"]}), "/attributes/0/values/0/value"),
        (changed("configuration/routing_labels", "append"), "/configuration/routing_labels"),
        (changed("configuration/routing_labels", {}), "/configuration/routing_labels"),
        (
            changed("configuration/routing_labels", {"replace": [], "append": []}),
            "/configuration/routing_labels",
        ),
        (changed("configuration/ts_sync", 1), "/configuration/ts_sync"),
        (changed("configuration/send_eos", "true"), "/configuration/send_eos"),
        (changed("offset", {"blocks": "5"}), "/offset/blocks"),
        (changed("offset", {"blocks": 2**64 - 1, "seconds": 1.0}), "/offset"),
        (changed("sink/options/send_hwm", True), "/sink/options/send_hwm"),
        (changed("sink/options/send_hwm", 0), "/sink/options/send_hwm"),
        ({"Sink": JOB["sink"]}, "/sink"),
        ({}, "/sink"),
    ],
)
def test_what_can_not_be_is_refused_with_its_place(bench: Bench, job: dict[str, Any], pointer: str) -> None:
    response = bench.client.put("/api/v1/job", json=job)
    assert response.status_code == 422, response.text
    problem = response.get_json()
    assert pointer in [fault["pointer"] for fault in problem["errors"]]
    assert problem["error"] == problem["detail"]
    assert bench.client.get("/api/v1/job").get_json() == {"jobs": []}


def test_a_duration_without_end_is_as_long_as_can_be(bench: Bench) -> None:
    job = changed("configuration/max_idle_duration", {"secs": 2**64 - 1, "nanos": 0})
    job["configuration"]["max_duration"] = {"secs": 2**64 - 1, "nanos": 999_999_999}
    job_id = put(bench, job)
    spec = bench.client.get(f"/api/jobs/{job_id}").get_json()["transitions"][0]["jobDescription"]
    assert spec["restreamSpec"]["maxIdleMs"] == 30 * 24 * 3600 * 1000
    assert spec["restreamSpec"]["pacing"]["maxDurationMs"] == 24 * 3600 * 1000


def test_numbers_of_64_bits_are_as_large_as_can_be(bench: Bench) -> None:
    most = 2**64 - 1
    job = changed("offset", {"blocks": most})
    job["sink"]["options"] = {
        "send_timeout": {"secs": most, "nanos": 0},
        "receive_timeout": {"secs": most, "nanos": 0},
        **dict.fromkeys(("send_retries", "receive_retries", "send_hwm", "receive_hwm", "inflight_ops"), most),
    }

    job_id = put(bench, job)

    spec = bench.client.get(f"/api/jobs/{job_id}").get_json()["transitions"][0]["jobDescription"]
    assert spec["restreamSpec"]["offset"] == {"blocks": 1_000_000}
    assert spec["restreamSpec"]["sink"]["options"] == {
        "codec": "savant",
        "sendTimeoutMs": 3_600_000,
        "sendRetries": 1000,
        "receiveTimeoutMs": 3_600_000,
        "receiveRetries": 1000,
        "sendHwm": 1_000_000,
        "receiveHwm": 1_000_000,
        "inflightOps": 100_000,
    }


def test_old_clients_have_the_options_beside_the_url(bench: Bench) -> None:
    job = changed("sink", {"url": "pub+connect:tcp://127.0.0.1:5555", "send_retries": 7})
    job_id = put(bench, job)
    spec = bench.client.get(f"/api/jobs/{job_id}").get_json()["transitions"][0]["jobDescription"]
    assert spec["restreamSpec"]["sink"]["options"]["sendRetries"] == 7


@pytest.mark.parametrize("job_id", ["nonsense", "018f76e3-a0b9-7f67-8f76-ab0402fda78f"])
def test_an_unknown_job_is_404_everywhere(bench: Bench, job_id: str) -> None:
    assert bench.client.get(f"/api/v1/job/{job_id}").status_code == 404
    assert bench.client.delete(f"/api/v1/job/{job_id}").status_code == 404
    assert bench.client.patch(f"/api/v1/job/{job_id}/stop-condition", json="now").status_code == 404


def test_other_jobs_are_none_of_replays(bench: Bench) -> None:
    job_id = bench.submit(immediate("Start"))["jobId"]
    assert bench.client.get(f"/api/v1/job/{job_id}").status_code == 404


def test_status_and_shutdown(bench: Bench) -> None:
    assert bench.client.get("/api/v1/status").get_json() == "running"
    assert not bench.engine.is_told_to_end
    assert bench.client.post("/api/v1/shutdown").get_json() == "ok"
    assert bench.engine.is_told_to_end
    bench.engine.is_away = True
    assert bench.client.get("/api/v1/status").status_code == 503


def test_a_viewer_can_neither_make_jobs_nor_end_the_service(bench: Bench) -> None:
    headers = {"Authorization": f"Bearer {bench.key('viewer')}"}
    assert bench.client.get("/api/v1/job", headers=headers).status_code == 200
    assert bench.client.put("/api/v1/job", json=JOB, headers=headers).status_code == 403
    assert bench.client.post("/api/v1/shutdown", headers=headers).status_code == 403
    assert not bench.engine.is_told_to_end


def identity(at_ms: int, number: int) -> bytes:
    """A UUIDv7 of a moment."""
    return (at_ms << 80 | 7 << 76 | 2 << 62 | number).to_bytes(16)


def store_keys(bench: Bench, source: str, times_ms: list[int], content: str = "recorded") -> list[str]:
    """Key elements of these moments, each with one element that is none behind it."""
    made = Catalogue(bench.contents, CLOCK).create(content, {}, [{"type": "Stream", "time_base": [1, 1000]}])
    ids = [identity(at_ms, number) for number, at_ms in enumerate(times_ms)]
    writes = [source_write(source, content, 0)]
    for number, key in enumerate(ids):
        element = Element(ElementKind.PACKET, number * 2, is_key=True, element_id=key)
        other = Element(
            ElementKind.PACKET, number * 2 + 1, element_id=identity(times_ms[number], 1000 + number)
        )
        stream = made.stream_number(0)
        writes += [PutElement(stream, element, [b"key"]), PutElement(stream, other, [b"x"])]  # type: ignore[list-item]
    bench.contents.commit(writes)
    return [str(UUID(bytes=key)) for key in ids]


def find(bench: Bench, **members: Any) -> list[str]:
    response = bench.client.post("/api/v1/keyframes/find", json={"from": None, "to": None, **members})
    assert response.status_code == 200, response.text
    source, found = response.get_json()["keyframes"]
    assert source == members["source_id"]
    return list(found)


def test_keyframes_are_found_by_time(bench: Bench) -> None:
    first = [1_700_000_000_000 + n for n in range(10)]
    ids = store_keys(bench, "cam", first + [at + 2000 for at in first])
    seconds = 1_700_000_000
    assert find(bench, source_id="cam", **{"from": seconds}, to=seconds + 2, limit=20) == ids
    assert find(bench, source_id="cam", **{"from": seconds + 2}, limit=20) == ids[10:]
    assert find(bench, source_id="cam", to=seconds, limit=20) == ids[:10]
    assert find(bench, source_id="cam", **{"from": seconds + 1}, to=seconds + 1, limit=20) == []
    assert find(bench, source_id="cam", limit=2) == ids[:2]
    assert find(bench, source_id="unknown", limit=2) == []


def test_a_window_may_be_as_wide_as_its_numbers_and_as_empty(bench: Bench) -> None:
    most = 2**64 - 1
    ids = store_keys(bench, "cam", [1_700_000_000_000, 2**48 - 1])
    assert find(bench, source_id="cam", **{"from": 0}, to=most, limit=most) == ids
    assert find(bench, source_id="cam", **{"from": most}, to=most, limit=20) == []
    assert find(bench, source_id="cam", **{"from": 1_700_000_001}, to=1_700_000_000, limit=20) == []


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"limit": 0}, "/limit"),
        ({"limit": True}, "/limit"),
        ({"limit": "5"}, "/limit"),
        ({"from": 1.5}, "/from"),
        ({"to": -1}, "/to"),
        ({"source_id": ""}, "/source_id"),
    ],
)
def test_what_can_not_be_found_is_refused(bench: Bench, members: dict[str, Any], pointer: str) -> None:
    body = {"source_id": "cam", "from": None, "to": None, "limit": 5, **members}
    response = bench.client.post("/api/v1/keyframes/find", json=body)
    assert (response.status_code, response.get_json()["errors"][0]["pointer"]) == (422, pointer)


def test_a_member_in_another_case_is_missing_under_its_own_name(bench: Bench) -> None:
    response = bench.client.post("/api/v1/keyframes/find", json={"SourceId": "cam", "limit": 5})
    assert response.get_json()["errors"] == [{"pointer": "/source_id", "detail": "field required"}]


@pytest.mark.needs("savant_rs")
def test_a_keyframe_is_fetched_with_metadata_and_payload(bench: Bench) -> None:
    frame = savant.frame("cam")
    record = decoder("savant").read(savant.packed(frame.to_message()), [b"1234", b"5678"])
    assert record.element is not None
    content = Catalogue(bench.contents, CLOCK).create("cam", record.format, [record.stream])
    bench.contents.commit([PutElement(content.stream_number(0), record.element, record.planes)])
    response = bench.client.get(f"/api/v1/keyframe/{frame.uuid}?source_id=cam")
    assert response.status_code == 200
    boundary = response.content_type.partition("boundary=")[2]
    assert boundary.startswith("savant-frame-")
    parts = response.data.split(f"--{boundary}".encode())[1:-1]
    heads, bodies = zip(*(part.split(b"\r\n\r\n", 1) for part in parts), strict=True)
    assert b"application/x-protobuf" in heads[0]
    assert [body.removesuffix(b"\r\n") for body in bodies[1:]] == [b"1234", b"5678"]
    again = decoder("savant").read(bodies[0].removesuffix(b"\r\n"), ())
    assert again.element is not None
    assert (again.source, str(UUID(bytes=again.element.element_id))) == ("cam", frame.uuid)
    as_json = bench.client.get(f"/api/v1/keyframe/{frame.uuid}?source_id=cam&metadata_format=json")
    assert f'"uuid":"{frame.uuid}"'.encode() in as_json.data


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("018f76e3-a0b9-7f67-8f76-ab0402fda78f?source_id=cam", 404),
        (f"{ANCHOR}?source_id=other", 404),
        ("nonsense?source_id=cam", 400),
        (f"{ANCHOR}?source_id=", 400),
        (f"{ANCHOR}?source_id=cam&metadata_format=xml", 400),
    ],
)
def test_a_keyframe_that_is_not_there_is_told_apart_from_a_wrong_question(
    bench: Bench, path: str, status: int
) -> None:
    store_keys(bench, "cam", [1_700_000_000_000])
    response = bench.client.get(f"/api/v1/keyframe/{path}")
    assert response.status_code == status, response.text
    assert response.get_json()["error"]
