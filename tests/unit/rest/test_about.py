"""What the service says of itself."""

from __future__ import annotations

import json

import jsonschema_rs
import pytest

from jobengine.rest.about import LATER
from tests.unit.rest.bench import Bench, immediate


def test_the_openapi_document_is_valid_and_documents_problems_everywhere(bench: Bench) -> None:
    document = bench.client.get("/api/openapi.json").get_json()
    assert document["openapi"].startswith("3.1")
    assert document["components"]["securitySchemes"].keys() == {"bearer", "apiKey"}
    text = json.dumps(document)
    schemas = document["components"]["schemas"]
    for part in text.split('"#/components/schemas/')[1:]:
        assert part.split('"')[0] in schemas
    assert not [name for name in schemas if name.startswith("_") or "-" in name]
    for path, item in document["paths"].items():
        for method, operation in item.items():
            codes = [code for code in operation["responses"] if int(code) >= 400]
            assert codes or path == "/healthz", (method, path)
            for code in codes:
                types = operation["responses"][code].get("content", {})
                assert path == "/readyz" or "application/problem+json" in types, (method, path, code)
    for name, schema in schemas.items():
        jsonschema_rs.Draft202012Validator(
            {"$ref": f"#/components/schemas/{name}", "components": {"schemas": schemas}}
        )
        assert schema


@pytest.mark.parametrize("name", LATER)
def test_what_is_not_there_yet_says_so(bench: Bench, name: str) -> None:
    response = bench.client.get(f"/api/{name}")
    assert (response.status_code, response.get_json()["code"]) == (501, "not-implemented")
    assert response.get_json()["detail"] == LATER[name]


def test_schemas_are_served_by_name(bench: Bench) -> None:
    for place in bench.client.get("/api/schemas").get_json().values():
        assert "$schema" in bench.client.get(place).get_json()
    assert bench.client.get("/api/schemas/job").status_code == 200
    assert bench.client.get("/api/schemas/nothing").status_code == 404


def test_variables_are_defined_used_and_removed(bench: Bench) -> None:
    place = "/api/variables/News.Title"
    assert bench.client.put(place, json={"value": "Noon"}).get_json() == {
        "name": "News.Title",
        "value": "Noon",
    }
    assert bench.client.get(place).get_json()["value"] == "Noon"
    assert bench.client.get("/api/variables").get_json() == [{"name": "News.Title", "value": "Noon"}]
    assert bench.client.put("/api/variables/a b", json={"value": 1}).status_code == 422
    assert bench.client.put(place, json={"value": None}).status_code == 422
    assert bench.client.delete(place).status_code == 204
    assert bench.client.get(place).status_code == 404
    assert bench.client.delete(place).status_code == 404


def test_readiness_tells_part_by_part(bench: Bench) -> None:
    ready = bench.client.get("/readyz")
    assert ready.status_code == 200
    assert set(ready.get_json()["components"]) == {"database", "migrations", "engine"}
    bench.engine.is_away = True
    unready = bench.client.get("/readyz")
    assert unready.status_code == 503
    assert unready.get_json()["components"]["engine"]["ready"] is False
    assert unready.get_json()["components"]["database"]["ready"] is True


def test_metrics_count_jobs_by_state_and_calls_by_route_without_ids(bench: Bench) -> None:
    job_id = bench.submit(immediate("Start"))["jobId"]
    bench.client.get(f"/api/jobs/{job_id}")
    text = bench.client.get("/metrics").text
    assert 'jobengine_jobs{state="Running"} 1.0' in text
    assert 'method="GET",route="/api/jobs/<jobId>",status="200"' in text
    assert job_id not in text


def test_methods_that_somebody_made_up_are_counted_together(bench: Bench) -> None:
    for number in range(3):
        assert bench.client.open("/api/jobs", method=f"ODD{number}").status_code == 405
    text = bench.client.get("/metrics").text
    assert (
        'jobengine_http_request_duration_seconds_count{method="other",route="none",status="405"} 3.0' in text
    )
    assert "ODD" not in text


def test_metrics_tell_of_sinks_as_long_as_the_engine_answers(bench: Bench) -> None:
    text = bench.client.get("/metrics").text
    assert "jobengine_restream_open_circuits 0.0" in text
    assert "jobengine_restream_dead_letters 0.0" in text
    bench.engine.is_away = True
    assert "jobengine_restream" not in bench.client.get("/metrics").text


def test_metrics_tell_how_often_what_makes_workers_has_failed(bench: Bench) -> None:
    line = 'jobengine_worker_failures_total{part="nursery"} 2.0'
    assert line in bench.client.get("/metrics").text
    bench.engine.is_away = True
    assert line not in bench.client.get("/metrics").text


def test_metrics_tell_how_many_jobs_were_set_aside(bench: Bench) -> None:
    assert 'jobengine_engine_faults_total{of="left_out"} 0.0' in bench.client.get("/metrics").text


def test_metrics_tell_what_the_process_fails_to_do_by_itself(bench: Bench) -> None:
    text = bench.client.get("/metrics").text
    assert 'jobengine_task_failures_total{task="content-events"} 3.0' in text
    assert 'jobengine_task_overdue_seconds{task="content-events"} 7.5' in text


def test_metrics_tell_how_late_transitions_passed(bench: Bench) -> None:
    bench.submit(immediate("Start"))
    assert "jobengine_trigger_lateness_seconds_count 0.0" in bench.client.get("/metrics").text
    bench.submit(immediate("Start"), immediate("Finish"))
    for _ in range(2):
        assert "jobengine_trigger_lateness_seconds_count 2.0" in bench.client.get("/metrics").text


def test_addresses_are_matched_and_never_built(bench: Bench) -> None:
    """What keeps werkzeug from compiling builders is a private part of it: this notices when that is gone."""
    with pytest.raises(RuntimeError, match="/api/jobs is only matched"):
        bench.client.application.url_map.bind("here").build("get /api/jobs")


def test_the_lifecycle_is_served_for_the_dashboard(bench: Bench) -> None:
    lifecycle = bench.client.get("/api/lifecycle").get_json()
    assert {"from": "Running", "requested": "Pause", "to": "Paused", "guard": ""} in lifecycle["arrows"]


def test_the_pages_and_their_scripts_are_there(bench: Bench) -> None:
    for place in ("/", "/jobs/some-id", "/static/api.js", "/static/jobs.js", "/static/job.js"):
        response = bench.client.get(place)
        assert response.status_code == 200
        response.close()
