"""Payload over HTTP: headers, entity tag, ranges. Knows no store, no address and no framework."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import xxhash

from jobengine.model.element import StoredElement
from jobengine.ports.contents import Buffer
from jobengine.rest.byte_range import bounds

OCTETS = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Payload:
    """What is to be sent. ``index``: which plane of a frame, None for all of it; ``sizes`` of its planes,
    None for a packet. ``element``: whose payload it is."""

    pts: int
    planes: Sequence[Buffer]
    element: StoredElement
    index: int | None = None
    sizes: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Conditions:
    """Method and headers of the request as they came; empty if they did not. Ranges are for GET alone."""

    method: str = "GET"
    range: str = ""
    if_range: str = ""
    if_none_match: str = ""
    if_match: str = ""


@dataclass(frozen=True, slots=True)
class PayloadAnswer:
    """Status (200, 206, 304, 412 or 416), headers, and the body in pieces that were not copied."""

    status: int
    headers: dict[str, str]
    body: tuple[Buffer, ...] = ()


def answer_payload(payload: Payload, conditions: Conditions) -> PayloadAnswer:
    """The answer to a GET or HEAD. A range that can't be read, or several, mean all of it (RFC 9110)."""
    length = sum(len(plane) for plane in payload.planes)
    tag = _entity_tag(payload.planes)
    headers = {"ETag": tag, "Accept-Ranges": "bytes", **_beam_headers(payload)}
    if conditions.if_match and not _is_one_of(conditions.if_match, tag):
        return PayloadAnswer(412, {"ETag": tag})
    if conditions.if_none_match and _knows(conditions.if_none_match, tag):
        return PayloadAnswer(304, headers)
    headers["Content-Type"] = OCTETS
    is_part = conditions.method == "GET" and conditions.if_range in ("", tag)
    part = bounds(conditions.range, length) if is_part else None
    if part is None:
        headers["Content-Length"] = str(length)
        return PayloadAnswer(200, headers, tuple(payload.planes))
    first, last = part
    if first > last:
        return PayloadAnswer(416, {"Content-Range": f"bytes */{length}", "Accept-Ranges": "bytes"})
    headers["Content-Range"] = f"bytes {first}-{last}/{length}"
    headers["Content-Length"] = str(last - first + 1)
    return PayloadAnswer(206, headers, _cut(payload.planes, first, last + 1))


def _beam_headers(payload: Payload) -> dict[str, str]:
    headers = {"Beam-PTS": str(payload.pts)}
    if payload.sizes is not None:
        headers["Beam-Data-Index"] = "" if payload.index is None else str(payload.index)
        headers["Beam-Buf-Sizes"] = f"[{','.join(map(str, payload.sizes))}]"
    return headers


def _entity_tag(planes: Sequence[Buffer]) -> str:
    """Of the bytes themselves: the same for whoever has them, and another as soon as they are."""
    digest = xxhash.xxh3_128()
    for plane in planes:
        digest.update(plane)
    return f'"{digest.hexdigest()}"'


def _is_one_of(if_match: str, tag: str) -> bool:
    """Whether these very bytes are meant: a weak tag never says so."""
    return any(each.strip() in ("*", tag) for each in if_match.split(","))


def _knows(if_none_match: str, tag: str) -> bool:
    tags = (each.strip().removeprefix("W/") for each in if_none_match.split(","))
    return any(each in ("*", tag) for each in tags)


def _cut(planes: Sequence[Buffer], first: int, end: int) -> tuple[Buffer, ...]:
    pieces, at = [], 0
    for plane in planes:
        begin, stop = max(first - at, 0), min(end - at, len(plane))
        if begin < stop:
            pieces.append(memoryview(plane)[begin:stop])
        at += len(plane)
    return tuple(pieces)
