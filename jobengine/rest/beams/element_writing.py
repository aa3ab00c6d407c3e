"""``PUT`` and ``POST`` of one element."""

from __future__ import annotations

from flask import Response

from jobengine.contents.catalogue import Content
from jobengine.errors import ConflictError, Fault, MalformedError, NotFoundError, RevisionMismatch
from jobengine.model.beam.elements import ElementDocument, PacketDocument, read_element, to_element
from jobengine.model.beam.values import malformed
from jobengine.model.element import ElementKind
from jobengine.model.media_reference import Direct, MediaReference, Stamps, parse_reference
from jobengine.ports.contents import Outcome, PutElement, PutMode
from jobengine.rest.api import Call, json_response
from jobengine.rest.beams.bodies import read_json
from jobengine.rest.beams.element_view import element_address, element_document
from jobengine.rest.beams.parameters import BeamQuery, PayloadQuery
from jobengine.rest.beams.path import variable
from jobengine.rest.beams.payload_reading import split_raw
from jobengine.rest.beams.payloads import PayloadRoutes
from jobengine.rest.beams.revisions import creates_only, refuse_conditions
from jobengine.rest.beams.services import BeamServices


class ElementWriting:
    """Packets and frames at a place, or at the end of a stream."""

    def __init__(self, services: BeamServices, payloads: PayloadRoutes) -> None:
        self._services = services
        self._payloads = payloads

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
        content, index = self._services.stream_to_write(variable(call, "content"), variable(call, "stream"))
        _check_index(document, index)
        read = to_element(document.model_copy(update={"pts": at.pts}))
        mode = PutMode.CREATE if creates_only() else PutMode.REPLACE
        number = content.stream_number(index)
        try:
            (outcome,) = self._services.store.commit([PutElement(number, read, mode=mode)])
        except ConflictError:
            if mode is PutMode.CREATE and self._services.look_up.direct(number, at.kind, at.pts):
                raise RevisionMismatch(f"there is {at} already") from None
            raise
        return self._stored(content, index, outcome, read.kind)

    def append(self, call: Call[BeamQuery]) -> Response:
        """Append a packet or a frame. Without `pts` it gets the next number of the stream.

        One whose `id` the stream has already changes nothing, so writers may repeat.
        """
        refuse_conditions()
        document = self._read()
        content, index = self._services.stream_to_write(variable(call, "content"), variable(call, "stream"))
        _check_index(document, index)
        read = to_element(document)
        put = PutElement(content.stream_number(index), read, mode=PutMode.APPEND)
        return self._stored(content, index, self._services.store.commit([put])[0], read.kind)

    def _read(self) -> ElementDocument:
        value, _ = read_json(self._services.max_document_bytes)
        return read_element(value)

    def _stored(self, content: Content, index: int, outcome: Outcome, kind: ElementKind) -> Response:
        stored = self._services.store.by_sequence(content.stream_number(index), outcome.sequence or 0)
        if stored is None:
            raise NotFoundError("the element was removed by another request meanwhile")
        response = json_response(element_document(content, stored, False), 201 if outcome.created else 200)
        response.headers["Location"] = element_address(content, stored)
        return response


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
