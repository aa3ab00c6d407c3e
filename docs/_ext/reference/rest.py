"""The HTTP page, from the OpenAPI document that the application answers with."""

from __future__ import annotations

import dataclasses
from typing import Any
from unittest.mock import MagicMock

from jobengine.clock import SystemClock
from jobengine.rest.factory import create_app
from jobengine.rest.services import HttpServices
from jobengine.settings import Settings
from rst import heading, literal, prose, table

METHODS = ("get", "post", "put", "patch", "delete")


def document() -> dict[str, Any]:
    """The OpenAPI document. Making it asks nothing of the engine or the database, so none is there."""
    absent = {field.name: MagicMock() for field in dataclasses.fields(HttpServices)}
    app = create_app(HttpServices(**{**absent, "settings": Settings(), "clock": SystemClock()}))
    answer: dict[str, Any] = app.test_client().get("/api/openapi.json").get_json()
    return answer


def operation(call: dict[str, Any]) -> str:
    """What a call does, takes and answers."""
    text = (
        "\n\n".join(
            part for part in (prose(call.get("summary", "")), prose(call.get("description", ""))) if part
        )
        + "\n\n"
    )
    parameters = [
        (
            literal(given["name"]),
            given["in"],
            "required" if given.get("required") else "",
            prose(given.get("description", "")),
        )
        for given in call.get("parameters", ())
    ]
    if parameters:
        text += table(("Parameter", "In", "", "Meaning"), parameters)
    answers = [
        (str(status), prose(answer.get("description", ""))) for status, answer in call["responses"].items()
    ]
    return text + table(("Status", "Answer"), answers)


def render() -> str:
    """Every call, by path."""
    text = heading("HTTP API") + "The OpenAPI 3.1 document is at ``/api/openapi.json``.\n\n"
    for path, item in sorted(document()["paths"].items()):
        for method in METHODS:
            if method in item:
                text += heading(f"{method.upper()} {path}", "-") + operation(item[method])
    return text
