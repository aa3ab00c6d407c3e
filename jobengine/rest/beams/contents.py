"""``/beams`` and ``/beams/{content}``: list, make, read, change and remove contents."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from flask import Response

from jobengine.contents.catalogue import Content
from jobengine.contents.look_up import Page
from jobengine.model.beam.formats import FormatDocument
from jobengine.model.merge import merge
from jobengine.model.query import Node, matches, parse_filter
from jobengine.rest.api import Answer, Api, Call, Route, json_response
from jobengine.rest.auth import Role
from jobengine.rest.beams.address import BEAMS, join
from jobengine.rest.beams.bodies import read_json
from jobengine.rest.beams.format_documents import format_document, read_content, refuse_new_time_base
from jobengine.rest.beams.paging import add_links
from jobengine.rest.beams.parameters import BeamQuery, ContentsQuery, RemovalQuery
from jobengine.rest.beams.path import content_name
from jobengine.rest.beams.revisions import check_match, etag, is_known, not_modified
from jobengine.rest.beams.services import BeamServices
from jobengine.rest.beams.shapes import FormatShape, MergePatch, NamesOrCount, RemovalShape
from jobengine.rest.body import MERGE_PATCH
from jobengine.rest.repetition import REPLAYED, idempotency_key

Json = Any
CONTENT = f"{BEAMS}/<content>"


class ContentRoutes:
    """The list and its members."""

    def __init__(self, services: BeamServices) -> None:
        self._services = services

    def list_names(self, call: Call[ContentsQuery]) -> Response:
        """List the names of contents in order of their creation, or with `count` tell how many there are."""
        query = call.query
        where = parse_filter(query.filter) if query.filter else None
        names = self._services.catalogue.names()
        if where is not None:
            names = [name for name in names if self._matches(name, where)]
        if query.count:
            return json_response({"count": len(names)})
        page = Page(query.offset, query.limit)
        end = page.offset + page.limit
        return add_links(json_response(names[page.offset : end]), BEAMS, page, end < len(names))

    def create(self, call: Call[BeamQuery]) -> Response:
        """Make a content of a format with its streams. Without `url` it gets a name.

        With an `Idempotency-Key` the same request, sent again, is answered with what it made the first time.
        """
        value, data = read_json(self._services.max_document_bytes)
        document, read = read_content(value)
        repeat = idempotency_key(call.actor, f"POST {BEAMS}", data)
        known = self._services.repeats.find(repeat.scope, repeat.key, repeat.request_hash) if repeat else None
        content = self._services.catalogue.find(known) if known is not None else None
        if content is not None:
            return self._created(content, is_repeat=True)
        name = document.url or f"urn:uuid:{uuid4()}"
        self._services.addresses.check_new(name)
        note = (
            [self._services.repeats.note(repeat.scope, repeat.key, repeat.request_hash, name)]
            if repeat and known is None
            else []
        )
        members = {**read.format, "url": name}
        content = self._services.catalogue.create(name, members, read.streams, read.limits, note)
        if read.ended:
            content = self._services.catalogue.change(read.onto(content), content.revision)
        return self._created(content)

    def get(self, call: Call[BeamQuery]) -> Response:
        """Read the format of a content."""
        content = self._services.catalogue.get(content_name(call))
        check_match(content)
        return not_modified(content) if is_known(content) else self._answer(content)

    def put(self, call: Call[BeamQuery]) -> Response:
        """Replace the format of a content.

        Streams that it no longer has are removed with their elements; those of the same index keep them.
        """
        content = self._services.catalogue.get(content_name(call))
        check_match(content)
        value, _ = read_json(self._services.max_document_bytes)
        return self._change(content, value)

    def patch(self, call: Call[BeamQuery]) -> Response:
        """Merge patch (RFC 7396) of the format; streams, if given, are replaced as a list."""
        content = self._services.catalogue.get(content_name(call))
        check_match(content)
        value, _ = read_json(self._services.max_document_bytes, MERGE_PATCH)
        return self._change(content, merge(format_document(content), value))

    def delete(self, call: Call[RemovalQuery]) -> Response:
        """Remove a content with its streams, elements, payloads and relations."""
        content = self._services.catalogue.get(content_name(call))
        check_match(content)
        if call.query.dry_run:
            return json_response(self._counts(content))
        self._services.relations.delete_content(content.name, content.revision)
        return Response(status=204)

    def _change(self, content: Content, value: Json) -> Response:
        _, read = read_content(value, content.name)
        changed = read.onto(content)
        refuse_new_time_base(self._services.store, content, changed)
        return self._answer(self._services.catalogue.change(changed, content.revision))

    def _matches(self, name: str, where: Node) -> bool:
        content = self._services.catalogue.find(name)
        if content is None:
            return False
        return matches(where, {**content.format, "name": name, "createdTime": content.created_time})

    def _counts(self, content: Content) -> dict[str, int]:
        present = [index for index, stream in enumerate(content.streams) if stream is not None]
        facts = [self._services.store.facts(content.stream_number(index)) for index in present]
        return {
            "streams": len(present),
            "elements": sum(each.count for each in facts),
            "payloadBytes": sum(each.payload_bytes for each in facts),
        }

    def _created(self, content: Content, is_repeat: bool = False) -> Response:
        response = json_response(
            format_document(content), 201, ETag=etag(content), Location=join(content.name)
        )
        if is_repeat:
            response.headers[REPLAYED] = "true"
        return response

    def _answer(self, content: Content) -> Response:
        return json_response(format_document(content), ETag=etag(content))


def install(api: Api, services: BeamServices) -> None:
    """Add the routes."""
    r = ContentRoutes(services)
    tag, writing, body = "beams", Role.OPERATOR, FormatDocument
    listed = {200: Answer("Names in order of creation", NamesOrCount, headers=("Link",))}
    made = {201: Answer("The stored format", FormatShape, headers=("ETag", "Location"))}
    found = Answer("The format", FormatShape, headers=("ETag",))
    same = Answer("Not changed", media_type="")
    gone = {204: Answer("Removed", media_type=""), 200: Answer("What would go", RemovalShape)}
    changing = (409, 412)
    api.add(
        Route("GET", BEAMS, r.list_names, "listContents", tag, listed, ContentsQuery),
        Route("POST", BEAMS, r.create, "createContent", tag, made, BeamQuery, body, writing, (409,)),
        Route("GET", CONTENT, r.get, "getContent", tag, {200: found, 304: same}, BeamQuery, problems=(412,)),
        Route("PUT", CONTENT, r.put, "replaceContent", tag, {200: found}, BeamQuery, body, writing, changing),
        Route(
            "PATCH",
            CONTENT,
            r.patch,
            "patchContent",
            tag,
            {200: found},
            BeamQuery,
            MergePatch,
            writing,
            changing,
        ),
        Route("DELETE", CONTENT, r.delete, "deleteContent", tag, gone, RemovalQuery, None, writing, changing),
    )
