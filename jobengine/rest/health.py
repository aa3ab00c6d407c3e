"""``/healthz``: this process answers. ``/readyz``: clients can be served, part by part.

Both need no key and tell no secrets. Whether workers can be made is no part of it: what is posted meanwhile
is kept and begins late, and whoever takes an unready service out of a balance would take reading and stopping
away as well. Failures of that are counted in ``/metrics``.
"""

from __future__ import annotations

from collections.abc import Callable

from flask import Response

from jobengine.clock import Clock
from jobengine.errors import JobEngineError
from jobengine.messaging.engine_messages import ReadService
from jobengine.rest.api import Answer, Api, Call, Route, json_response
from jobengine.rest.auth import Role
from jobengine.rest.parameters import NoQuery
from jobengine.rest.services import HttpServices
from jobengine.rest.shapes import Object, ReadyShape


class HealthRoutes:
    """Checks are made anew for each call."""

    def __init__(self, services: HttpServices) -> None:
        self._clock: Clock = services.clock
        self._checks: dict[str, Callable[[], object]] = {
            "database": services.reader.newest_event,
            "migrations": services.check_migrations,
            "engine": lambda: services.probe.ask(ReadService, actor="readiness"),
        }

    def alive(self, call: Call[NoQuery]) -> Response:
        """The process answers."""
        return json_response({"alive": True})

    def ready(self, call: Call[NoQuery]) -> Response:
        """Whether each part works. 503 when one does not."""
        components = {name: self._check(check) for name, check in self._checks.items()}
        is_ready = all(component["ready"] for component in components.values())
        status = 200 if is_ready else 503
        return json_response({"ready": is_ready, "components": components}, status)

    def _check(self, check: Callable[[], object]) -> dict[str, object]:
        start_ns = self._clock.monotonic_ns()
        try:
            check()
        except JobEngineError as error:
            return {"ready": False, "detail": error.title}
        return {"ready": True, "detail": f"{(self._clock.monotonic_ns() - start_ns) / 1e6:.1f} ms"}


def install(api: Api, services: HttpServices) -> None:
    """Add the routes."""
    r = HealthRoutes(services)
    alive = {200: Answer("It does", Object)}
    ready = {200: Answer("All parts work", ReadyShape), 503: Answer("A part does not", ReadyShape)}
    api.add(
        Route("GET", "/healthz", r.alive, "isAlive", "health", alive, role=Role.NOBODY),
        Route("GET", "/readyz", r.ready, "isReady", "health", ready, role=Role.NOBODY),
    )
