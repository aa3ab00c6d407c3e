"""``/api/rules``: the rules in force, changed at run time, and what they would do, without doing it.

The entity tag of the list and of each rule is the revision of all rules.
"""

from __future__ import annotations

from typing import Annotated, Any

from flask import Response, request
from pydantic import Field, RootModel

from jobengine.contents.rules import RuleBook
from jobengine.errors import DocumentError, Fault, MalformedError
from jobengine.model.casing import CamelModel
from jobengine.model.document import read
from jobengine.model.rule import Asked, NamedRule, Rule, read_rules
from jobengine.rest.api import Answer, Api, Call, Route, json_response
from jobengine.rest.auth import Role
from jobengine.rest.body import MERGE_PATCH, read_body
from jobengine.rest.parameters import NoQuery
from jobengine.rest.revision import etag, expected_revision, is_known, not_modified
from jobengine.rest.services import HttpServices

Json = Any
RULES = "/api/rules"


class RuleShape(Rule):
    """A rule with its name. ``isShipped``: it comes with this version and was not changed."""

    name: str
    is_shipped: bool


class RuleList(RootModel[list[RuleShape]]):
    """Rules in order."""


class RulePatch(RootModel[dict[str, dict[str, Any] | None]]):
    """What changes, by name; null removes."""


class MatchDocument(CamelModel):
    """A request to try: ``status`` is that of the service's own answer, ``location`` its ``Location``."""

    method: Annotated[str, Field(pattern=r"^[A-Za-z]{1,20}$")] = "GET"
    path: Annotated[str, Field(pattern=r"^/", max_length=8192)]
    query: dict[str, str] = Field({})
    header: dict[str, str] = Field({})
    status: Annotated[int, Field(ge=100, le=599)] = 200
    location: Annotated[str, Field(max_length=8192)] | None = None


class FiringShape(CamelModel):
    """A rule that would fire, and the description of the job that it would make."""

    rule: str
    post_route: bool
    respond: bool
    convert_spec: dict[str, Any]


class MatchShape(CamelModel):
    """What would fire, in this order; those after the first that answers fire only if it declines."""

    firing: list[FiringShape]


class RuleRoutes:
    """The rules of one store."""

    def __init__(self, services: HttpServices, book: RuleBook) -> None:
        self._limit = services.settings.http.max_document_bytes
        self._book = book
        self._roots = services.roots

    def list_rules(self, call: Call[NoQuery]) -> Response:
        """All rules in the order in which they are asked."""
        revision = self._book.revision()
        if is_known(revision):
            return not_modified(revision)
        return json_response([_view(named) for named in self._book.rules()], ETag=etag(revision))

    def get(self, call: Call[NoQuery]) -> Response:
        """One rule."""
        return self._answer(call.path["name"], self._book.revision())

    def _answer(self, name: str, revision: int, status: int = 200) -> Response:
        return json_response(_view(self._book.get(name)), status, ETag=etag(revision))

    def _expected(self) -> int | None:
        """The revision that the client wants to change; None if any. Raises RevisionMismatch."""
        return expected_revision(self._book.revision())

    def put(self, call: Call[NoQuery]) -> Response:
        """Add a rule, or replace the one of this name. In force with the next request.

        With `If-None-Match: *` nothing is replaced: a rule that is there is a 412.
        """
        name = call.path["name"]
        value, _ = read_body(self._limit)
        try:
            rule = read_rules({name: value}, self._roots)[name]
        except DocumentError as error:
            faults = [Fault(fault.pointer.removeprefix(f"/{name}"), fault.detail) for fault in error.faults]
            raise DocumentError(faults) from None
        creates_only = request.if_none_match.star_tag
        is_new = self._book.put(name, rule, self._expected(), creates_only=creates_only)
        return self._answer(name, self._book.revision(), 201 if is_new else 200)

    def patch(self, call: Call[NoQuery]) -> Response:
        """Merge patch (RFC 7396) of the whole set by name: null removes a rule, also one that ships."""
        value, _ = read_body(self._limit, MERGE_PATCH)
        if not isinstance(value, dict):
            raise MalformedError("the body must be an object with rules by their names")
        self._book.patch(value, self._expected())
        return json_response([_view(named) for named in self._book.rules()], ETag=etag(self._book.revision()))

    def delete(self, call: Call[NoQuery]) -> Response:
        """Remove a rule, also one that ships."""
        self._book.remove(call.path["name"], self._expected())
        return Response(status=204)

    def match(self, call: Call[NoQuery]) -> Response:
        """Which rules would fire for a request; nothing is done."""
        value, _ = read_body(self._limit)
        wanted = read(MatchDocument, value)
        headers = {name.lower(): text for name, text in wanted.header.items()}
        firing = []
        for status in (None, wanted.status):
            location = None if status is None else wanted.location
            asked = Asked(wanted.method.upper(), wanted.path, wanted.query, headers, status, location)
            firing += [_firing(named, asked) for named in self._book.rules()]
        return json_response({"firing": [one for one in firing if one is not None]})


def _firing(named: NamedRule, asked: Asked) -> dict[str, Json] | None:
    groups = named.fits(asked)
    if groups is None:
        return None
    return {
        "rule": named.name,
        "postRoute": named.rule.post_route,
        "respond": named.rule.respond,
        "convertSpec": named.document(asked, groups),
    }


def _view(named: NamedRule) -> dict[str, Json]:
    document = named.rule.model_dump(mode="json", by_alias=True)
    return {"name": named.name, "isShipped": named.is_shipped, **document}


def install(api: Api, services: HttpServices, book: RuleBook) -> None:
    """Add the routes."""
    r = RuleRoutes(services, book)
    one = f"{RULES}/<name>"
    tag, admin = "rules", Role.ADMIN
    patched = {200: Answer("All rules in order", RuleList, headers=("ETag",))}
    listed = {**patched, 304: Answer("Not changed since", media_type="")}
    found = {200: Answer("The rule", RuleShape, headers=("ETag",))}
    put = {**found, 201: Answer("The new rule", RuleShape, headers=("ETag",))}
    gone = {204: Answer("Removed", media_type="")}
    fires = {200: Answer("What would fire", MatchShape)}
    api.add(
        Route("GET", RULES, r.list_rules, "listRules", tag, listed),
        Route("PATCH", RULES, r.patch, "patchRules", tag, patched, NoQuery, RulePatch, admin, (409, 412)),
        Route("GET", one, r.get, "getRule", tag, found),
        Route("PUT", one, r.put, "setRule", tag, put, NoQuery, Rule, admin, (409, 412)),
        Route("DELETE", one, r.delete, "removeRule", tag, gone, role=admin, problems=(412,)),
        Route("POST", f"{RULES}/match", r.match, "matchRules", tag, fires, NoQuery, MatchDocument),
    )
