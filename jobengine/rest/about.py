"""What the service says of itself: versions, devices, schemas, the OpenAPI document, pages of problems, and
the resources of ROAD that come with a later version."""

from __future__ import annotations

import importlib.metadata
import platform
import sqlite3
from functools import cached_property, partial
from typing import Any

from flask import Response
from werkzeug.exceptions import NotImplemented as NotImplementedHere

import jobengine
from jobengine.errors import NotFoundError
from jobengine.model.lifecycle import TABLE, JobState
from jobengine.model.schemas import generate
from jobengine.rest import problem_page
from jobengine.rest.api import Answer, Api, Call, Route, json_response
from jobengine.rest.auth import Role
from jobengine.rest.parameters import NoQuery
from jobengine.rest.services import HttpServices
from jobengine.rest.shapes import DeviceList, Object

LATER = {
    "templates": "templates are not stored yet; post the whole job",
    "categories": "categories come with templates",
    "schedules": "schedules are not there yet; post jobs with Time triggers",
    "hosts": "one host serves for now; clusters come later",
    "markers": "markers can't be set yet",
    "metadata": "metadata of outputs can't be changed yet",
    "outputSwitch": "outputs can't be switched yet; this version writes one file per output",
}
PARTS = ("transitions", "sqlalchemy", "pyzmq", "flask", "pydantic", "av", "numpy")


class AboutRoutes:
    """All of it is fixed for the life of a process."""

    def __init__(self, api: Api, services: HttpServices) -> None:
        self._api = api
        self._host = services.settings.engine.processing_host

    @cached_property
    def _schemas(self) -> dict[str, dict[str, Any]]:
        return generate()

    def versions(self, call: Call[NoQuery]) -> Response:
        """Versions of the service and its parts."""
        return json_response(
            {
                "service": jobengine.__version__,
                "host": self._host,
                "python": platform.python_version(),
                "sqlite": sqlite3.sqlite_version,
                "parts": {name: importlib.metadata.version(name) for name in PARTS},
            }
        )

    def devices(self, call: Call[NoQuery]) -> Response:
        """Audio devices of this host that jobs can use: none, since this version has no device filters."""
        return json_response([])

    def lifecycle(self, call: Call[NoQuery]) -> Response:
        """The lifecycle: which state a request leads to from which."""
        arrows = [
            {
                "from": str(arrow.source),
                "requested": str(arrow.requested),
                "to": str(arrow.target),
                "guard": arrow.guard,
            }
            for arrow in TABLE
        ]
        states = [{"name": str(state), "isFinal": state.is_final} for state in JobState]
        return json_response({"states": states, "arrows": arrows})

    def schemas(self, call: Call[NoQuery]) -> Response:
        """The published JSON Schemas by name."""
        return json_response({name: f"/api/schemas/{name}" for name in self._schemas})

    def schema(self, call: Call[NoQuery]) -> Response:
        """One JSON Schema."""
        name = call.path["name"].removesuffix(".schema.json") + ".schema.json"
        if name not in self._schemas:
            raise NotFoundError(
                f"there is no schema {call.path['name']}; there are {', '.join(self._schemas)}"
            )
        response = json_response(self._schemas[name])
        response.mimetype = "application/schema+json"
        return response

    def openapi(self, call: Call[NoQuery]) -> Response:
        """The OpenAPI 3.1 document of this API."""
        return Response(self._api.document(), mimetype="application/json")

    def problem(self, call: Call[NoQuery]) -> Response:
        """What a problem type means and what to do about it."""
        return problem_page.show(call.path["code"])


def _later(sentence: str, call: Call[NoQuery]) -> Response:
    """Comes with a later version."""
    raise NotImplementedHere(sentence)


def install(api: Api, services: HttpServices) -> None:
    """Add the routes."""
    r = AboutRoutes(api, services)
    tag, everybody = "about", Role.NOBODY
    some = {200: Answer("The facts", Object)}
    schema = {200: Answer("The schema", Object, "application/schema+json")}
    devices = {200: Answer("The devices", DeviceList)}
    page = {200: Answer("The explanation", media_type="text/plain")}
    api.add(
        Route("GET", "/api/versions", r.versions, "getVersions", tag, some),
        Route("GET", "/api/devices", r.devices, "listDevices", tag, devices),
        Route("GET", "/api/lifecycle", r.lifecycle, "getLifecycle", tag, some, role=everybody),
        Route("GET", "/api/schemas", r.schemas, "listSchemas", tag, some, role=everybody),
        Route("GET", "/api/schemas/<name>", r.schema, "getSchema", tag, schema, role=everybody),
        Route("GET", "/api/openapi.json", r.openapi, "getOpenapi", tag, some, role=everybody),
        Route("GET", "/api/problems/<code>", r.problem, "getProblem", tag, page, role=everybody),
    )
    for name, sentence in LATER.items():
        handler = partial(_later, sentence)
        handler.__doc__ = f"Comes with a later version: {sentence}."
        for method in ("GET", "POST"):
            operation = f"{method.lower()}{name[0].upper()}{name[1:]}"
            api.add(Route(method, f"/api/{name}", handler, operation, "later", {}, problems=(501,)))
