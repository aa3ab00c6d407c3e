"""``/beams/{content}/{stream}/{reference}/{data}``: payloads, whole or plane by plane."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from flask import Response, request
from werkzeug.exceptions import RequestedRangeNotSatisfiable

from jobengine.clock import to_us
from jobengine.contents.stream_names import stream_index
from jobengine.errors import ConflictError, MalformedError, NotFoundError, RevisionMismatch
from jobengine.model.element import ElementKind, PayloadState, StoredElement
from jobengine.model.media_reference import Direct, Stamps, parse_reference
from jobengine.ports.contents import DropPayloads, KeepPayload, PutPlanes
from jobengine.rest.api import Answer, Api, Call, Route
from jobengine.rest.auth import Role
from jobengine.rest.beams.bodies import read_octets
from jobengine.rest.beams.parameters import BeamQuery, PayloadQuery, PayloadReadQuery
from jobengine.rest.beams.path import variable
from jobengine.rest.beams.payload_answer import OCTETS, Conditions, answer_payload
from jobengine.rest.beams.payload_reading import plane_index
from jobengine.rest.beams.revisions import refuse_conditions
from jobengine.rest.beams.services import BeamServices
from jobengine.rest.beams.streams import STREAM

PAYLOAD = f"{STREAM}/<reference>/<data>"
SIZE, SIZES = "Beam-Buf-Size", "Beam-Buf-Sizes"
MAX_PLANES = 64
_HEADERS = ("Beam-PTS", "Beam-Data-Index", SIZES, "ETag", "Accept-Ranges")


class PayloadRoutes:
    """The bytes of elements."""

    def __init__(self, services: BeamServices) -> None:
        self._services = services

    def get(self, call: Call[PayloadReadQuery]) -> Response:
        """Read the payload of a packet or a frame: `data` for all of it, `data_1` for one plane.

        A payload that is not kept any more is a 404, since it may come back. Byte ranges are answered. With
        `keep_s` a payload that has an end stays so long from now on at least; that takes the role operator.
        """
        return self.read(call, variable(call, "reference"), variable(call, "data"))

    def read(self, call: Call[Any], element: str, data: str) -> Response:
        """Answer a payload, and renew it if the query, which is a `PayloadReadQuery`, says so."""
        keep_s: float | None = call.query.keep_s
        if keep_s is not None:
            call.actor.need(Role.OPERATOR)
        name, stream = variable(call, "content"), variable(call, "stream")
        response = self._answer(name, stream, element, data)
        if keep_s is not None and request.method == "GET":
            self._keep(name, stream, _place(element), keep_s)
        return response

    def _keep(self, name: str, stream: str, at: Direct, keep_s: float) -> None:
        content = self._services.catalogue.get(name)
        number = content.stream_number(stream_index(content, stream))
        until_us = to_us(self._services.clock.now() + timedelta(seconds=keep_s))
        self._services.store.commit([KeepPayload(number, at.kind, at.pts, until_us)])

    def _answer(self, name: str, stream: str, element: str, data: str) -> Response:
        """The payload as an answer. Raises RequestedRangeNotSatisfiable and RevisionMismatch beside what its
        reader raises."""
        payload = self._services.payloads.read(self._services.catalogue.get(name), stream, element, data)
        given = request.headers
        names = ("Range", "If-Range", "If-None-Match", "If-Match")
        values = (given.get(name, "") for name in names)
        answer = answer_payload(payload, Conditions(request.method, *values))
        if answer.status == 412:
            tag = answer.headers["ETag"]
            raise RevisionMismatch(f"the payload has the entity tag {tag}", revision=tag)
        if answer.status == 416:
            length = sum(len(plane) for plane in payload.planes)
            raise RequestedRangeNotSatisfiable(length, description=f"the payload has {length} bytes")
        body = [] if request.method == "HEAD" else [b"".join(answer.body)]  # as bytes it would say its length
        return Response(body, status=answer.status, headers=answer.headers)

    def put(self, call: Call[PayloadQuery]) -> Response:
        """Store the payload of a packet or a frame whose description is there; 201 if it had none.

        `Beam-Buf-Size` cuts the body of a packet to that length; `Beam-Buf-Sizes` divides the body into the
        planes of a frame, whose description says their sizes otherwise.
        """
        return self.put_data(call, variable(call, "reference"), variable(call, "data"))

    def put_data(self, call: Call[PayloadQuery], element: str, data: str) -> Response:
        """Store the body as payload."""
        refuse_conditions()
        plane = plane_index(data)
        at = _place(element)
        body = memoryview(read_octets(self._services.settings.max_payload_bytes))
        sizes = _sizes(at.kind)
        if sizes is not None and sum(sizes) > len(body):
            raise MalformedError(f"the sizes make {sum(sizes)} bytes, but the body has {len(body)}")
        content, index = self._services.stream(variable(call, "content"), variable(call, "stream"))
        number = content.stream_number(index)
        stored = self._services.look_up.direct(number, at.kind, at.pts)
        if stored is None:
            raise NotFoundError(f"there is no {at} in stream {index} of {content.name!r}; put that first")
        if request.content_length is None:
            _check_whole(stored, plane, len(body), sizes)
        planes = _divide(stored, at, plane, body, sizes)
        if at.kind is ElementKind.FRAME:
            _check_lengths(stored, at, planes)
        put = PutPlanes(number, at.kind, at.pts, planes, self.expires_us(at.kind, call.query.expires_s))
        (outcome,) = self._services.store.commit([put])
        return Response(status=201 if outcome.created else 200)

    def delete(self, call: Call[BeamQuery]) -> Response:
        """Let the payload of a packet or a frame go; its description stays."""
        return self.drop(call, variable(call, "reference"), variable(call, "data"))

    def drop(self, call: Call[Any], element: str, data: str) -> Response:
        """Let a payload go."""
        refuse_conditions()
        if plane_index(data) is not None:
            raise MalformedError("a payload is written as a whole: address it as data or .raw")
        at = _place(element)
        content = self._services.catalogue.get(variable(call, "content"))
        number = content.stream_number(stream_index(content, variable(call, "stream")))
        (outcome,) = self._services.store.commit([DropPayloads(number, at.pts, at.pts, at.kind)])
        if not outcome.changed:
            stored = self._services.look_up.direct(number, at.kind, at.pts)
            if stored is not None and stored.payload is PayloadState.HERE:
                raise ConflictError(f"a job is reading the payload of {at}; try again when it has read on")
            raise NotFoundError(f"{at} has no payload")
        return Response(status=204)

    def expires_us(self, kind: ElementKind, given_s: float | None) -> int | None:
        """When a payload that comes now may go."""
        settings = self._services.settings
        default_s = settings.packet_lifetime_s if kind is ElementKind.PACKET else settings.frame_lifetime_s
        lifetime_s = default_s if given_s is None else given_s
        if lifetime_s is None:
            return None
        return to_us(self._services.clock.now() + timedelta(seconds=lifetime_s))


def _place(element: str) -> Direct:
    """The element whose payload is meant; a bare pts if a header of the request tells its kind."""
    reference = parse_reference(element)
    if isinstance(reference, Stamps) and reference.last is None and not reference.is_fuzzy:
        for header, kind in ((SIZE, ElementKind.PACKET), (SIZES, ElementKind.FRAME)):
            if header in request.headers:
                return Direct(kind, reference.first)
    if not isinstance(reference, Direct):
        raise MalformedError(f"payload belongs to packet_P or frame_P; {element!r} does not say which")
    return reference


def _sizes(kind: ElementKind) -> list[int] | None:
    """What the request says of sizes; None if nothing. Raises MalformedError."""
    name = SIZE if kind is ElementKind.PACKET else SIZES
    text = request.headers.get(name)
    if text is None:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise MalformedError(f"{name} is {text[:80]!r}, which is not JSON") from None
    sizes = value if isinstance(value, list) else [value]
    if not 1 <= len(sizes) <= MAX_PLANES or not all(type(size) is int and size >= 0 for size in sizes):
        raise MalformedError(f"{name} must be {'a length' if name == SIZE else 'a list of lengths'} in bytes")
    if kind is ElementKind.PACKET and len(sizes) > 1:
        raise MalformedError(f"{SIZE} must be one length: a packet has one plane")
    return sizes


def _check_whole(stored: StoredElement, plane: int | None, length: int, sizes: list[int] | None) -> None:
    """Refuse a body that came in chunks and is shorter than what is described: the server doesn't tell a
    last chunk from a client that went away. Raises MalformedError."""
    declared = stored.element.plane_sizes
    wanted = sum(declared) if plane is None else sum(declared[plane : plane + 1])
    if sizes is None and length < wanted:
        raise MalformedError(
            f"the body came in chunks and ended after {length} of {wanted} described bytes; if that is all, "
            "send Content-Length"
        )


def _divide(
    stored: StoredElement, at: Direct, plane: int | None, body: memoryview, sizes: list[int] | None
) -> Mapping[int, memoryview]:
    """The planes that the body brings."""
    declared = stored.element.plane_sizes
    if at.kind is ElementKind.PACKET:
        if plane:
            raise MalformedError(f"a packet has one plane, 0, not {plane}")
        return {0: body[: sizes[0]] if sizes else body}
    if plane is not None:
        if declared and plane >= len(declared):
            raise MalformedError(f"{at} has the planes 0 to {len(declared) - 1}, not {plane}")
        if sizes and len(sizes) > 1:
            raise MalformedError(f"{SIZES} lists {len(sizes)} planes, but the address names one")
        return {plane: body[: sizes[0]] if sizes else body}
    if sizes is None:
        sizes = list(declared) or [len(body)]
        if sum(sizes) != len(body):
            raise MalformedError(
                f"the planes of {at} have {sum(sizes)} bytes together, but the body has {len(body)}"
            )
    if declared and len(sizes) != len(declared):
        raise MalformedError(f"{at} has {len(declared)} planes, but {SIZES} lists {len(sizes)}")
    planes, begin = {}, 0
    for index, size in enumerate(sizes):
        planes[index] = body[begin : begin + size]
        begin += size
    return planes


def _check_lengths(stored: StoredElement, at: Direct, planes: Mapping[int, memoryview]) -> None:
    """Raise MalformedError for planes that are shorter than they are described."""
    declared = stored.element.plane_sizes
    for index, plane in planes.items():
        if index < len(declared) and len(plane) < declared[index]:
            described = f"plane {index} of {at} is described with {declared[index]} bytes"
            raise MalformedError(f"{described}, but {len(plane)} were sent for it")


def install(api: Api, services: BeamServices) -> PayloadRoutes:
    """Add the routes."""
    r = PayloadRoutes(services)
    tag, writing = "beams", Role.OPERATOR
    whole = Answer("The payload", media_type=OCTETS, headers=_HEADERS)
    part = Answer("A range of it", media_type=OCTETS, headers=(*_HEADERS, "Content-Range"))
    same = Answer("Not changed", media_type="")
    got = {200: whole, 206: part, 304: same}
    stored = {200: Answer("Replaced", media_type=""), 201: Answer("Stored", media_type="")}
    gone = {204: Answer("Let go", media_type="")}
    api.add(
        Route("GET", PAYLOAD, r.get, "getPayload", tag, got, PayloadReadQuery, problems=(412, 416)),
        Route(
            "PUT",
            PAYLOAD,
            r.put,
            "putPayload",
            tag,
            stored,
            PayloadQuery,
            None,
            writing,
            (413, 507),
            (OCTETS,),
        ),
        Route("DELETE", PAYLOAD, r.delete, "deletePayload", tag, gone, BeamQuery, None, writing, (409,)),
    )
    return r
