"""What keeps browsers honest: security headers, and refusals of requests that another site had made; what
keeps connections usable after a refusal; and addresses that are text.

A service on loopback is reached by any web page that its user opens: by a DNS name that was rebound to
127.0.0.1 (the Host header gives it away) or by a form or script of another site (Sec-Fetch-Site does, and
bodies must be JSON, which needs a preflight that is never granted: there are no CORS headers).
"""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from functools import lru_cache
from urllib.parse import quote

from flask import Flask, Response, request
from werkzeug.exceptions import ClientDisconnected

from jobengine.errors import ForbiddenError, HostRefused, MalformedError
from jobengine.rest.problem import request_id
from jobengine.settings import HttpSettings

CSP = (
    "default-src 'self'; style-src 'self'; script-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
LEFT_BYTES_MAX = 1024 * 1024
"""A body that was refused is taken off its connection up to this size; a larger one ends the connection."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def install(app: Flask, settings: HttpSettings) -> None:
    """Guard every request of ``app``."""
    allowed = frozenset(name.lower() for name in settings.allowed_hosts)
    is_loopback = settings.is_loopback

    @app.before_request
    def refuse_what_is_no_text() -> None:
        decoded(request.environ["PATH_INFO"])

    @app.before_request
    def refuse_strangers() -> None:
        if is_loopback and not is_local(request.host, allowed):
            raise HostRefused(f"the Host header names {request.host!r}, which is not this service")
        origin = request.headers.get("Sec-Fetch-Site")
        if request.method not in SAFE_METHODS and origin in ("cross-site", "same-site"):
            raise ForbiddenError("the request was made by a page of another site")

    app.after_request(_take_what_is_left)
    app.after_request(_add_headers)


def _take_what_is_left(response: Response) -> Response:
    # Otherwise the server ends the connection without a word, and the client's next request on it fails.
    if 0 < (request.content_length or 0) <= LEFT_BYTES_MAX:
        with suppress(ClientDisconnected):
            request.stream.read()
    return response


def _add_headers(response: Response) -> Response:
    response.headers.extend(HEADERS)
    response.headers.add("X-Request-Id", request_id())
    if "Cache-Control" not in response.headers:
        response.headers.add("Cache-Control", "no-cache")
    if response.mimetype == "text/html" and response.calculate_content_length() == 0:
        del response.headers["Content-Type"]  # Flask's default: an answer without a body has no type
    return response


def decoded(path: str) -> str:
    """A path of a WSGI environment as text: there, bytes stand as if they were Latin-1.

    Raises MalformedError if they are no UTF-8.
    """
    if path.isascii():
        return path
    sent = path.encode("latin-1")
    try:
        return sent.decode()
    except UnicodeDecodeError as error:
        wrong, before = quote(sent[error.start : error.start + 1]), quote(sent[: error.start])
        raise MalformedError(f"the address is not UTF-8: {wrong} after {before}") from None


@lru_cache(maxsize=256)
def is_local(host: str, allowed: frozenset[str]) -> bool:
    """Whether a Host header names this service."""
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    name = name.strip("[]").lower()
    if name == "localhost" or name.endswith(".localhost") or name in allowed:
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
