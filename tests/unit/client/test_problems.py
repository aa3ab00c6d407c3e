"""Errors of the service come back as the classes that it raised."""

from __future__ import annotations

import pytest

from jobengine import errors
from jobengine.client import Client
from tests.unit.client.scripted_service import Answer, ScriptedService, problem


@pytest.mark.parametrize(
    "kind",
    [
        errors.MalformedError,
        errors.AuthenticationError,
        errors.ForbiddenError,
        errors.NotFoundError,
        errors.ConflictError,
        errors.TransitionNotAllowed,
        errors.IdempotencyConflict,
        errors.RevisionMismatch,
        errors.TooLargeError,
        errors.PreconditionRequired,
        errors.UnavailableError,
        errors.JobEngineError,
    ],
)
def test_each_code_comes_back_as_its_class(
    service: ScriptedService, kind: type[errors.JobEngineError]
) -> None:
    service.on("GET", "/api/versions", problem(kind.status, kind.code, revision=7))
    with Client(service.url) as client, pytest.raises(errors.JobEngineError) as caught:
        client.versions()
    assert type(caught.value) is kind
    assert caught.value.detail == "it is so"
    assert caught.value.facts["revision"] == 7


def test_a_document_error_brings_every_fault(service: ScriptedService) -> None:
    faults = [{"pointer": "/a", "detail": "is wrong"}, {"pointer": "", "detail": "is empty"}]
    service.on("POST", "/api/jobs", problem(422, "invalid-document", errors=faults))
    with Client(service.url) as client, pytest.raises(errors.DocumentError) as caught:
        client.jobs.submit({})
    assert caught.value.faults == (errors.Fault("/a", "is wrong"), errors.Fault("", "is empty"))


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(404, b"<h1>nginx</h1>", {"Content-Type": "text/html"}), errors.NotFoundError),
        (Answer(502, b"bad gateway", {"Content-Type": "text/plain"}), errors.UnavailableError),
        (Answer(418, b"[1, 2", {"Content-Type": "application/json"}), errors.MalformedError),
        (Answer(500, b"", {}), errors.JobEngineError),
    ],
)
def test_what_is_no_problem_document_is_told_by_its_status(
    service: ScriptedService, answer: Answer, kind: type[errors.JobEngineError]
) -> None:
    service.on("GET", "/api/versions", answer)
    with Client(service.url) as client, pytest.raises(errors.JobEngineError) as caught:
        client.versions()
    assert type(caught.value) is kind


def test_nobody_there_is_unavailable() -> None:
    away = pytest.raises(errors.UnavailableError, match=r"127\.0\.0\.1:9")
    with Client("http://127.0.0.1:9") as client, away:
        client.events.post("x")


@pytest.mark.parametrize("url", ["ftp://host", "localhost:8484", "http://", "http://[::1"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(errors.SettingsError, match="address"):
        Client(url)
