"""``PUT /beams/{content}/{stream}/elements``: many elements and payloads in one commit, all or none."""

from __future__ import annotations

from base64 import b64decode
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from flask import Response, request

from jobengine.contents.catalogue import Content
from jobengine.contents.stream_names import ALL
from jobengine.errors import Fault, MalformedError, NotFoundError
from jobengine.model.beam.elements import read_element, to_element
from jobengine.model.beam.values import malformed
from jobengine.model.element import Element, ElementKind
from jobengine.ports.contents import Buffer, Outcome, PutElement, PutMode
from jobengine.rest.api import Answer, Api, Call, Route, json_response
from jobengine.rest.auth import Role
from jobengine.rest.beams.bodies import parse_json
from jobengine.rest.beams.content_streams import refuse_closed
from jobengine.rest.beams.multipart import read_parts
from jobengine.rest.beams.parameters import BatchQuery
from jobengine.rest.beams.path import stream_name, variable
from jobengine.rest.beams.payload_answer import OCTETS
from jobengine.rest.beams.payloads import PayloadRoutes
from jobengine.rest.beams.revisions import refuse_conditions
from jobengine.rest.beams.services import BeamServices
from jobengine.rest.beams.shapes import BatchShape
from jobengine.rest.beams.streams import STREAM
from jobengine.rest.body import read_bytes

Json = Any
ELEMENTS = f"{STREAM}/elements"
NDJSON, MULTIPART = "application/x-ndjson", "multipart/mixed"
MAX_ELEMENTS = 100_000


class Brought(msgspec.Struct, frozen=True, gc=False):
    """One element of a batch; ``planes`` None: its description only."""

    element: Element
    stream_index: int | None
    planes: Sequence[Buffer] | None


class BatchRoutes:
    """Batches into one stream, or into all: then each element says its ``stream_index``."""

    def __init__(self, services: BeamServices, payloads: PayloadRoutes) -> None:
        self._services = services
        self._payloads = payloads

    def put(self, call: Call[BatchQuery]) -> Response:
        """Store many packets and frames, with or without payload, in one commit: all of them or none.

        The body is `application/x-ndjson`, one document a line, with the payload as `data` (base64, or a
        list of it, one for each plane); or `multipart/mixed`, where each `application/json` part is a
        document and the `application/octet-stream` parts after it are its planes.
        """
        refuse_conditions()
        limit, query = self._services.settings.max_batch_bytes, call.query
        brought = _read_lines(read_bytes(limit)) if _is_ndjson() else _read_mixed(read_bytes(limit))
        name, stream = variable(call, "content"), stream_name(call)
        is_all = stream == ALL
        services, only = self._services, None
        if is_all:
            content = services.catalogue.get(name)
        else:
            content, only = services.stream_to_write(name, stream)
        writes = []
        for place, each in enumerate(brought):
            if place >= MAX_ELEMENTS:
                raise MalformedError(f"a batch has {MAX_ELEMENTS} elements at most")
            index = _index(content, each, only, place)
            expires_us = self._payloads.expires_us(each.element.kind, query.expires_s)
            writes.append(
                PutElement(
                    content.stream_number(index), each.element, each.planes, PutMode(query.mode), expires_us
                )
            )
        counts = Counter(map(_what_happened, self._services.store.commit(writes) if writes else ()))
        return json_response({name: counts[name] for name in ("created", "replaced", "repeated")})


def _is_ndjson() -> bool:
    if request.mimetype not in (NDJSON, MULTIPART):
        raise MalformedError(
            f"a batch is {NDJSON} or {MULTIPART}, not {request.mimetype or 'without a type'}"
        )
    return request.mimetype == NDJSON


def _read_lines(body: bytes) -> Iterator[Brought]:
    for number, line in enumerate(body.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            value = parse_json(line)
        except MalformedError as error:
            raise _in_line(error, number) from None
        pointer = f"/{number - 1}"
        planes = None
        if isinstance(value, dict) and "data" in value:
            given = value.pop("data")
            planes = [_decoded(data, pointer) for data in (given if isinstance(given, list) else [given])]
        yield _brought(value, planes, pointer)


def _in_line(error: MalformedError, number: int) -> MalformedError:
    """What is wrong with a line, told by its place in the body."""
    place = f"line {number}"
    if "column" in error.facts:
        place += f", column {error.facts['column']}"
    text = error.detail.partition(" at line ")[0]
    return MalformedError(f"{place}: {text}", **{**error.facts, "line": number})


def _read_mixed(body: bytes) -> Iterator[Brought]:
    value: Json = None
    planes: list[Buffer] = []
    number = -1
    parts = read_parts(body, request.mimetype_params.get("boundary"))
    for place, (media_type, part) in enumerate(parts, 1):
        if media_type == "application/json":
            if number >= 0:
                yield _brought(value, planes or None, f"/{number}")
            value, planes, number = parse_json(bytes(part)), [], number + 1
        elif media_type == OCTETS and number >= 0:
            planes.append(part)
        else:
            wanted = "application/json" if number < 0 else f"application/json or {OCTETS}"
            raise MalformedError(f"part {place} must be {wanted}, not {media_type}")
    if number >= 0:
        yield _brought(value, planes or None, f"/{number}")


def _brought(value: Json, planes: Sequence[Buffer] | None, pointer: str) -> Brought:
    document = read_element(value, pointer)
    element = to_element(document)
    if planes is not None:
        sizes = tuple(len(plane) for plane in planes)
        declared = element.plane_sizes
        if not declared:
            element = msgspec.structs.replace(element, plane_sizes=sizes)
        if element.kind is ElementKind.PACKET and len(sizes) != 1 and not declared:
            text = f"a packet has one plane, not {len(sizes)}, unless buf_sizes says more"
            raise malformed([Fault(f"{pointer}/data", text)])
        if declared and (
            len(sizes) != len(declared) or any(s < d for s, d in zip(sizes, declared, strict=True))
        ):
            text = f"has {_lengths(sizes)} bytes, but {_lengths(declared)} are declared"
            raise malformed([Fault(f"{pointer}/data", text)])
    return Brought(element, document.stream_index, planes)


def _lengths(sizes: Sequence[int]) -> str:
    return " + ".join(map(str, sizes))


def _decoded(data: Json, pointer: str) -> bytes:
    if not isinstance(data, str):
        raise malformed([Fault(f"{pointer}/data", "must be text in base64, or a list of it")])
    try:
        return b64decode(data, validate=True)
    except ValueError as error:
        raise malformed([Fault(f"{pointer}/data", f"must be base64: {error}")]) from None


def _index(content: Content, brought: Brought, only: int | None, place: int) -> int:
    given, pointer = brought.stream_index, f"/{place}/stream_index"
    if only is not None:
        if given not in (None, only):
            raise malformed([Fault(pointer, f"is {given}, but the address means stream {only}")])
        return only
    if given is None:
        raise malformed([Fault(pointer, "must say the stream, since the address means all")])
    if given >= len(content.streams) or content.streams[given] is None:
        raise NotFoundError(f"{pointer}: content {content.name!r} has no stream {given}")
    refuse_closed(content, given)
    return given


def _what_happened(outcome: Outcome) -> str:
    if outcome.created:
        return "created"
    return "replaced" if outcome.changed else "repeated"


def install(api: Api, services: BeamServices, payloads: PayloadRoutes) -> None:
    """Add the route."""
    r = BatchRoutes(services, payloads)
    counted = {200: Answer("What became of them", BatchShape)}
    api.add(
        Route(
            "PUT",
            ELEMENTS,
            r.put,
            "putElements",
            "beams",
            counted,
            BatchQuery,
            None,
            Role.OPERATOR,
            (409, 413, 507),
            (NDJSON, MULTIPART),
        )
    )
