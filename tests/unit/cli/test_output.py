"""Data on stdout in the asked form, talk on stderr, no tricks with the terminal."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from tests.unit.cli.conftest import Run
from tests.unit.client.scripted_service import Answer, ScriptedService, sse

ROW = {
    "sequence": 1,
    "timeStamp": "2026-01-01T00:00:00.000000Z",
    "trigger": {"type": "Duration", "requestedProcState": "None"},
    "currentProcState": "Running",
    "streamPosition": {"pts": 96000, "timeBase": "1/48000", "samples": 96000},
    "latenessMs": 0.25,
    "actor": "desk, noon",
    "info": {"why": 'a "quoted" reason'},
    "transitionId": "t1",
}


def history(run: Run, service: ScriptedService, form: str) -> str:
    service.on("GET", "/api/jobs/j1/history", Answer(200, [ROW, {**ROW, "sequence": 2}]))
    result = run("job", "history", "j1", "-o", form, "--url", service.url)
    assert result.exit_code == 0
    assert result.stderr == ""
    return result.stdout


def test_json_is_what_the_service_said(run: Run, service: ScriptedService) -> None:
    assert json.loads(history(run, service, "json")) == [ROW, {**ROW, "sequence": 2}]


def test_jsonl_is_a_document_per_line(run: Run, service: ScriptedService) -> None:
    assert [json.loads(line)["sequence"] for line in history(run, service, "jsonl").splitlines()] == [1, 2]


def test_csv_is_read_back_as_it_was(run: Run, service: ScriptedService) -> None:
    rows = list(csv.DictReader(io.StringIO(history(run, service, "csv"))))
    assert rows[0]["streamPosition.samples"] == "96000"
    assert rows[0]["actor"] == "desk, noon"
    assert json.loads(rows[0]["info"]) == ROW["info"]


def test_a_table_in_a_pipe_is_as_wide_as_it_needs(run: Run, service: ScriptedService) -> None:
    head, first, second = history(run, service, "table").splitlines()
    assert head.split()[0] == "#"
    assert "Duration" in first
    assert 'a \\"quoted\\" reason' in first
    assert second.startswith("2")


def test_control_characters_of_clients_are_shown_not_obeyed(run: Run, service: ScriptedService) -> None:
    service.on("GET", "/api/jobs", Answer(200, [{"jobId": "j1", "name": "\x1b[2J[red]x\u202e"}]))
    listed = run("job", "list", "--url", service.url).stdout
    service.on("GET", "/api/jobs/j1", Answer(200, {"jobId": "j1", "name": "\x1b[2J"}))
    shown = run("job", "show", "j1", "--url", service.url).stdout
    assert "\x1b" not in listed + shown
    assert "\\x1b[2J[red]x\\u202e" in listed


def test_a_list_asks_only_for_what_it_shows(run: Run, service: ScriptedService) -> None:
    service.on("GET", "/api/jobs", Answer(200, []))
    run("job", "list", "--url", service.url)
    run("job", "list", "--fields", "name, clientData.desk", "--url", service.url)
    first, second = service.requests("GET", "/api/jobs")
    assert "transitions" not in first.query["fields"]
    assert second.query["fields"] == "jobId,name,clientData.desk"


def test_the_environment_names_service_and_key(run: Run, service: ScriptedService, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("je_a_b\n")
    service.on("GET", "/api/jobs", Answer(200, {"count": 3}))
    env = {"JOBENGINE_URL": service.url, "JOBENGINE_TOKEN_FILE": str(key)}
    assert run("job", "list", "--count", env=env).stdout == "3\n"
    assert service.asked[0].headers["Authorization"] == "Bearer je_a_b"


def test_appending_prints_the_new_ids(run: Run, service: ScriptedService) -> None:
    service.on(
        "POST", "/api/jobs/j1/transitions", Answer(201, [{"transitionId": "a"}, {"transitionId": "b"}])
    )
    assert run("job", "append", "j1", "-", "--url", service.url, input="[{}, {}]").stdout == "a\nb\n"
    verb = run("job", "pause", "j1", "-o", "json", "--url", service.url)
    assert json.loads(verb.stdout) == [{"transitionId": "a"}, {"transitionId": "b"}]


def test_a_checked_document_is_shown_as_its_plan(run: Run, service: ScriptedService) -> None:
    plan = {
        "valid": True,
        "timeline": [{"index": 0, "when": None, "trigger": {"type": "Event"}, "reason": "waits"}],
    }
    service.on("POST", "/api/jobs", Answer(200, plan))
    table = run("job", "submit", "-", "--check", "--url", service.url, input="{}")
    assert "waits" in table.stdout
    assert "nothing was stored" in table.stderr
    document = run("job", "submit", "-", "--check", "-o", "json", "--url", service.url, input="{}")
    assert json.loads(document.stdout) == plan
    assert service.asked[0].query == {"validate": "true"}


def test_events_are_followed_up_to_a_limit(run: Run, service: ScriptedService) -> None:
    stream = Answer(stream=lambda asked: iter((sse(8), sse(9, state="Running"))))
    service.on("GET", "/api/events/stream", stream)
    result = run("event", "tail", "--after", "7", "--limit", "2", "-o", "jsonl", "--url", service.url)
    assert [json.loads(line)["sequence"] for line in result.stdout.splitlines()] == [8, 9]
    assert service.asked[0].headers["Last-Event-ID"] == "7"
    assert "job.state" in run("event", "tail", "--limit", "1", "--url", service.url).stdout


def test_watching_shows_what_passes_and_the_end(run: Run, service: ScriptedService) -> None:
    service.on(
        "GET",
        "/api/jobs/j1",
        *(Answer(200, {"jobId": "j1", "currentState": s}) for s in ("Running", "Finished")),
    )
    service.on("GET", "/api/jobs/j1/history", Answer(200, [ROW]))
    service.on("GET", "/api/events/stream", Answer(stream=lambda asked: iter((sse(1),))))
    result = run("job", "watch", "j1", "--url", service.url)
    assert result.exit_code == 0, result.stderr
    line = "passed=Duration requested=None state=Running out_time=00:00:02.000 samples=96000 late_ms=0.25"
    assert result.stdout.splitlines() == [line]
    assert "j1 is Finished" in result.stderr


def test_variables_are_text_unless_said_to_be_json(run: Run, service: ScriptedService) -> None:
    service.on("PUT", "/api/variables/Studio", Answer(200, {}))
    run("variable", "set", "Studio", "1", "--url", service.url)
    run("variable", "set", "Studio", "1", "--json", "--url", service.url)
    assert [asked.body for asked in service.asked] == [{"value": "1"}, {"value": 1}]


def test_the_service_is_shown_part_by_part(run: Run, service: ScriptedService) -> None:
    parts = {"engine": {"ready": False, "detail": "no answer"}}
    service.on("GET", "/readyz", Answer(503, {"ready": False, "components": parts}))
    service.on("GET", "/api/versions", Answer(200, {"service": "0.1.0", "parts": {"av": "18.1"}}))
    result = run("service", "list", "--url", service.url)
    assert result.exit_code == 6
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["Part", "engine", "service", "av"]
