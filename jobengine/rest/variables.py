"""``/api/variables``: values for ``${Var:Name}``. Only an admin changes them: every job may use them."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Response
from pydantic import Field

from jobengine.errors import DocumentError, Fault, NotFoundError
from jobengine.messaging.engine_messages import SetVariable
from jobengine.model.casing import CamelModel
from jobengine.model.document import read
from jobengine.rest.api import Answer, Api, Call, Route, json_response
from jobengine.rest.auth import Role
from jobengine.rest.body import read_body
from jobengine.rest.job_view import disclosed
from jobengine.rest.parameters import NoQuery
from jobengine.rest.services import HttpServices
from jobengine.rest.shapes import VariableList, VariableShape

VARIABLES = "/api/variables"
NAME = r"[A-Za-z0-9_.@]+"


class VariableDocument(CamelModel):
    """A variable's value: any JSON but null. The name is in the address."""

    name: Annotated[str, Field(pattern=f"^{NAME}$", max_length=256)] | None = None
    value: Any


class _Name(CamelModel):
    name: Annotated[str, Field(pattern=f"^{NAME}$", max_length=256)]


class VariableRoutes:
    """The variables of the cluster."""

    def __init__(self, services: HttpServices) -> None:
        self._services = services

    def list_variables(self, call: Call[NoQuery]) -> Response:
        """All variables."""
        found = self._services.reader.variables()
        return json_response([_view(name, value, call) for name, value in found.items()])

    def get(self, call: Call[NoQuery]) -> Response:
        """One variable."""
        name = call.path["name"]
        return json_response(_view(name, self._services.reader.variable(name), call))

    def put(self, call: Call[NoQuery]) -> Response:
        """Define a variable, or give it another value. Jobs posted before keep the value they used."""
        name = read(_Name, {"name": call.path["name"]}).name
        value, _ = read_body(self._services.settings.http.max_document_bytes)
        document = read(VariableDocument, value)
        if document.name not in (None, name):
            raise DocumentError([Fault("/name", f"is another one than the address names ({name})")])
        if document.value is None:
            raise DocumentError([Fault("/value", "may not be null; DELETE removes a variable")])
        self._services.engine.ask(SetVariable, actor=call.actor.name, name=name, value=document.value)
        return json_response(_view(name, document.value, call))

    def delete(self, call: Call[NoQuery]) -> Response:
        """Remove a variable."""
        name = call.path["name"]
        if name not in self._services.reader.variables():
            raise NotFoundError(f"there is no variable {name}")
        self._services.engine.ask(SetVariable, actor=call.actor.name, name=name, value=None)
        return Response(status=204)


def _view(name: str, value: Any, call: Call[Any]) -> dict[str, Any]:
    shown = disclosed({name: value}, call.actor)[name]
    return {"name": name, "value": shown}


def install(api: Api, services: HttpServices) -> None:
    """Add the routes."""
    r = VariableRoutes(services)
    one = f"{VARIABLES}/<name>"
    tag, admin = "variables", Role.ADMIN
    listed = {200: Answer("All variables by name", VariableList)}
    found = {200: Answer("The variable", VariableShape)}
    gone = {204: Answer("Removed", media_type="")}
    api.add(
        Route("GET", VARIABLES, r.list_variables, "listVariables", tag, listed),
        Route("GET", one, r.get, "getVariable", tag, found),
        Route("PUT", one, r.put, "setVariable", tag, found, NoQuery, VariableDocument, admin),
        Route("DELETE", one, r.delete, "removeVariable", tag, gone, role=admin),
    )
