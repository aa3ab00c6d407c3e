"""Rules for the requests below ``/beams``: before the routes, and after them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import structlog
from flask import Request, Response, current_app, request
from werkzeug.datastructures import MultiDict

from jobengine.contents.rules import RuleBook
from jobengine.errors import JobEngineError
from jobengine.model.beam.values import malformed
from jobengine.model.convert import ConvertSpec, check_convert
from jobengine.model.media_reference import parse_reference
from jobengine.model.roots import MediaRoots
from jobengine.model.rule import Asked, NamedRule
from jobengine.rest.auth import Actor
from jobengine.rest.parameters import check_known, refusal
from jobengine.rest.rules.flights import Flights, Order
from jobengine.rest.rules.outcome import Outcome
from jobengine.rest.rules.result_answer import answer_result

Json = Any


class RuleHooks:
    """The rules of one store, as `jobengine.rest.beams.hooks.BeamHooks`. Thread-safe."""

    def __init__(self, book: RuleBook, flights: Flights, roots: MediaRoots) -> None:
        self._book = book
        self._roots = roots
        self._flights = flights

    def concerns(self, method: str, path: str) -> bool:
        """Whether a rule may want this request before it is routed, or its success."""
        return self._book.may_concern(method, path)

    def before(self, request: Request, actor: Actor) -> Response | None:
        """The answer of the first rule that has one."""
        asked = _asked(request, None)
        for named, order in self._orders(asked, actor):
            if not named.rule.respond:
                self._send(order)
                continue
            outcome, response = self._fetch(named, asked, order)
            if response is not None:
                return response
            if not outcome.is_declined:
                return None
        return None

    def after(self, request: Request, actor: Actor, response: Response) -> Response:
        """What a rule after the routes makes of their answer; the routes anew when one has filled a gap."""
        asked = _asked(request, response.status_code, response.headers.get("Location"))
        for named, order in self._orders(asked, actor):
            if not named.rule.respond:
                self._send(order)
                continue
            outcome, made = self._fetch(named, asked, order)
            if made is not None:
                return made
            if not outcome.is_declined and request.url_rule is not None:
                return current_app.make_response(current_app.dispatch_request())
        return response

    def _orders(self, asked: Asked, actor: Actor) -> Iterator[tuple[NamedRule, Order]]:
        """A job for each rule that fits. Raises MalformedError for parameters that its recipe refuses."""
        for named in self._book.rules():
            groups = named.fits(asked)
            if groups is not None:
                document = named.document(asked, groups)
                _check_query(named, request.args)
                _check_document(named, document, self._roots)
                timeout = timedelta(milliseconds=named.rule.timeout_ms)
                yield named, Order(named.name, asked.path, actor, document, timeout)

    def _fetch(self, named: NamedRule, asked: Asked, order: Order) -> tuple[Outcome, Response | None]:
        key = (named.name, asked.path, tuple(sorted(asked.query.items())))
        outcome, body = self._flights.wait(key, order)
        if body is None:
            return outcome, None
        return outcome, answer_result(outcome, body)

    def _send(self, order: Order) -> None:
        """Nobody waits, so nobody is told that it failed but the log."""
        try:
            self._flights.send(order)
        except JobEngineError as error:
            log = structlog.get_logger("rules")
            log.error("rule.not_fired", rule=order.rule, path=order.path, detail=error.detail)


def _asked(request: Request, status: int | None, location: str | None = None) -> Asked:
    headers = {name.lower(): text for name, text in request.headers.items()}
    return Asked(request.method, request.path, request.args.to_dict(), headers, status, location)


def _check_query(named: NamedRule, given: MultiDict[str, str]) -> None:
    if named.known_query is not None:
        check_known(given, named.known_query)


def _check_document(named: NamedRule, document: dict[str, Json], roots: MediaRoots) -> None:
    """Raise MalformedError for what can't be made; what came from the query is told as such."""
    for source in document["source"]:
        parse_reference(source["reference"])
    faults = check_convert(ConvertSpec.model_validate(document), roots)
    asked = {f"/parameters/{name}": name for name in named.rule.query_parameters}
    wrong = [
        {"parameter": asked[fault.pointer], "detail": fault.detail}
        for fault in faults
        if fault.pointer in asked
    ]
    if wrong:
        raise refusal(wrong)
    if faults:
        raise malformed(faults)
