"""A stream as lines of JSON: first a Format document with its one stream, then one element a line.

An element's line is its Packet or Frame document with its ``id``, and the payload under ``data`` (base64; a
list of it where there are several planes). Without ``data`` the payload was not sent. So the lines of the
elements are a batch of the Beam API (``application/x-ndjson``) as they stand. A last line that does not end
with a newline is not complete.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from jobengine.model.beam.elements import to_document
from jobengine.model.element import Element

Json = Any
Buffer = bytes | bytearray | memoryview
ENDING = ".ndjson"
MEDIA_TYPE = "application/x-ndjson"
_encode = msgspec.json.Encoder().encode
_FORMAT_TYPES = ("format", "demuxer", "muxer")


def one_stream_format(
    stored_format: Mapping[str, Json], stored_stream: Mapping[str, Json], index: int, **members: Json
) -> dict[str, Json]:
    """The Format document of a copy that has one stream only; ``members`` are said beside."""
    kind = stored_format.get("type")
    stream = {"type": "Stream", **stored_stream, "index": index}
    return {
        **{name: member for name, member in stored_format.items() if name != "url"},
        "type": kind if kind in _FORMAT_TYPES else _FORMAT_TYPES[0],
        "streams": [stream],
        **members,
    }


def line_of_format(document: Mapping[str, Json]) -> bytes:
    """The first line."""
    return _encode(document) + b"\n"


def line_of_element(element: Element, planes: Sequence[Buffer]) -> bytes:
    """The line of an element of stream 0."""
    document = to_document(element, 0, with_id=True)
    if planes:
        data = [b64encode(plane).decode() for plane in planes]
        document["data"] = data if len(data) > 1 else data[0]
    return _encode(document) + b"\n"
