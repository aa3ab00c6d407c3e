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

from jobengine.errors import JobEngineError, MalformedError
from jobengine.ids import new_id
from jobengine.rest.beams.address import BEAMS, SENT_PATH
from jobengine.rest.beams.admission import Admission
from jobengine.rest.beams.file_answers import FileAnswers
from jobengine.rest.beams.hooks import BeamHooks
from jobengine.rest.beams.hot_payloads import HotPayloads
from jobengine.rest.beams.payload_answer import Conditions, Payload, PayloadAnswer, answer_payload
from jobengine.rest.beams.payloads import PAYLOAD
from jobengine.rest.beams.services import BeamServices
from jobengine.rest.guard import HEADERS, decoded
from jobengine.rest.metrics import Metrics
from jobengine.rest.problem import sane_request_id

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
_PAYLOAD = re.compile(
    rf"{BEAMS}/(?P<name>.+)/(?P<stream>[^/]+)/(?P<element>(?:packet|frame)_-?[0-9]+(?:\.json)?)"
    r"(?:/(?=data|raw)|\.(?=raw))(?P<data>[a-z]+_?[0-9]{0,2})/?",
    re.DOTALL,
)
_HEADERS = ("HTTP_RANGE", "HTTP_IF_RANGE", "HTTP_IF_NONE_MATCH", "HTTP_IF_MATCH")
_CONDITIONS = frozenset(_HEADERS)
_STATUS = {number: f"{number} {HTTPStatus(number).phrase}" for number in (200, 206, 304)}


class BeamFront:
    """The application of one http process, seen from outside. Thread-safe."""

    def __init__(
        self,
        app: Wsgi,
        services: BeamServices,
        hooks: BeamHooks,
        admission: Admission,
        metrics: Metrics,
        files: FileAnswers,
    ) -> None:
        self._app = app
        self._services = services
        self._hooks = hooks
        self._admission = admission
        self._metrics = metrics
        self._files = files
        self._durations: dict[tuple[str, int], Histogram] = {}
        self._hot = HotPayloads(services.settings.hot_payload_bytes)
        self._headers = [*HEADERS.items(), ("Cache-Control", "no-cache")]

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if not path.startswith(BEAMS + "/"):
            return self._app(environ, start_response)
        started_ns = self._services.clock.monotonic_ns()
        try:
            path = decoded(path)
        except MalformedError:
            return self._app(environ, start_response)  # the guard refuses it in words
        method = environ["REQUEST_METHOD"]
        asks_for_file = self._files.are_asked_for(environ)
        answer = None
        if method in ("GET", "HEAD") and not environ.get("QUERY_STRING"):
            answer = self._payload(environ, method, path, asks_for_file)
        if answer is None:
            environ[SENT_PATH] = path
            parts = self._services.addresses.split(path[len(BEAMS) + 1 :])
            environ["PATH_INFO"] = "/".join((BEAMS, *(quote(part, safe="") for part in parts if part)))
            return self._app(environ, start_response)
        start_response(_STATUS[answer.status], self._with_headers(environ, answer))
        self._count(method, answer.status, started_ns)
        return [b""] if method == "HEAD" else cast(list[bytes], list(answer.body))

    def _payload(
        self, environ: dict[str, Any], method: str, path: str, asks_for_file: bool
    ) -> PayloadAnswer | None:
        """The answer if all is well; None leaves the request to Flask."""
        fresh_until_ns = self._admission.fresh_until_ns  # looked at first: what is decided below may be newer
        try:
            if not self._admission.lets_in(environ):
                return None
            version = self._services.store.version()
            is_plain = method == "GET" and _CONDITIONS.isdisjoint(environ)
            answer = self._hot.get(path, version) if is_plain and not asks_for_file else None
            if answer is not None:
                return answer
            found = self._look_up(environ, method, path)
            if found is None:
                return None
            answer, payload = found
            if not is_plain:
                return answer
            in_file = None
            if asks_for_file:
                in_file = self._files.instead(answer, payload, version, fresh_until_ns)
            return in_file or self._hot.keep(path, version, answer)
        except JobEngineError:
            return None

    def _look_up(
        self, environ: dict[str, Any], method: str, path: str
    ) -> tuple[PayloadAnswer, Payload] | None:
        """Raises NotFoundError, MalformedError or UnavailableError."""
        wanted = _PAYLOAD.fullmatch(path)
        if wanted is None:
            return None
        name, stream, element, data = wanted.groups()
        inner = path[wanted.end("name") + 1 :].removesuffix("/")
        if self._hooks.concerns(method, f"{BEAMS}/{quote(name, safe='')}/{quote(inner)}"):
            return None
        content = self._services.addresses.content(name, stream, element)
        payload = self._services.payloads.read(content, stream, element, data)
        given = (environ.get(header, "") for header in _HEADERS)
        answer = answer_payload(payload, Conditions(method, *given))
        return (answer, payload) if answer.status in _STATUS else None

    def _with_headers(self, environ: dict[str, Any], answer: PayloadAnswer) -> list[tuple[str, str]]:
        given = environ.get("HTTP_X_REQUEST_ID")
        request_id = new_id() if given is None else sane_request_id(given)
        return [*answer.headers.items(), *self._headers, ("X-Request-Id", request_id)]

    def _count(self, method: str, status: int, started_ns: int) -> None:
        durations = self._durations.get((method, status))
        if durations is None:
            durations = self._durations[method, status] = self._metrics.durations(PAYLOAD, method, status)
        durations.observe((self._services.clock.monotonic_ns() - started_ns) / 1e9)
