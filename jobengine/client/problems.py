"""From an answer that is not a success back to the error class that the service raised."""

from __future__ import annotations

from typing import Any

import httpx

from jobengine import errors
from jobengine.errors import DocumentError, Fault, JobEngineError

_STANDARD_MEMBERS = frozenset({"type", "title", "status", "detail", "code", "errors"})


def _classes(base: type[JobEngineError]) -> list[type[JobEngineError]]:
    return [base] + [found for child in base.__subclasses__() for found in _classes(child)]


_BY_CODE = {error.code: error for error in _classes(JobEngineError)}
_BY_STATUS = {error.status: error for error in reversed(_classes(JobEngineError))}


def error_of(response: httpx.Response) -> JobEngineError:
    """The error that ``response`` tells of: by its code, or by its status if it is no problem document.

    ``facts`` holds the other members of the problem, and ``retry_after_s`` where the service names one.
    """
    problem = _problem(response)
    facts = {key: member for key, member in problem.items() if key not in _STANDARD_MEMBERS}
    if response.headers.get("Retry-After", "").isdigit():
        facts["retry_after_s"] = int(response.headers["Retry-After"])
    detail = str(problem.get("detail") or problem.get("title") or _first_line(response))
    kind = _BY_CODE.get(_code(problem)) or _class_for(response.status_code)
    if issubclass(kind, DocumentError):
        return DocumentError(_faults(problem) or [Fault("", detail)])
    return kind(detail, **facts)


def _problem(response: httpx.Response) -> dict[str, Any]:
    if "json" not in response.headers.get("Content-Type", ""):
        return {}
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _code(problem: dict[str, Any]) -> str:
    return str(problem.get("code") or str(problem.get("type", "")).rstrip("/").rpartition("/")[2])


def _class_for(status: int) -> type[JobEngineError]:
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status in (502, 504):
        return errors.UnavailableError
    return errors.MalformedError if 400 <= status < 500 else JobEngineError


def _faults(problem: dict[str, Any]) -> list[Fault]:
    listed = problem.get("errors")
    lines = listed if isinstance(listed, list) else []
    return [Fault(str(f.get("pointer", "")), str(f.get("detail", ""))) for f in lines if isinstance(f, dict)]


def _first_line(response: httpx.Response) -> str:
    text = (
        response.text.strip().splitlines() if "text/plain" in response.headers.get("Content-Type", "") else []
    )
    return f"{response.status_code} {response.reason_phrase}" + (f": {text[0]}" if text else "")
