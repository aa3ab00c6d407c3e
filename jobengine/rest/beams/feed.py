"""``GET /beams/{content}/{stream}/elements``: a stream followed live, as Server-Sent Events."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Response, request

from jobengine.contents.catalogue import Content
from jobengine.contents.stream_names import ALL, stream_index
from jobengine.errors import MalformedError, NotFoundError
from jobengine.model.beam.elements import to_document
from jobengine.model.element import Gap, StoredElement
from jobengine.rest.api import Answer, Api, Call, Route, encode
from jobengine.rest.beams.batches import ELEMENTS
from jobengine.rest.beams.parameters import FeedQuery
from jobengine.rest.beams.path import variable
from jobengine.rest.beams.services import BeamServices
from jobengine.rest.beams.waiting import SLICE_S
from jobengine.rest.event_feed import KEEP_ALIVE_S, RETRY_MS, Seated

PAGE = 200


class FeedRoutes:
    """Streams followed live."""

    def __init__(self, services: BeamServices) -> None:
        self._services = services

    def follow(self, call: Call[FeedQuery]) -> Response:
        """Follow a stream: an `element` event for each one that comes, its JSON as `data`, its place as `id`.

        `Last-Event-ID` replays what came after it, -1 all that there is. So does one that the stream has not
        come to: it is that of an earlier stream of this name. A `gap` tells of places whose elements were
        removed. An `end` comes last: the stream is closed, or was removed.
        """
        name, stream = variable(call, "content"), variable(call, "stream")
        if stream.removesuffix(".json") == ALL:
            raise MalformedError("only one stream can be followed at a time; name it instead of all")
        content, index = self._services.stream(name, stream)
        begin = _begin(self._services.store.facts(content.stream_number(index)).next_sequence, call.query)
        chunks = self._chunks(content, index, begin, call.query.ids)
        self._services.seats.take()
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return Response(Seated(chunks, self._services.seats), mimetype="text/event-stream", headers=headers)

    def _chunks(self, content: Content, index: int, sequence: int, with_ids: bool) -> Iterator[bytes]:
        services, number = self._services, content.stream_number(index)
        yield b"retry: %d\nid: %d\n\n" % (RETRY_MS, sequence - 1)
        spoken_ns = services.clock.monotonic_ns()
        while not services.notices.has_ended:
            version = services.followers.version()
            is_open = self._is_open(content, index)
            found = services.store.scan(number, sequence, PAGE)
            if found:
                yield b"".join(_message(entry, index, with_ids) for entry in found)
                sequence = _last_sequence(found[-1]) + 1
                spoken_ns = services.clock.monotonic_ns()
                continue
            if not is_open:
                yield b"event: end\ndata: {}\n\n"
                return
            services.followers.wait(version, SLICE_S)
            if services.clock.monotonic_ns() - spoken_ns >= KEEP_ALIVE_S * 1e9:
                yield b": keep-alive\n\n"
                spoken_ns = services.clock.monotonic_ns()

    def _is_open(self, content: Content, index: int) -> bool:
        """Whether more may come: the content is still this one, its stream is there and not closed."""
        found = self._services.catalogue.find(content.name)
        if found is None or found.number != content.number or index in found.ended:
            return False
        try:
            return stream_index(found, str(index)) == index
        except NotFoundError:
            return False


def _message(entry: StoredElement | Gap, index: int, with_ids: bool) -> bytes:
    if isinstance(entry, Gap):
        data = encode({"first": entry.first_sequence, "last": entry.last_sequence})
        return b"id: %d\nevent: gap\ndata: %s\n\n" % (entry.last_sequence, data)
    document = encode(to_document(entry.element, index, with_ids))
    return b"id: %d\nevent: element\ndata: %s\n\n" % (entry.sequence, document)


def _last_sequence(entry: StoredElement | Gap) -> int:
    return entry.last_sequence if isinstance(entry, Gap) else entry.sequence


def _begin(end: int, query: FeedQuery) -> int:
    """The place from which a feed tells, of a stream that has come to ``end``."""
    after = _last_event_id(query)
    if after is None:
        return end
    return after + 1 if after < end else 0


def _last_event_id(query: FeedQuery) -> int | None:
    text = request.headers.get("Last-Event-ID")
    if not text:
        return query.last_event_id
    if text != "-1" and not (text.isascii() and text.isdigit() and len(text) < 19):
        raise MalformedError("Last-Event-ID must be the place of an element, or -1")
    return int(text)


def install(api: Api, services: BeamServices) -> None:
    """Add the route."""
    r = FeedRoutes(services)
    followed = {200: Answer("The stream; it ends when the content's does", media_type="text/event-stream")}
    api.add(Route("GET", ELEMENTS, r.follow, "followElements", "beams", followed, FeedQuery))
