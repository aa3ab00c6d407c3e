"""``DELETE`` of elements by references that mean the same when the request is repeated."""

from __future__ import annotations

from flask import Response

from jobengine.contents.catalogue import Content
from jobengine.errors import MalformedError, NotFoundError
from jobengine.model.element import PTS_MAX, PTS_MIN, ElementKind
from jobengine.model.media_reference import (
    LAST,
    Direct,
    MediaReference,
    Places,
    Stamps,
    Times,
    parse_reference,
)
from jobengine.ports.contents import DeleteElements
from jobengine.rest.api import Call, json_response
from jobengine.rest.beams.content_streams import timed
from jobengine.rest.beams.parameters import MAX_LIMIT, ElementQuery, ElementRemovalQuery
from jobengine.rest.beams.path import variable
from jobengine.rest.beams.payload_reading import split_raw
from jobengine.rest.beams.payloads import PayloadRoutes
from jobengine.rest.beams.revisions import refuse_conditions
from jobengine.rest.beams.services import BeamServices


class ElementRemoval:
    """Takes elements out of a stream."""

    def __init__(self, services: BeamServices, payloads: PayloadRoutes) -> None:
        self._services = services
        self._payloads = payloads

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
        content, index = self._services.stream(variable(call, "content"), variable(call, "stream"))
        number = content.stream_number(index)
        first, last, kind = self._span(content, index, reference, call.query)
        if call.query.dry_run:
            return json_response({"deleted": self._count(number, first, last, kind)})
        (outcome,) = self._services.store.commit([DeleteElements(number, first, last, kind)])
        if not outcome.changed:
            raise NotFoundError(f"{element!r} matches nothing in stream {index} of {content.name!r}")
        return json_response({"deleted": outcome.changed})

    def _span(
        self, content: Content, index: int, reference: MediaReference, query: ElementRemovalQuery
    ) -> tuple[int, int, ElementKind | None]:
        match reference:
            case Direct(kind, pts):
                return pts, pts, kind
            case Stamps(is_fuzzy=False) | Times():
                default_ms = self._services.settings.time_tolerance_ms
                terms = ElementQuery(tolerance_ms=query.tolerance_ms).terms(default_ms)
                span = self._services.look_up.span(timed(content, index), reference, terms)
                return span.first, span.last, None
            case Places(0, last) if last == LAST:
                return PTS_MIN, PTS_MAX, None
        raise MalformedError(
            f"elements are removed by packet_P, frame_P, pts, real time or first-last, not by {reference}"
        )

    def _count(self, stream: int, first: int, last: int, kind: ElementKind | None) -> int:
        counted = offset = 0
        while first <= last:
            page = self._services.store.range(stream, first, last, offset, MAX_LIMIT)
            counted += sum(kind in (None, each.element.kind) for each in page)
            offset += len(page)
            if len(page) < MAX_LIMIT:
                break
        return counted
