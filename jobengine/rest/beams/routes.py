"""Everything of ``/beams`` joined: routes, hooks around them, and the way past Flask for payloads."""

from __future__ import annotations

from flask import Response, g, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter

from jobengine.contents.stream_names import RELATIONS
from jobengine.errors import JobEngineError
from jobengine.rest import relations
from jobengine.rest.api import Api
from jobengine.rest.auth import Gate, Role
from jobengine.rest.beams import batches, contents, elements, feed, payloads, streams
from jobengine.rest.beams.address import BEAMS
from jobengine.rest.beams.admission import Admission
from jobengine.rest.beams.file_answers import FileAnswers
from jobengine.rest.beams.front import BeamFront
from jobengine.rest.beams.hooks import BeamHooks
from jobengine.rest.beams.services import beam_services
from jobengine.rest.event_feed import Seats
from jobengine.rest.guard import SAFE_METHODS
from jobengine.rest.metrics import Metrics
from jobengine.rest.services import HttpServices


class StreamName(BaseConverter):
    """Part of an address that may name a stream. The words of relations don't: what is asked of them by a
    method that they don't have is refused with the methods that they do have."""

    regex = rf"(?!(?:{'|'.join(RELATIONS)})(?:\.json)?$)[^/]+"
    part_isolating = True


def install(
    api: Api, services: HttpServices, seats: Seats, hooks: BeamHooks, gate: Gate, metrics: Metrics
) -> None:
    """Add the routes, and stand in front of the application."""
    api.app.url_map.converters["stream"] = StreamName
    beams = beam_services(services, seats)
    contents.install(api, beams)
    relations.install(api, beams)
    streams.install(api, beams)
    routes = payloads.install(api, beams)
    elements.install(api, beams, routes)
    batches.install(api, beams, routes)
    feed.install(api, beams)
    _surround(api, hooks, gate)
    files = FileAnswers(services.contents, services.proxy.secret if services.proxy else "")
    admission = Admission(gate, services.settings.http)
    front = BeamFront(api.app.wsgi_app, beams, hooks, admission, metrics, files)
    api.app.wsgi_app = front  # type: ignore[method-assign]


def _surround(api: Api, hooks: BeamHooks, gate: Gate) -> None:
    """Ask the hooks about every request that is let in."""
    app = api.app

    @app.before_request
    def ask_before() -> Response | None:
        if not _is_below_beams() or request.method == "OPTIONS":
            return None
        actor = gate.actor(request.headers)
        actor.need(Role.VIEWER if request.method in SAFE_METHODS else Role.OPERATOR)
        g.beam_actor = actor
        return hooks.before(request, actor)

    @app.after_request
    def tell_after(response: Response) -> Response:
        if "beam_actor" not in g:
            return response
        try:
            return hooks.after(request, g.beam_actor, response)
        except (JobEngineError, HTTPException) as error:
            return app.make_response(app.handle_user_exception(error))


def _is_below_beams() -> bool:
    return request.path == BEAMS or request.path.startswith(f"{BEAMS}/")
