"""``/api/events``: raise a named event, read the numbered feed by polling, or follow it as a stream."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from flask import Response, request

from jobengine.errors import MalformedError
from jobengine.messaging.engine_messages import RaiseEvent
from jobengine.model.document import EventDocument, read
from jobengine.model.query import Field, Node, fields_of, parse_filter
from jobengine.rest.api import Answer, Api, Call, Route, json_response
from jobengine.rest.auth import Actor, Role
from jobengine.rest.body import read_body
from jobengine.rest.event_feed import Feed, Seated, Seats
from jobengine.rest.job_view import check_fields, disclosed, event_view
from jobengine.rest.parameters import EventsQuery, NoQuery, StreamQuery
from jobengine.rest.services import HttpServices
from jobengine.rest.shapes import EventList, Object

EVENTS = "/api/events"
FIELDS = ("data", "jobId", "sequence", "time", "type")
_KNOWN = frozenset(name.lower() for name in FIELDS)


class EventRoutes:
    """The feed and its source."""

    def __init__(self, services: HttpServices, seats: Seats) -> None:
        self._services = services
        self._seats = seats

    def raise_event(self, call: Call[NoQuery]) -> Response:
        """Raise a named event: Event triggers that wait for it fall due."""
        value, _ = read_body(self._services.settings.http.max_document_bytes)
        event = read(EventDocument, value)
        accepted = self._services.engine.ask(
            RaiseEvent, actor=call.actor.name, name=event.name, data=event.data
        )
        return json_response({"name": event.name, "raised": True, **accepted.data}, 202)

    def list_events(self, call: Call[EventsQuery]) -> Response:
        """Events after the number `after`, in order. `Link` is where to ask for what comes next, always."""
        query = call.query
        where = _read_filter(query.filter, call.actor)
        page = self._services.reader.events_after(query.after, query.limit, where)
        views = [event_view(event) for event in page.events]
        following = urlencode({**request.args.to_dict(), "after": page.scanned})
        return json_response(disclosed(views, call.actor), Link=f'<{EVENTS}?{following}>; rel="next"')

    def stream(self, call: Call[StreamQuery]) -> Response:
        """Every change as Server-Sent Events: `id` is its number, `event` its type, `data` its JSON.

        `Last-Event-ID` replays what came after it. A `gap` event tells that part of that is not kept any
        more. 503 with `Retry-After` when too many listen.
        """
        where = _read_filter(call.query.filter, call.actor)
        after = _last_event_id(call.query)
        services, actor = self._services, call.actor
        feed = Feed(
            services.reader, services.notices, services.clock, where, lambda view: disclosed(view, actor)
        )
        chunks = feed.follow(after)
        self._seats.take()
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return Response(Seated(chunks, self._seats), mimetype="text/event-stream", headers=headers)


def _read_filter(text: str | None, actor: Actor) -> Node | None:
    if not text:
        return None
    where = parse_filter(text)
    for field in fields_of(where):
        _check_known(field)
    check_fields(fields_of(where), actor)
    return where


def _check_known(field: Field) -> None:
    if field.name in _KNOWN and (len(field.path) == 1 or field.name == "data"):
        return
    name, known = ".".join(field.path), ", ".join(FIELDS[1:])
    raise MalformedError(
        f"filter, column {field.column}: {name!r} is not a field of an event; known are {known}, data.…",
        column=field.column,
    )


def _last_event_id(query: StreamQuery) -> int | None:
    text: Any = request.headers.get("Last-Event-ID") or None
    if text is None:
        return query.last_event_id
    if not (text.isascii() and text.isdigit() and len(text) < 17):
        raise MalformedError("Last-Event-ID must be the number of an event")
    return int(text)


def install(api: Api, services: HttpServices, seats: Seats) -> None:
    """Add the routes."""
    r = EventRoutes(services, seats)
    tag = "events"
    raised = {202: Answer("Raised", Object)}
    listed = {200: Answer("Events in order", EventList, headers=("Link",))}
    followed = {200: Answer("The stream; it does not end", media_type="text/event-stream")}
    body = EventDocument
    api.add(
        Route("POST", EVENTS, r.raise_event, "raiseEvent", tag, raised, NoQuery, body, Role.OPERATOR),
        Route("GET", EVENTS, r.list_events, "listEvents", tag, listed, EventsQuery),
        Route("GET", f"{EVENTS}/stream", r.stream, "streamEvents", tag, followed, StreamQuery),
    )
