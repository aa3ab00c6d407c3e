"""``GET`` of elements by any media reference."""

from __future__ import annotations

from pathlib import PurePosixPath

from flask import Response

from jobengine.contents.catalogue import Content
from jobengine.contents.look_up import Found, is_range, pts_of
from jobengine.contents.stream_names import ALL
from jobengine.errors import MalformedError, NotFoundError
from jobengine.model.element import StoredElement
from jobengine.model.media_reference import Anchor, Direct, MediaReference, Times, parse_reference
from jobengine.rest.api import Call, json_response
from jobengine.rest.beams import mixed_answer as mixed
from jobengine.rest.beams.address import join
from jobengine.rest.beams.content_streams import all_timed, timed
from jobengine.rest.beams.element_view import element_address, element_document, index_of
from jobengine.rest.beams.paging import add_links
from jobengine.rest.beams.parameters import ElementQuery, PayloadReadQuery
from jobengine.rest.beams.path import stream_name, variable
from jobengine.rest.beams.payload_reading import split_raw
from jobengine.rest.beams.payloads import PayloadRoutes
from jobengine.rest.beams.services import BeamServices
from jobengine.rest.beams.waiting import wait_for

CLOSED = "Beam-Closed"


class ElementReading:
    """Elements of one stream, or of all."""

    def __init__(self, services: BeamServices, payloads: PayloadRoutes) -> None:
        self._services = services
        self._payloads = payloads

    def get(self, call: Call[ElementQuery]) -> Response:
        """Read elements by a media reference; one object if it names one by kind and pts, else a list.

        Ranges come page by page, with `Link`. `start`, `end` and `latest` redirect to the element that they
        mean now; `Beam-Closed` says that no element will follow. With `.raw` after it: the payload. With
        `Accept: multipart/mixed` the elements come with their payload, each part with its length.
        """
        element, data = split_raw(variable(call, "reference"))
        if data:
            _check_reads_payload(call.query)
            return self._payloads.read(call, element, data)
        if call.query.keep_s is not None:
            raise MalformedError("keep_s is possible for a payload only, not for a description")
        reference = _read_reference(element)
        content, found = self._found(call, element, reference)
        with_ids = call.query.ids
        if isinstance(reference, Anchor):
            return _redirect(content, found.elements[0])
        if mixed.is_wanted():
            found, response = self._mixed(content, found, with_ids)
        elif isinstance(reference, Direct):
            return json_response(element_document(content, found.elements[0], with_ids))
        else:
            response = json_response([element_document(content, each, with_ids) for each in found.elements])
        if is_range(reference):
            place = join(content.name, stream_name(call), element)
            add_links(response, place, call.query.page(), found.has_more, len(found.elements))
        return response

    def _found(
        self, call: Call[ElementQuery], element: str, reference: MediaReference
    ) -> tuple[Content, Found]:
        """What is there, waited for as long as the query says. Raises NotFoundError if there is nothing."""
        name, stream, query = variable(call, "content"), stream_name(call), call.query
        found = wait_for(self._services, query.wait, lambda: self._find(name, stream, reference, query))
        content = self._services.catalogue.get(name)
        if not found.elements:
            hint = self._nearest(content, stream, reference)
            raise NotFoundError(f"{element!r} matches nothing in {stream!r} of {name!r}{hint}")
        return content, found

    def _find(
        self, name: str, stream: str, reference: MediaReference, query: ElementQuery
    ) -> tuple[Found, bool]:
        """What is found now, and whether more may come."""
        terms, page = query.terms(self._services.settings.time_tolerance_ms), query.page()
        if stream == ALL:
            content = self._services.catalogue.get(name)
            streams = all_timed(content)
            is_open = any(one.index not in content.ended for one in streams)
            return self._services.look_up_all.find(streams, reference, terms, page), is_open
        content, index = self._services.stream(name, stream)
        found = self._services.look_up.find(timed(content, index), reference, terms, page)
        return found, index not in content.ended

    def _nearest(self, content: Content, stream: str, reference: MediaReference) -> str:
        """What a time that finds nothing has missed, as the end of a sentence; empty if that says nothing."""
        if stream == ALL or not isinstance(reference, Times) or is_range(reference):
            return ""
        content, index = self._services.stream(content.name, stream)
        one = timed(content, index)
        nearest = self._services.look_up.nearest(one.number, one.ticks(reference.first))
        if nearest is None or one.time_base is None:
            return ""
        seconds = float(pts_of(nearest) * one.time_base)
        return f"; the nearest element is at {seconds:g}s (tolerance_ms and key reach farther)"

    def _mixed(self, content: Content, found: Found, with_ids: bool) -> tuple[Found, Response]:
        """As much of what was found as goes on one page, with its payload."""
        count = mixed.fitting(found.elements)
        fitting = Found(found.elements[:count], found.has_more or count < len(found.elements))
        documents = [element_document(content, each, with_ids) for each in fitting.elements]
        return fitting, mixed.mixed_answer(self._services.store, fitting.elements, documents)


def _check_reads_payload(query: ElementQuery) -> None:
    """Raise MalformedError for parameters that mean something for descriptions only."""
    others = sorted(query.model_fields_set - PayloadReadQuery.model_fields.keys())
    if others:
        known = ", ".join(PayloadReadQuery.model_fields)
        raise MalformedError(f"{', '.join(others)}: not possible for a payload; known are {known}")


def _read_reference(text: str) -> MediaReference:
    """What is asked for. A file, such as ``2s.gif``, would have been made by a rule before."""
    try:
        return parse_reference(text)
    except MalformedError as error:
        ending = PurePosixPath(text.removesuffix(".json")).suffix
        if not ending[1:].isalpha():
            raise
        raise MalformedError(f"{error.detail}; and no rule makes {ending} here", **error.facts) from None


def _redirect(content: Content, stored: StoredElement) -> Response:
    headers = {"Location": element_address(content, stored), "Cache-Control": "no-store"}
    if index_of(content, stored) in content.ended:
        headers[CLOSED] = "true"
    return Response(status=302, headers=headers)
