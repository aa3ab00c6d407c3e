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

from prometheus_client import Histogram

from jobengine.errors import JobEngineError
from jobengine.ids import new_id
from jobengine.rest.auth import Gate, Role
from jobengine.rest.beams.address import BEAMS, SENT_PATH, decoded
from jobengine.rest.beams.hooks import BeamHooks
from jobengine.rest.beams.hot_payloads import HotPayloads
from jobengine.rest.beams.payload_answer import Conditions, PayloadAnswer, answer_payload
from jobengine.rest.beams.payloads import PAYLOAD
from jobengine.rest.beams.shelf import Shelf
from jobengine.rest.guard import HEADERS, is_local
from jobengine.rest.metrics import Metrics
from jobengine.rest.problem import sane_request_id
from jobengine.settings import HttpSettings

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
_PAYLOAD = re.compile(
    rf"{BEAMS}/(?P<name>.+)/(?P<stream>[^/]+)/(?P<element>(?:packet|frame)_-?[0-9]+(?:\.json)?)"
    r"(?:/(?=data|raw)|\.(?=raw))(?P<data>[a-z]+_?[0-9]{0,2})/?",
    re.DOTALL,
)
_HEADERS = ("HTTP_RANGE", "HTTP_IF_RANGE", "HTTP_IF_NONE_MATCH")
_CREDENTIALS = (("HTTP_AUTHORIZATION", "Authorization"), ("HTTP_X_API_KEY", "X-API-Key"))
_CONDITIONS = frozenset(_HEADERS)
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
        self._durations: dict[tuple[str, int], Histogram] = {}
        self._hot = HotPayloads(shelf.settings.hot_payload_bytes)
        self._hosts = frozenset(name.lower() for name in http.allowed_hosts) if http.is_loopback else None
        self._headers = [*HEADERS.items(), ("Cache-Control", "no-cache")]

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if not path.startswith(BEAMS + "/"):
            return self._app(environ, start_response)
        started_ns = self._shelf.clock.monotonic_ns()
        path = decoded(path)
        method = environ["REQUEST_METHOD"]
        answer = None
        if method in ("GET", "HEAD") and not environ.get("QUERY_STRING"):
            answer = self._payload(environ, method, path)
        if answer is None:
            environ[SENT_PATH] = path
            parts = self._shelf.addresses.split(path[len(BEAMS) + 1 :])
            environ["PATH_INFO"] = "/".join((BEAMS, *(quote(part, safe="") for part in parts if part)))
            return self._app(environ, start_response)
        start_response(_STATUS[answer.status], self._with_headers(environ, answer))
        self._count(method, answer.status, started_ns)
        return [b""] if method == "HEAD" else cast(list[bytes], list(answer.body))

    def _payload(self, environ: dict[str, Any], method: str, path: str) -> PayloadAnswer | None:
        """The answer if all is well; None leaves the request to Flask."""
        try:
            if not self._is_let_in(environ):
                return None
            version = self._shelf.store.version()
            is_plain = method == "GET" and _CONDITIONS.isdisjoint(environ)
            answer = self._hot.get(path, version) if is_plain else None
            if answer is None:
                answer = self._look_up(environ, method, path)
                if answer is not None and is_plain:
                    answer = self._hot.keep(path, version, answer)
        except JobEngineError:
            return None
        return answer

    def _is_let_in(self, environ: dict[str, Any]) -> bool:
        """Raises AuthenticationError or ForbiddenError."""
        if self._hosts is not None and not is_local(environ.get("HTTP_HOST", ""), self._hosts):
            return False
        given = {name: environ[key] for key, name in _CREDENTIALS if key in environ}
        self._gate.actor(given).need(Role.VIEWER)
        return True

    def _look_up(self, environ: dict[str, Any], method: str, path: str) -> PayloadAnswer | None:
        """Raises NotFoundError, MalformedError or UnavailableError."""
        wanted = _PAYLOAD.fullmatch(path)
        if wanted is None:
            return None
        name, stream, element, data = wanted.groups()
        inner = path[wanted.end("name") + 1 :].removesuffix("/")
        if self._hooks.concerns(method, f"{BEAMS}/{quote(name, safe='')}/{quote(inner)}"):
            return None
        content = self._shelf.addresses.content(name, stream, element)
        payload = self._shelf.payloads.read(content, stream, element, data)
        answer = answer_payload(payload, Conditions(*(environ.get(header, "") for header in _HEADERS)))
        return answer if answer.status in _STATUS else None

    def _with_headers(self, environ: dict[str, Any], answer: PayloadAnswer) -> list[tuple[str, str]]:
        given = environ.get("HTTP_X_REQUEST_ID")
        request_id = new_id() if given is None else sane_request_id(given)
        return [*answer.headers.items(), *self._headers, ("X-Request-Id", request_id)]

    def _count(self, method: str, status: int, started_ns: int) -> None:
        durations = self._durations.get((method, status))
        if durations is None:
            durations = self._durations[method, status] = self._metrics.durations(PAYLOAD, method, status)
        durations.observe((self._shelf.clock.monotonic_ns() - started_ns) / 1e9)
