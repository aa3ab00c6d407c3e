"""Every error as RFC 9457 problem details, with the id of the request.

The mapping is in `jobengine.errors`; what only HTTP knows (405, 415, …) comes from werkzeug. An unexpected
exception is logged with its traceback and answered without any of it.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

import msgspec
from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from jobengine import logs
from jobengine.errors import AuthenticationError, DocumentError, JobEngineError, UnavailableError
from jobengine.ids import new_id

MIMETYPE = "application/problem+json"
RETRY_AFTER_S = 2
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_RESERVED = frozenset({"type", "title", "status", "detail", "instance", "code", "request_id"})


def install(app: Flask) -> None:
    """Answer every error of ``app`` as a problem."""
    app.register_error_handler(JobEngineError, _on_our_error)
    app.register_error_handler(HTTPException, _on_http_error)
    app.register_error_handler(Exception, _on_surprise)


def request_id() -> str:
    """The id of this request: the client's ``X-Request-Id`` if it is sane, else a new one."""
    if "request_id" not in g:
        g.request_id = sane_request_id(request.headers.get("X-Request-Id", ""))
    return str(g.request_id)


def sane_request_id(given: str) -> str:
    """``given`` if it can stand in a log and a header, else a new id."""
    return given if _REQUEST_ID.fullmatch(given) else new_id()


def as_problem(error: JobEngineError) -> dict[str, Any]:
    """The members of the problem that tells of ``error``."""
    problem = _members(error.status, error.code, error.title, error.detail)
    problem |= {name: fact for name, fact in error.facts.items() if name not in _RESERVED}
    if isinstance(error, DocumentError):
        problem["errors"] = [{"pointer": fault.pointer, "detail": fault.detail} for fault in error.faults]
    return problem


def _members(status: int, code: str, title: str, detail: str) -> dict[str, Any]:
    return _of_dialect(status, detail) | {
        "type": f"/api/problems/{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": request.path,
        "code": code,
        "request_id": request_id(),
    }


def _of_dialect(status: int, detail: str) -> dict[str, Any]:
    """Clients of the Content Beam API and of Savant Replay know errors by further members."""
    if request.path == "/beams" or request.path.startswith("/beams/"):
        return {"statusCode": status, "error": HTTPStatus(status).phrase, "message": detail}
    return {"error": detail} if request.path.startswith("/api/v1/") else {}


def _answer(problem: dict[str, Any]) -> Response:
    body = msgspec.json.encode(problem)
    return Response(body, status=problem["status"], mimetype=MIMETYPE)


def _on_our_error(error: JobEngineError) -> Response:
    if error.status >= 500 and not isinstance(error, UnavailableError):
        logs.get().error("http.failed", request_id=request_id(), path=request.path, exc_info=error)
    response = _answer(as_problem(error))
    if isinstance(error, AuthenticationError):
        response.headers["WWW-Authenticate"] = 'Bearer realm="jobengine"'
    if isinstance(error, UnavailableError):
        response.headers["Retry-After"] = str(error.facts.get("retryAfter", RETRY_AFTER_S))
    return response


def _on_http_error(error: HTTPException) -> Response:
    status = error.code or 500
    if status < 400 and error.response is None:
        return Response(status=status, headers=error.get_headers())
    code = re.sub(r"[^a-z]+", "-", error.name.lower())
    response = _answer(_members(status, code, error.name, _said(error)))
    for name, value in error.get_headers():
        if name not in ("Content-Type", "Content-Length"):
            response.headers[name] = value
    return response


def _said(error: HTTPException) -> str:
    """What people are told, more exactly than werkzeug does where it knows no more than the address."""
    if isinstance(error, MethodNotAllowed):
        return f"{request.method} can't be done here; {', '.join(sorted(error.valid_methods or ()))} can"
    if isinstance(error, NotFound) and error.description == NotFound.description:
        return f"there is nothing at {request.path}"
    return error.description or error.name


def _on_surprise(error: Exception) -> Response:
    logs.get().error("http.failed", request_id=request_id(), path=request.path, exc_info=error)
    detail = "something unexpected happened; the log of the service tells more under this request_id"
    return _answer(_members(500, "internal", "Internal error", detail))
