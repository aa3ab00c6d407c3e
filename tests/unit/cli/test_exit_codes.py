"""Each way to end has its exit code, says what happened, why, and what to do - and shows no traceback."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobengine import errors
from tests.unit.cli.conftest import Run
from tests.unit.client.scripted_service import Answer, Asked, ScriptedService, problem, sse
from tests.waiting import PATIENCE_S, wait_until

STREAM = "/api/events/stream"


@pytest.mark.parametrize(
    ("kind", "exit_code"),
    [
        (errors.JobEngineError, 1),
        (errors.MalformedError, 2),
        (errors.TooLargeError, 2),
        (errors.NotFoundError, 3),
        (errors.AuthenticationError, 4),
        (errors.ForbiddenError, 4),
        (errors.ConflictError, 5),
        (errors.TransitionNotAllowed, 5),
        (errors.RevisionMismatch, 5),
        (errors.PreconditionRequired, 5),
        (errors.UnavailableError, 6),
    ],
)
def test_an_error_of_the_service_decides_the_exit_code(
    run: Run, service: ScriptedService, kind: type[errors.JobEngineError], exit_code: int
) -> None:
    service.on("GET", "/api/jobs/j1", problem(kind.status, kind.code, detail="the reason"))
    result = run("job", "show", "j1", "--url", service.url)
    assert result.exit_code == exit_code
    assert result.stdout == ""
    what, why, *rest = result.stderr.splitlines()
    assert what == f"error: {kind.title}"
    assert why == "  the reason"
    assert all(line.startswith("to do: ") for line in rest)
    assert "Traceback" not in result.stderr


def test_faults_of_a_document_are_listed_with_their_pointers(run: Run, service: ScriptedService) -> None:
    faults = [
        {"pointer": "/transitions/0/trigger/type", "detail": "is wrong"},
        {"pointer": "", "detail": "no"},
    ]
    service.on("POST", "/api/jobs", problem(422, "invalid-document", errors=faults))
    result = run("job", "submit", "-", "--check", "--url", service.url, input="{}")
    assert result.exit_code == 2
    assert result.stderr.splitlines()[1:3] == [
        "  /transitions/0/trigger/type: is wrong",
        "  (the whole document): no",
    ]


def test_text_that_is_no_json_is_usage_and_asks_nobody(run: Run, service: ScriptedService) -> None:
    result = run("job", "submit", "-", "--url", service.url, input='{"a": 1,\n oh}')
    assert result.exit_code == 2
    assert "line 2, column 2" in result.stderr
    assert service.asked == []


@pytest.mark.parametrize(
    "text", ['{"name": NaN}', '{"name": "a", "name": "b"}', '{"name": "\\ud800"}', "[" * 999]
)
def test_text_that_a_service_would_not_read_is_not_sent(
    run: Run, service: ScriptedService, text: str
) -> None:
    result = run("job", "submit", "-", "--url", service.url, input=text)
    assert (result.exit_code, service.asked) == (2, [])
    assert "fault of jobengine" not in result.stderr


def test_a_byte_order_mark_in_front_means_nothing(run: Run, service: ScriptedService) -> None:
    service.on("POST", "/api/jobs", problem(422, "invalid-document", errors=[]))
    run("job", "submit", "-", "--check", "--url", service.url, input='\ufeff{"name": "a"}')
    assert [asked.body for asked in service.asked] == [{"name": "a"}]


def test_nobody_there_is_6(run: Run) -> None:
    result = run("job", "list", "--url", "http://127.0.0.1:9")
    assert result.exit_code == 6
    assert "jobengine serve" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("job", "submit", "/nowhere.json"),
        ("job", "submit", "-", "--timeout", "3"),
        ("job", "submit", "-", "--wait=Nowhere"),
        ("job", "delete"),
        ("job", "delete", "j1", "--filter", "x == 1"),
        ("job", "list", "-o", "yaml"),
        ("event", "post", "x", "--data", "[1]"),
        ("event", "post", "x", "--data", "{"),
        ("key", "create", "x", "--role", "king"),
        ("nonsense",),
        ("job", "list", "--url", "ftp://x"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_2(run: Run, arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.stderr


def test_a_token_file_that_is_missing_or_empty_is_4(run: Run, tmp_path: Path) -> None:
    empty = tmp_path / "key"
    empty.write_text("\n")
    for path in (empty, tmp_path / "missing"):
        result = run("job", "list", "--token-file", str(path))
        assert result.exit_code == 4
        assert str(path) in result.stderr


def job(state: str, **members: object) -> Answer:
    return Answer(200, {"jobId": "j1", "currentState": state, **members})


@pytest.mark.parametrize(
    ("wait", "states", "exit_code"),
    [
        ("--wait", ["Running", "Finished"], 0),
        ("--wait", ["Error"], 7),
        ("--wait", ["Terminated"], 7),
        ("--wait", ["Cancelled"], 7),
        ("--wait=cancelled", ["Cancelled"], 0),
        ("--wait=Running", ["Pending", "Running"], 0),
        ("--wait=running", ["Error"], 7),
        ("--wait=Running", ["Finished"], 0),
        ("--wait=Paused", ["Finished"], 1),
    ],
)
def test_waiting_ends_by_what_became_of_the_job(
    run: Run, service: ScriptedService, wait: str, states: list[str], exit_code: int
) -> None:
    service.on("POST", "/api/jobs", Answer(201, {"jobId": "j1", "currentState": "Pending"}))
    service.on("GET", "/api/jobs/j1", *(job(state, statusMessage="no disk") for state in states))
    service.on("GET", "/api/jobs/j1/history", Answer(200, [{"currentProcState": "Running"}]))
    service.on("GET", STREAM, Answer(stream=lambda asked: iter([sse(n) for n in range(1, 5)])))
    result = run("job", "submit", "-", wait, "--url", service.url, input="{}")
    assert result.exit_code == exit_code, result.stderr
    assert result.stdout == "j1\n"
    assert "no disk" in result.stderr


@pytest.mark.parametrize(
    ("verb", "state"),
    [("start", "Running"), ("pause", "Paused"), ("finish", "Finished"), ("cancel", "Cancelled")],
)
def test_a_verb_waits_for_what_it_asks_for(run: Run, service: ScriptedService, verb: str, state: str) -> None:
    service.on("POST", "/api/jobs/j1/transitions", Answer(201, [{"transitionId": "t1"}]))
    service.on("GET", "/api/jobs/j1", job("Waiting"), job(state))
    service.on("GET", STREAM, Answer(stream=lambda asked: iter([sse(1)])))
    result = run("job", verb, "j1", "--wait", "--url", service.url)
    assert result.exit_code == 0, result.stderr
    assert f"j1 is {state}" in result.stderr


def test_still_pending_at_the_timeout_is_8_and_the_document_is_printed(
    run: Run, service: ScriptedService
) -> None:
    service.on("POST", "/api/jobs", Answer(201, {"jobId": "j1", "currentState": "Pending"}))
    service.on("GET", "/api/jobs/j1", job("Running"))
    service.on("GET", STREAM, Answer(stream=lambda asked: _silence(service)))
    line = ("job", "submit", "-", "--wait", "--timeout", "0.2", "-o", "json", "--url", service.url)
    result = run(*line, input="{}")
    assert result.exit_code == 8
    assert json.loads(result.stdout)["currentState"] == "Running"


def _silence(service: ScriptedService) -> Iterator[bytes]:
    yield b"id: 1\n\n"
    while not service.closing.wait(0.02):
        yield b": keep-alive\n\n"


def test_interrupted_is_130(service: ScriptedService) -> None:
    service.on("GET", STREAM, Answer(stream=lambda asked: _silence(service)))
    command = [sys.executable, "-m", "jobengine", "event", "tail", "--url", service.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        wait_until(lambda: service.requests("GET", STREAM), "the stream to be asked for")
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert "Traceback" not in stderr


def test_a_reader_that_goes_away_makes_no_noise(service: ScriptedService) -> None:
    def chatter(asked: Asked) -> Iterator[bytes]:
        number = 0
        while not service.closing.wait(0.002):
            number += 1
            yield sse(number)

    service.on("GET", STREAM, Answer(stream=chatter))
    command = [sys.executable, "-m", "jobengine", "event", "tail", "--url", service.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        stderr = process.stderr.read()
        assert process.wait(PATIENCE_S) == 1
    assert stderr == ""


def test_a_traceback_comes_only_with_debug(run: Run, service: ScriptedService) -> None:
    service.on("GET", "/api/jobs/j1", Answer(200, ["not", "a", "job"]))
    plain = run("job", "show", "j1", "--url", service.url, "-o", "table")
    assert "Traceback" not in plain.stderr
    service.on("GET", "/api/jobs/j1", problem(404, "not-found"))
    assert "Traceback" in run("--debug", "job", "show", "j1", "--url", service.url).stderr


def test_a_fault_of_ours_is_1_and_says_so(run: Run, service: ScriptedService) -> None:
    service.on("GET", "/api/jobs", Answer(200, {"surprise": True}))
    result = run("job", "list", "--count", "--url", service.url)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: This is a fault of jobengine\n  KeyError")
