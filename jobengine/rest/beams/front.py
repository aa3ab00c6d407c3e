"""Plain WSGI in front of Flask: splits addresses of ``/beams``, and answers GET of a payload itself.

Flask alone takes several times as long as reading and sending a payload does. What is answered here passed
the same guards, and gets the same answer and headers, as from the route. Whatever is not a plain success -
a stranger, a missing key, a fault, nothing found, a rule that may care - is left to Flask, which tells it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

from werkzeug.datastructures import EnvironHeaders

from jobengine.errors import JobEngineError
from jobengine.rest.auth import Gate, Role
from jobengine.rest.beams.address import BEAMS, SENT_PATH, decoded
from jobengine.rest.beams.hooks import BeamHooks
from jobengine.rest.beams.payload_answer import Conditions, PayloadAnswer, answer_payload
from jobengine.rest.beams.payload_reading import split_raw
from jobengine.rest.beams.payloads import PAYLOAD
from jobengine.rest.beams.shelf import Shelf
from jobengine.rest.guard import HEADERS, is_local
from jobengine.rest.metrics import Metrics
from jobengine.rest.problem import sane_request_id
from jobengine.settings import HttpSettings

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
_PAYLOAD = re.compile(
    r".*/(?:packet|frame)_-?[0-9]+(?:\.json)?(?:/data|/raw|\.raw)(?:_?[0-9]{0,2})/?", re.DOTALL
)
_STATUS = {number: f"{number} {HTTPStatus(number).phrase}" for number in (200, 206, 304)}


class BeamFront:
    """The application of one http process, seen from outside. Thread-safe."""

    def __init__(
        self, app: Wsgi, shelf: Shelf, hooks: BeamHooks, gate: Gate, metrics: Metrics, http: HttpSettings
    ) -> None:
        self._app = app
        self._shelf = shelf
        self._hooks = hooks
        self._gate = gate
        self._metrics = metrics
        self._hosts = frozenset(name.lower() for name in http.allowed_hosts) if http.is_loopback else None
        self._headers = [*HEADERS.items(), ("Cache-Control", "no-cache")]

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        sent = environ["PATH_INFO"]
        if not sent.startswith(BEAMS + "/"):
            return self._app(environ, start_response)
        started_ns = self._shelf.clock.monotonic_ns()
        path = decoded(sent)
        parts = self._shelf.addresses.split(path[len(BEAMS) + 1 :])
        environ[SENT_PATH] = path
        environ["PATH_INFO"] = "/".join((BEAMS, *(quote(part, safe="") for part in parts if part)))
        method = environ["REQUEST_METHOD"]
        if method in ("GET", "HEAD") and not environ.get("QUERY_STRING") and _PAYLOAD.fullmatch(path):
            answer = self._payload(environ, method, path, parts)
            if answer is not None:
                start_response(_STATUS[answer.status], self._with_headers(environ, answer))
                self._metrics.count(PAYLOAD, method, answer.status, started_ns)
                return [b""] if method == "HEAD" else cast(list[bytes], list(answer.body))
        return self._app(environ, start_response)

    def _payload(
        self, environ: dict[str, Any], method: str, path: str, parts: list[str]
    ) -> PayloadAnswer | None:
        """The answer if all is well; None leaves the request to Flask."""
        if self._hosts is not None and not is_local(environ.get("HTTP_HOST", ""), self._hosts):
            return None
        if self._hooks.concerns(method, path):
            return None
        try:
            self._gate.actor(EnvironHeaders(environ)).need(Role.VIEWER)
            name, stream, element, *data = parts
            if not data:
                element, *data = split_raw(element)
            content = self._shelf.catalogue.get(name)
            payload = self._shelf.payloads.read(content, stream, element, data[0])
        except (JobEngineError, ValueError):
            return None
        conditions = Conditions(
            environ.get("HTTP_RANGE", ""),
            environ.get("HTTP_IF_RANGE", ""),
            environ.get("HTTP_IF_NONE_MATCH", ""),
        )
        answer = answer_payload(payload, conditions)
        return answer if answer.status in _STATUS else None

    def _with_headers(self, environ: dict[str, Any], answer: PayloadAnswer) -> list[tuple[str, str]]:
        request_id = sane_request_id(environ.get("HTTP_X_REQUEST_ID", ""))
        return [*answer.headers.items(), *self._headers, ("X-Request-Id", request_id)]
