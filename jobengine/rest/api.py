"""Routes: declared once - address, handler, role, parameters, body, answers.

The views are made here; the OpenAPI 3.1 document is made of the same in `jobengine.rest.openapi`. Requests
are read by our own readers: flask-openapi3 would make the JSON Schema of the parameters again for every
request, and lets NaN and doubled keys through.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic

import msgspec
from flask import Flask, Response, request
from pydantic import BaseModel
from werkzeug.routing import Rule

from jobengine.rest.auth import LOCAL, Actor, Gate, Role
from jobengine.rest.parameters import NoQuery, QueryModel, read_query

encode = msgspec.json.Encoder().encode


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

    ``operation`` is its id in the documentation. ``problems`` are the statuses that don't follow from the
    rest. ``uploads`` are the media types of a body that is not a JSON document.
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
    uploads: tuple[str, ...] = ()


class MatchedRule(Rule):
    """An address that requests are matched with, and that is never built from its parts: werkzeug would
    compile two functions for that, with each rule, before the first request."""

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        return _refuse_to_build


def _refuse_to_build(rule: Rule, **values: Any) -> tuple[str, str]:
    raise RuntimeError(f"{rule.rule} is only matched: write addresses out")


class Api:
    """Adds routes to ``app``, each guarded by ``gate``."""

    def __init__(self, gate: Gate) -> None:
        self.app = Flask("jobengine.rest", static_folder=None)
        self.app.url_rule_class = MatchedRule
        self._gate = gate
        self._routes: list[Route[Any]] = []
        self._document: bytes | None = None

    def add(self, *routes: Route[Any]) -> None:
        """Add routes."""
        for route in routes:
            self._routes.append(route)
            endpoint = f"{route.method.lower()} {route.rule}"
            self.app.add_url_rule(route.rule, endpoint, self._view(route), methods=[route.method])

    def document(self) -> bytes:
        """The OpenAPI document as JSON; made when it is first asked for, which takes a while."""
        if self._document is None:
            from jobengine.rest import openapi

            self._document = encode(openapi.document(self._routes))
        return self._document

    def _view(self, route: Route[Any]) -> Callable[..., Response]:
        def view(**path: str) -> Response:
            actor = LOCAL if route.role is Role.NOBODY else self._gate.actor(request.headers)
            actor.need(route.role)
            return route.handler(Call(path, read_query(route.query, request.args), actor))

        return view


def json_response(value: Any, status: int = 200, **headers: str) -> Response:
    """``value`` as JSON; underscores in the names of headers become hyphens."""
    response = Response(encode(value), status=status, mimetype="application/json")
    for name, text in headers.items():
        response.headers[name.replace("_", "-")] = text
    return response
