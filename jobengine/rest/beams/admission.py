"""Who is let in without Flask: the same host names and keys as with it."""

from __future__ import annotations

from typing import Any

from jobengine.rest.auth import Gate, Role
from jobengine.rest.guard import is_local
from jobengine.settings import HttpSettings

_CREDENTIALS = (("HTTP_AUTHORIZATION", "Authorization"), ("HTTP_X_API_KEY", "X-API-Key"))


class Admission:
    """For readers. Thread-safe."""

    def __init__(self, gate: Gate, http: HttpSettings) -> None:
        self._gate = gate
        self._hosts = frozenset(name.lower() for name in http.allowed_hosts) if http.is_loopback else None

    @property
    def fresh_until_ns(self) -> int:
        """Until when, by the monotonic clock, what `lets_in` says now holds."""
        return self._gate.fresh_until_ns

    def lets_in(self, environ: dict[str, Any]) -> bool:
        """Whether a request may read. Raises AuthenticationError or ForbiddenError."""
        if self._hosts is not None and not is_local(environ.get("HTTP_HOST", ""), self._hosts):
            return False
        given = {name: environ[key] for key, name in _CREDENTIALS if key in environ}
        self._gate.actor(given).need(Role.VIEWER)
        return True
