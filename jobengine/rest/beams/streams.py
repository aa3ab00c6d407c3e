"""``/beams/{content}/{stream}``: read, add, change, close and remove a stream; append an element to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flask import Response

from jobengine.contents.catalogue import Content
from jobengine.contents.stream_names import named_index, stream_index
from jobengine.errors import NotFoundError
from jobengine.model.beam.streams import StreamDocument
from jobengine.model.merge import merge
from jobengine.rest.api import Answer, Api, Call, Route, json_response
from jobengine.rest.auth import Role
from jobengine.rest.beams.address import BEAMS, join
from jobengine.rest.beams.bodies import read_json
from jobengine.rest.beams.content_streams import with_stream
from jobengine.rest.beams.format_documents import read_stream, refuse_new_time_base, stream_document
from jobengine.rest.beams.parameters import BeamQuery, RemovalQuery
from jobengine.rest.beams.path import variable
from jobengine.rest.beams.revisions import check_match, etag, is_known, not_modified
from jobengine.rest.beams.services import BeamServices
from jobengine.rest.beams.shapes import MergePatch, RemovalShape, StreamShape
from jobengine.rest.body import MERGE_PATCH

Json = Any
STREAM = f"{BEAMS}/<content>/<stream:stream>"


class StreamRoutes:
    """One stream."""

    def __init__(self, services: BeamServices) -> None:
        self._services = services

    def get(self, call: Call[BeamQuery]) -> Response:
        """Read a stream, by index, type or `default`."""
        content, index = self._find(call)
        check_match(content)
        return not_modified(content) if is_known(content) else self._answer(content, index)

    def put(self, call: Call[BeamQuery]) -> Response:
        """Add a stream, or change one, which keeps its elements. A new one has the next index."""
        content = self._services.catalogue.get(variable(call, "content"))
        index, is_new = _index_to_put(content, variable(call, "stream"))
        check_match(content, is_there=not is_new)
        value, _ = read_json(self._services.max_document_bytes)
        stream, closed = read_stream(value, index)
        return self._change(content, index, stream, closed, 201 if is_new else 200)

    def patch(self, call: Call[BeamQuery]) -> Response:
        """Merge patch (RFC 7396) of a stream. `closed` says that no element will follow."""
        content, index = self._find(call)
        check_match(content)
        value, _ = read_json(self._services.max_document_bytes, MERGE_PATCH)
        stream, closed = read_stream(merge(stream_document(content, index), value), index)
        return self._change(content, index, stream, closed, 200)

    def delete(self, call: Call[RemovalQuery]) -> Response:
        """Remove a stream with its elements. Other streams keep their index."""
        content, index = self._find(call)
        check_match(content)
        if call.query.dry_run:
            facts = self._services.store.facts(content.stream_number(index))
            return json_response({"streams": 1, "elements": facts.count, "payloadBytes": facts.payload_bytes})
        left = replace(with_stream(content, index, None), ended=content.ended - {index})
        self._services.catalogue.change(left, content.revision)
        return Response(status=204)

    def _find(self, call: Call[Any]) -> tuple[Content, int]:
        return self._services.stream(variable(call, "content"), variable(call, "stream"))

    def _change(
        self, content: Content, index: int, stream: Mapping[str, Json], closed: bool, status: int
    ) -> Response:
        ended = content.ended | {index} if closed else content.ended - {index}
        changed = replace(with_stream(content, index, stream), ended=ended)
        refuse_new_time_base(self._services.store, content, changed)
        changed = self._services.catalogue.change(changed, content.revision)
        response = self._answer(changed, index, status)
        if status == 201:
            response.headers["Location"] = join(content.name, f"stream_{index}")
        return response

    def _answer(self, content: Content, index: int, status: int = 200) -> Response:
        return json_response(stream_document(content, index), status, ETag=etag(content))


def _index_to_put(content: Content, name: str) -> tuple[int, bool]:
    try:
        return stream_index(content, name), False
    except NotFoundError:
        index = named_index(name)
        if index is None or index > len(content.streams):
            raise NotFoundError(
                f"content {content.name!r} has no stream {name!r}; next is stream_{len(content.streams)}"
            ) from None
        return index, True


def install(api: Api, services: BeamServices) -> None:
    """Add the routes."""
    r = StreamRoutes(services)
    tag, writing, body = "beams", Role.OPERATOR, StreamDocument
    found = Answer("The stream", StreamShape, headers=("ETag",))
    added = Answer("The stream, which is new", StreamShape, headers=("ETag", "Location"))
    same = Answer("Not changed", media_type="")
    gone = {204: Answer("Removed", media_type=""), 200: Answer("What would go", RemovalShape)}
    put = {200: found, 201: added}
    changing = (409, 412)
    api.add(
        Route("GET", STREAM, r.get, "getStream", tag, {200: found, 304: same}, BeamQuery, problems=(412,)),
        Route("PUT", STREAM, r.put, "putStream", tag, put, BeamQuery, body, writing, changing),
        Route(
            "PATCH",
            STREAM,
            r.patch,
            "patchStream",
            tag,
            {200: found},
            BeamQuery,
            MergePatch,
            writing,
            changing,
        ),
        Route("DELETE", STREAM, r.delete, "deleteStream", tag, gone, RemovalQuery, None, writing, changing),
    )
