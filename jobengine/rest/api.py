"""Routes and their documentation: the only file that knows flask-openapi3.

A route is declared once - address, handler, role, parameters, body, answers - and both the view and the
OpenAPI 3.1 document come from that. Requests are read by our own readers: flask-openapi3 would make the
JSON Schema of the parameters again for every request, and lets NaN and doubled keys through.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import cleandoc
from typing import Any, Generic

import msgspec
from flask import Response, request
from flask_openapi3.models.info import Info
from flask_openapi3.models.tag import Tag
from flask_openapi3.openapi import OpenAPI
from pydantic import BaseModel, Field, create_model
from pydantic.json_schema import JsonSchemaMode, models_json_schema

import jobengine
from jobengine.rest import problem
from jobengine.rest.auth import LOCAL, Actor, Gate, Role
from jobengine.rest.parameters import NoQuery, QueryModel, read_query

_VARIABLE = re.compile(r"<(?:\w+:)?(\w+)>")
_PROBLEMS = {
    400: "The request can't be read",
    401: "A valid key is needed",
    403: "The role of this key does not allow it",
    404: "There is no such thing",
    409: "The present state forbids it",
    412: "The resource has changed since it was read",
    413: "The body is larger than this service accepts",
    415: "The body has another media type",
    422: "The document is not valid",
    428: "If-Match is required",
    501: "Comes with a later version",
    503: "The service can't do that now",
}
_COMPONENTS = "#/components/schemas/"
SECURITY: dict[str, Any] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, je_<id>_<secret>."},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
encode = msgspec.json.Encoder().encode


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


@dataclass(frozen=True, slots=True)
class Call(Generic[QueryModel]):
    """One request: variables of the path, parameters, and who asks."""

    path: Mapping[str, str]
    query: QueryModel
    actor: Actor


@dataclass(frozen=True, slots=True)
class Answer:
    """A documented answer: a model, or text of a media type; without both there is no body."""

    description: str
    model: type[BaseModel] | None = None
    media_type: str = "application/json"
    headers: tuple[str, ...] = ()


Answers = Mapping[int, Answer]


@dataclass(frozen=True, slots=True)
class Route(Generic[QueryModel]):
    """An address and all about it.

    ``operation`` is its id in the documentation. ``problems`` are those beside the ones that follow from
    the rest.
    """

    method: str
    rule: str
    handler: Callable[[Call[QueryModel]], Response]
    operation: str
    tag: str
    answers: Answers
    query: type[QueryModel] = NoQuery  # type: ignore[assignment]
    body: type[BaseModel] | None = None
    role: Role = Role.VIEWER
    problems: tuple[int, ...] = ()


class Api:
    """Adds routes to ``app``, each guarded by ``gate``."""

    def __init__(self, gate: Gate) -> None:
        about = (jobengine.__doc__ or "").strip()
        self.app = OpenAPI(
            "jobengine.rest",
            info=Info(title="jobengine", version=jobengine.__version__, description=about),
            security_schemes=SECURITY,
            validation_error_model=Problem,
            doc_ui=False,
            static_folder=None,
        )
        self._gate = gate
        self._models: dict[type[BaseModel], JsonSchemaMode] = {Problem: "serialization"}
        self._document: bytes | None = None

    def add(self, *routes: Route[Any]) -> None:
        """Add routes."""
        for route in routes:
            self._add(route)

    def _add(self, route: Route[Any]) -> None:
        def view(**path: str) -> Response:
            actor = LOCAL if route.role is Role.NOBODY else self._gate.actor(request.headers)
            actor.need(route.role)
            return route.handler(Call(path, read_query(route.query, request.args), actor))

        view.__name__ = route.operation
        summary, _, description = cleandoc(route.handler.__doc__ or "").partition("\n\n")
        view.__annotations__ = _annotations(route)
        view.__delay_validate_request__ = True  # type: ignore[attr-defined]
        self._models |= {a.model: "serialization" for a in route.answers.values() if a.model is not None}
        if route.body is not None:
            self._models[route.body] = "validation"
        getattr(self.app, route.method.lower())(
            route.rule,
            tags=[Tag(name=route.tag)],
            operation_id=view.__name__,
            summary=summary,
            description=description,
            responses=_responses(route),
            security=[{name: []} for name in SECURITY] if route.role else None,
            openapi_extensions=_request_body(route),
            endpoint=f"{route.method.lower()} {route.rule}",
        )(view)

    def document(self) -> bytes:
        """The OpenAPI document as JSON."""
        if self._document is None:
            template = f"{_COMPONENTS}{{model}}"
            _, schemas = models_json_schema(list(self._models.items()), ref_template=template)
            document = self.app.api_doc
            found = {name: schema for name, schema in schemas["$defs"].items() if not name.startswith("_")}
            document["components"]["schemas"] = found
            _forget_unused_answers(document["paths"])
            self._document = encode(document)
        return self._document


def json_response(value: Any, status: int = 200, **headers: str) -> Response:
    """``value`` as JSON; underscores in the names of headers become hyphens."""
    response = Response(encode(value), status=status, mimetype="application/json")
    for name, text in headers.items():
        response.headers[name.replace("_", "-")] = text
    return response


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
    if route.body is None:
        return None
    types = ["application/json", *(["application/merge-patch+json"] if route.method == "PATCH" else [])]
    content = {media_type: {"schema": _reference(route.body)} for media_type in types}
    return {"requestBody": {"required": True, "content": content}}


def _responses(route: Route[Any]) -> dict[int, Any]:
    known = {400, *route.problems, *((401, 403, 503) if route.role else ())}
    known |= {404} if _VARIABLE.search(route.rule) else set()
    known |= {413, 415, 422} if route.body else set()
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
