"""``/beams/{content}/{stream}/{reference}``: elements by any media reference; put, append and remove them."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from flask import Response

from jobengine.contents.catalogue import Content
from jobengine.contents.look_up import Found, is_range, pts_of
from jobengine.contents.stream_names import ALL
from jobengine.errors import ConflictError, Fault, MalformedError, NotFoundError, RevisionMismatch
from jobengine.model.beam.elements import (
    ElementDocument,
    PacketDocument,
    read_element,
    to_document,
    to_element,
)
from jobengine.model.beam.values import malformed
from jobengine.model.element import PTS_MAX, PTS_MIN, ElementKind, StoredElement
from jobengine.model.media_reference import (
    LAST,
    Anchor,
    Direct,
    MediaReference,
    Places,
    Stamps,
    Times,
    parse_reference,
)
from jobengine.ports.contents import DeleteElements, Outcome, PutElement, PutMode
from jobengine.rest.api import Answer, Api, Call, Route, json_response
from jobengine.rest.auth import Role
from jobengine.rest.beams import mixed_answer as mixed
from jobengine.rest.beams.address import join
from jobengine.rest.beams.bodies import read_json
from jobengine.rest.beams.paging import add_links
from jobengine.rest.beams.parameters import (
    MAX_LIMIT,
    BeamQuery,
    ElementQuery,
    ElementRemovalQuery,
    PayloadQuery,
)
from jobengine.rest.beams.path import stream_name, variable
from jobengine.rest.beams.payload_reading import split_raw
from jobengine.rest.beams.payloads import PayloadRoutes
from jobengine.rest.beams.revisions import creates_only, refuse_conditions
from jobengine.rest.beams.shapes import ElementBody, ElementShape, ElementsShape, RemovedShape
from jobengine.rest.beams.shelf import Shelf, all_timed, timed
from jobengine.rest.beams.streams import STREAM
from jobengine.rest.beams.waiting import wait_for

Json = Any
ELEMENT = f"{STREAM}/<reference>"
CLOSED = "Beam-Closed"


class ElementRoutes:
    """Elements of one stream, or of all."""

    def __init__(self, shelf: Shelf, payloads: PayloadRoutes) -> None:
        self._shelf = shelf
        self._payloads = payloads

    def get(self, call: Call[ElementQuery]) -> Response:
        """Read elements by a media reference; one object if it names one by kind and pts, else a list.

        Ranges come page by page, with `Link`. `start`, `end` and `latest` redirect to the element that they
        mean now; `Beam-Closed` says that no element will follow. With `.raw` after it: the payload. With
        `Accept: multipart/mixed` the elements come with their payload, each part with its length.
        """
        element, data = split_raw(variable(call, "reference"))
        if data:
            return self._payloads.read(call, element, data)
        if call.query.keep_s is not None:
            raise MalformedError("keep_s is possible for a payload only, not for a description")
        reference = _read_reference(element)
        content, found = self._found(call, element, reference)
        if isinstance(reference, Anchor):
            return _redirect(content, found.elements[0])
        if mixed.is_wanted():
            found, response = self._mixed(content, found, call.query.ids)
        elif isinstance(reference, Direct):
            return json_response(_document(content, found.elements[0], call.query.ids))
        else:
            response = json_response([_document(content, each, call.query.ids) for each in found.elements])
        if is_range(reference):
            place = join(content.name, stream_name(call), element)
            add_links(response, place, call.query.page(), found.has_more, len(found.elements))
        return response

    def _found(
        self, call: Call[ElementQuery], element: str, reference: MediaReference
    ) -> tuple[Content, Found]:
        """What is there, waited for as long as the query says. Raises NotFoundError if there is nothing."""
        name, stream, query = variable(call, "content"), stream_name(call), call.query
        found = wait_for(self._shelf, query.wait, lambda: self._find(name, stream, reference, query))
        content = self._shelf.catalogue.get(name)
        if not found.elements:
            hint = self._nearest(content, stream, reference)
            raise NotFoundError(f"{element!r} matches nothing in {stream!r} of {name!r}{hint}")
        return content, found

    def _mixed(self, content: Content, found: Found, with_ids: bool) -> tuple[Found, Response]:
        """As much of what was found as goes on one page, with its payload."""
        count = mixed.fitting(found.elements)
        fitting = Found(found.elements[:count], found.has_more or count < len(found.elements))
        documents = [_document(content, each, with_ids) for each in fitting.elements]
        return fitting, mixed.mixed_answer(self._shelf.store, fitting.elements, documents)

    def put(self, call: Call[PayloadQuery]) -> Response:
        """Store a packet or a frame, or replace its description; the payload that it has stays.

        The address names it by kind and pts, or by pts only: then `type` says the kind. With
        `If-None-Match: *` nothing is replaced: one that is there is a 412.
        """
        text = variable(call, "reference")
        element, data = split_raw(text)
        if data:
            return self._payloads.put_data(call, element, data)
        if call.query.expires_s is not None:
            raise MalformedError("expires_s is possible for a payload only, not for a description")
        document = self._read()
        at = _place(parse_reference(element), document)
        content, index = self._shelf.stream_to_write(variable(call, "content"), variable(call, "stream"))
        _check_index(document, index)
        read = to_element(document.model_copy(update={"pts": at.pts}))
        mode = PutMode.CREATE if creates_only() else PutMode.REPLACE
        number = content.stream_number(index)
        try:
            (outcome,) = self._shelf.store.commit([PutElement(number, read, mode=mode)])
        except ConflictError:
            if mode is PutMode.CREATE and self._shelf.look_up.direct(number, at.kind, at.pts):
                raise RevisionMismatch(f"there is {at} already") from None
            raise
        return self._stored(content, index, outcome, read.kind)

    def append(self, call: Call[BeamQuery]) -> Response:
        """Append a packet or a frame. Without `pts` it gets the next number of the stream.

        One whose `id` the stream has already changes nothing, so writers may repeat.
        """
        refuse_conditions()
        document = self._read()
        content, index = self._shelf.stream_to_write(variable(call, "content"), variable(call, "stream"))
        _check_index(document, index)
        read = to_element(document)
        put = PutElement(content.stream_number(index), read, mode=PutMode.APPEND)
        return self._stored(content, index, self._shelf.store.commit([put])[0], read.kind)

    def delete(self, call: Call[ElementRemovalQuery]) -> Response:
        """Remove elements by kind and pts, by pts or by real time, or all of them with `first-last`.

        With `.raw`: the payload only.
        """
        element, data = split_raw(variable(call, "reference"))
        if data:
            if call.query.model_fields_set:
                raise MalformedError("dry_run and tolerance_ms are possible for elements, not for a payload")
            return self._payloads.drop(call, element, data)
        refuse_conditions()
        reference = parse_reference(element)
        content, index = self._shelf.stream(variable(call, "content"), variable(call, "stream"))
        number = content.stream_number(index)
        first, last, kind = self._span(content, index, reference, call.query)
        if call.query.dry_run:
            return json_response({"deleted": self._count(number, first, last, kind)})
        (outcome,) = self._shelf.store.commit([DeleteElements(number, first, last, kind)])
        if not outcome.changed:
            raise NotFoundError(f"{element!r} matches nothing in stream {index} of {content.name!r}")
        return json_response({"deleted": outcome.changed})

    def _find(
        self, name: str, stream: str, reference: MediaReference, query: ElementQuery
    ) -> tuple[Found, bool]:
        """What is found now, and whether more may come."""
        terms, page = query.terms(self._shelf.settings.time_tolerance_ms), query.page()
        if stream == ALL:
            content = self._shelf.catalogue.get(name)
            streams = all_timed(content)
            is_open = any(one.index not in content.ended for one in streams)
            return self._shelf.look_up_all.find(streams, reference, terms, page), is_open
        content, index = self._shelf.stream(name, stream)
        found = self._shelf.look_up.find(timed(content, index), reference, terms, page)
        return found, index not in content.ended

    def _nearest(self, content: Content, stream: str, reference: MediaReference) -> str:
        """What a time that finds nothing has missed, as the end of a sentence; empty if that says nothing."""
        if stream == ALL or not isinstance(reference, Times) or is_range(reference):
            return ""
        content, index = self._shelf.stream(content.name, stream)
        one = timed(content, index)
        nearest = self._shelf.look_up.nearest(one.number, one.ticks(reference.first))
        if nearest is None or one.time_base is None:
            return ""
        seconds = float(pts_of(nearest) * one.time_base)
        return f"; the nearest element is at {seconds:g}s (tolerance_ms and key reach farther)"

    def _read(self) -> ElementDocument:
        value, _ = read_json(self._shelf.max_document_bytes)
        return read_element(value)

    def _stored(self, content: Content, index: int, outcome: Outcome, kind: ElementKind) -> Response:
        stored = self._shelf.store.by_sequence(content.stream_number(index), outcome.sequence or 0)
        if stored is None:
            raise NotFoundError("the element was removed by another request meanwhile")
        response = json_response(_document(content, stored, False), 201 if outcome.created else 200)
        response.headers["Location"] = _address(content, stored)
        return response

    def _span(
        self, content: Content, index: int, reference: MediaReference, query: ElementRemovalQuery
    ) -> tuple[int, int, ElementKind | None]:
        match reference:
            case Direct(kind, pts):
                return pts, pts, kind
            case Stamps(is_fuzzy=False) | Times():
                tolerance_ms = query.tolerance_ms
                terms = ElementQuery(tolerance_ms=tolerance_ms).terms(self._shelf.settings.time_tolerance_ms)
                span = self._shelf.look_up.span(timed(content, index), reference, terms)
                return span.first, span.last, None
            case Places(0, last) if last == LAST:
                return PTS_MIN, PTS_MAX, None
        raise MalformedError(
            f"elements are removed by packet_P, frame_P, pts, real time or first-last, not by {reference}"
        )

    def _count(self, stream: int, first: int, last: int, kind: ElementKind | None) -> int:
        counted = offset = 0
        while first <= last:
            page = self._shelf.store.range(stream, first, last, offset, MAX_LIMIT)
            counted += sum(kind in (None, each.element.kind) for each in page)
            offset += len(page)
            if len(page) < MAX_LIMIT:
                break
        return counted


def _read_reference(text: str) -> MediaReference:
    """What is asked for. A file, such as ``2s.gif``, would have been made by a rule before."""
    try:
        return parse_reference(text)
    except MalformedError as error:
        ending = PurePosixPath(text.removesuffix(".json")).suffix
        if not ending[1:].isalpha():
            raise
        raise MalformedError(f"{error.detail}; and no rule makes {ending} here", **error.facts) from None


def _place(reference: MediaReference, document: ElementDocument) -> Direct:
    """Which element is put, as the address and the document agree."""
    kind = ElementKind.PACKET if isinstance(document, PacketDocument) else ElementKind.FRAME
    if isinstance(reference, Stamps) and reference.last is None and not reference.is_fuzzy:
        reference = Direct(kind, reference.first)
    if not isinstance(reference, Direct):
        raise MalformedError(f"an element is put by packet_P, frame_P or P, not by {reference}")
    if reference.kind is not kind:
        raise malformed([Fault("/type", f"is {document.type}, but the address means {reference}")])
    if document.pts not in (None, reference.pts):
        raise malformed([Fault("/pts", f"is {document.pts}, but the address means {reference}")])
    return reference


def _check_index(document: ElementDocument, index: int) -> None:
    if document.stream_index not in (None, index):
        raise malformed(
            [Fault("/stream_index", f"is {document.stream_index}, but the address means stream {index}")]
        )


def _index_of(content: Content, stored: StoredElement) -> int:
    return stored.stream - content.stream_number(0)


def _document(content: Content, stored: StoredElement, with_id: bool) -> dict[str, Json]:
    return to_document(stored.element, _index_of(content, stored), with_id)


def _address(content: Content, stored: StoredElement) -> str:
    direct = Direct(ElementKind(stored.element.kind), pts_of(stored))
    return join(content.name, f"stream_{_index_of(content, stored)}", str(direct))


def _redirect(content: Content, stored: StoredElement) -> Response:
    headers = {"Location": _address(content, stored), "Cache-Control": "no-store"}
    if _index_of(content, stored) in content.ended:
        headers[CLOSED] = "true"
    return Response(status=302, headers=headers)


def install(api: Api, shelf: Shelf, payloads: PayloadRoutes) -> None:
    """Add the routes."""
    r = ElementRoutes(shelf, payloads)
    tag, writing, body = "beams", Role.OPERATOR, ElementBody
    found = Answer("An element, or a list", ElementsShape, headers=("Link",))
    redirected = Answer("Where the element is", media_type="", headers=("Location", CLOSED))
    stored = {
        200: Answer("The element, whose description was replaced", ElementShape, headers=("Location",)),
        201: Answer("The stored element", ElementShape, headers=("Location",)),
    }
    removed = {200: Answer("How many went, or would", RemovedShape)}
    got = {200: found, 302: redirected}
    api.add(
        Route("GET", ELEMENT, r.get, "getElements", tag, got, ElementQuery),
        Route("PUT", ELEMENT, r.put, "putElement", tag, stored, PayloadQuery, body, writing, (409, 412)),
        Route("POST", STREAM, r.append, "appendElement", tag, stored, BeamQuery, body, writing, (409,)),
        Route(
            "DELETE", ELEMENT, r.delete, "deleteElements", tag, removed, ElementRemovalQuery, None, writing
        ),
    )
