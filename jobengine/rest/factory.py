"""The Flask application of one http process: everything is joined here, nothing is started."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, Flask

from jobengine.contents.rules import RuleBook
from jobengine.rest import (
    about,
    events,
    guard,
    health,
    job_parts,
    jobs,
    problem,
    transitions,
    variables,
)
from jobengine.rest.api import Api
from jobengine.rest.auth import Gate
from jobengine.rest.beams import routes as beams
from jobengine.rest.event_feed import Seats
from jobengine.rest.metrics import Metrics
from jobengine.rest.replay import routes as replay
from jobengine.rest.rules import routes as rules
from jobengine.rest.rules.firing import RuleHooks
from jobengine.rest.rules.flights import Flights
from jobengine.rest.services import HttpServices
from jobengine.rest.whole_bodies import WholeBodies


def create_app(services: HttpServices, pages: Sequence[Blueprint] = ()) -> Flask:
    """The application; a WSGI callable. Thread-safe. ``pages`` are served beside it."""
    http = services.settings.http
    gate = Gate(services.keys.list, services.clock, http.is_loopback)
    seats = Seats(http.max_sse_clients)
    api = Api(gate)
    app: Flask = api.app
    metrics = Metrics(services, seats)
    metrics.install(app)
    guard.install(app, http)
    problem.install(app)
    jobs.install(api, services)
    transitions.install(api, services)
    job_parts.install(api, services)
    events.install(api, services, seats)
    variables.install(api, services)
    health.install(api, services)
    about.install(api, services)
    book = RuleBook(services.contents, services.roots)
    beams.install(api, services, seats, RuleHooks(book, Flights(services), services.roots), gate, metrics)
    rules.install(api, services, book)
    replay.install(api, services)
    for blueprint in pages:
        app.register_blueprint(blueprint)
    if services.proxy is not None:
        app.wsgi_app = WholeBodies(app.wsgi_app, services.proxy.secret)  # type: ignore[method-assign]
    return app
