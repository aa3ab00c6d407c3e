"""The OpenAPI 3.1 document of the routes: the only file that knows flask-openapi3.

It is loaded when the document is first asked for, so that a start does without.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from inspect import cleandoc
from typing import Any

from flask import Response
from flask_openapi3.models.info import Info
from flask_openapi3.models.tag import Tag
from flask_openapi3.openapi import OpenAPI
from pydantic import BaseModel, Field, create_model
from pydantic.json_schema import JsonSchemaMode, models_json_schema

import jobengine
from jobengine.rest import problem
from jobengine.rest.api import Answer, Route

_VARIABLE = re.compile(r"<(?:\w+:)?(\w+)>")
_CONVERTER = re.compile(r"<\w+:")
_PROBLEMS = {
    400: "The request can't be read",
    401: "A valid key is needed",
    403: "The role of this key does not allow it",
    404: "There is no such thing",
    409: "The present state forbids it",
    412: "The resource has changed since it was read",
    413: "The body is larger than this service accepts",
    415: "The body has another media type, or is coded",
    416: "No byte of the range is there",
    422: "The document is not valid",
    428: "If-Match is required",
    501: "Comes with a later version",
    503: "The service can't do that now",
    507: "No space is left",
}
_COMPONENTS = "#/components/schemas/"
SECURITY: dict[str, Any] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, je_<id>_<secret>."},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}


class Problem(BaseModel):
    """Problem details (RFC 9457); further members depend on ``code``."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str
    errors: list[dict[str, str]] = []


def document(routes: Iterable[Route[Any]]) -> dict[str, Any]:
    """The document as a JSON value."""
    app = OpenAPI(
        "jobengine.rest",
        info=Info(
            title="jobengine",
            version=jobengine.__version__,
            description=(jobengine.__doc__ or "").strip(),
        ),
        security_schemes=SECURITY,
        validation_error_model=Problem,
        doc_ui=False,
        static_folder=None,
    )
    models: dict[type[BaseModel], JsonSchemaMode] = {Problem: "serialization"}
    for route in routes:
        _describe(app, route)
        models |= {a.model: "serialization" for a in route.answers.values() if a.model is not None}
        if route.body is not None:
            models[route.body] = "validation"
    _, schemas = models_json_schema(list(models.items()), ref_template=f"{_COMPONENTS}{{model}}")
    described: dict[str, Any] = app.api_doc
    found = {name: schema for name, schema in schemas["$defs"].items() if not name.startswith("_")}
    described["components"]["schemas"] = found
    _forget_unused_answers(described["paths"])
    return described


def _describe(app: OpenAPI, route: Route[Any]) -> None:
    """Add a route of which only the description counts; this application never serves."""

    def view() -> Response:
        raise AssertionError("the document's own application does not serve")

    view.__name__ = route.operation
    summary, _, description = cleandoc(route.handler.__doc__ or "").partition("\n\n")
    view.__annotations__ = _annotations(route)
    view.__delay_validate_request__ = True  # type: ignore[attr-defined]
    getattr(app, route.method.lower())(
        _CONVERTER.sub("<", route.rule),
        tags=[Tag(name=route.tag)],
        operation_id=view.__name__,
        summary=summary,
        description=description,
        responses=_responses(route),
        security=[{name: []} for name in SECURITY] if route.role else None,
        openapi_extensions=_request_body(route),
        endpoint=f"{route.method.lower()} {route.rule}",
    )(view)


def _forget_unused_answers(paths: dict[str, Any]) -> None:
    """flask-openapi3 documents an answer of its own reader, which is not used, with every operation."""
    for operation in (operation for item in paths.values() for operation in item.values()):
        content = operation["responses"].get("422", {}).get("content", {})
        if "application/json" in content:
            del operation["responses"]["422"]


def _annotations(route: Route[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if variables := _VARIABLE.findall(route.rule):
        members: dict[str, Any] = {name: (str, Field(min_length=1)) for name in variables}
        found["path"] = create_model("Path", **members)
    if route.query.model_fields:
        found["query"] = route.query
    return found


def _request_body(route: Route[Any]) -> dict[str, Any] | None:
    if route.uploads:
        binary = {"schema": {"type": "string", "format": "binary"}}
        return {"requestBody": {"content": dict.fromkeys(route.uploads, binary)}}
    if route.body is None:
        return None
    types = ["application/json", *(["application/merge-patch+json"] if route.method == "PATCH" else [])]
    content = {media_type: {"schema": _reference(route.body)} for media_type in types}
    return {"requestBody": {"required": True, "content": content}}


def _responses(route: Route[Any]) -> dict[int, Any]:
    known = {400, *route.problems, *((401, 403, 503) if route.role else ())}
    known |= {404} if _VARIABLE.search(route.rule) else set()
    known |= {413, 415, 422} if route.body else set()
    known |= {415} if route.uploads else set()
    documented = {status: _answer(answer) for status, answer in route.answers.items()}
    return documented | {status: _problem(status) for status in sorted(known)}


def _answer(answer: Answer) -> dict[str, Any]:
    described: dict[str, Any] = {"description": answer.description}
    if answer.headers:
        described["headers"] = {name: {"schema": {"type": "string"}} for name in answer.headers}
    if answer.model is not None:
        described["content"] = {answer.media_type: {"schema": _reference(answer.model)}}
    elif answer.media_type:
        described["content"] = {answer.media_type: {"schema": {"type": "string"}}}
    return described


def _problem(status: int) -> dict[str, Any]:
    return {"description": _PROBLEMS[status], "content": {problem.MIMETYPE: {"schema": _reference(Problem)}}}


def _reference(model: type[BaseModel]) -> dict[str, Any]:
    return {"$ref": f"{_COMPONENTS}{model.__name__}"}
