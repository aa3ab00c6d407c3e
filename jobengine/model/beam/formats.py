"""Format documents: a content as a whole, its container and its streams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from jobengine.errors import Fault
from jobengine.model.beam.streams import StreamDocument
from jobengine.model.beam.values import (
    BeamModel,
    Binary,
    Flags,
    Int64,
    Options,
    Texts,
    malformed,
    read_document,
)

Json = Any
MAX_NAME_BYTES = 400


class FormatDocument(BeamModel):
    """A content. ``url`` is its name; ``payloadAgeS`` and ``payloadBytes`` bound the payload of a stream."""

    type: Literal["format", "demuxer", "muxer"]
    streams: tuple[StreamDocument, ...] = Field((), strict=False)
    url: str | None = None
    iformat: str | Options | None = None
    oformat: str | Options | None = None
    start_time: Int64 | None = None
    duration: Int64 | None = None
    bit_rate: Int64 | None = None
    metadata: Texts | None = None
    priv_data: Options | None = None
    flags: Flags | None = None
    probesize: Int64 | None = None
    max_delay: Int64 | None = None
    interleaved: bool | None = None
    protocol_whitelist: str | None = None
    key: Binary | None = None
    payloadAgeS: Annotated[float, Field(gt=0, le=1e12, strict=False)] | None = None
    payloadBytes: Annotated[int, Field(ge=0, le=2**63 - 1)] | None = None


def read_format(value: Json) -> FormatDocument:
    """A format with streams that have an index each. Raises MalformedError."""
    document = read_document(FormatDocument, value)
    if document.url:
        check_name(document.url)
    place_streams(document.streams)
    return document


def place_streams(streams: Sequence[StreamDocument]) -> list[dict[str, Json] | None]:
    """Stream documents by their index; one without index has that of its place in the list.

    Raises MalformedError for an index given twice, or one that would leave many numbers out.
    """
    placed: dict[int, dict[str, Json]] = {}
    for place, stream in enumerate(streams):
        index = place if stream.index is None else stream.index
        if index in placed:
            raise malformed([Fault(f"/streams/{place}/index", f"{index} is the index of another stream")])
        placed[index] = {"type": "Stream", **stream.document(), "index": index}
    return [placed.get(index) for index in range(max(placed, default=-1) + 1)]


def check_name(name: str) -> None:
    """Raise MalformedError for a name that no address could say."""
    fault = ""
    if len(name.encode()) > MAX_NAME_BYTES:
        fault = f"must have {MAX_NAME_BYTES} bytes of UTF-8 at most"
    elif name in (".", ".."):
        fault = f"can't be {name!r}: clients take it out of addresses"
    elif name.endswith("/"):
        fault = "can't end with '/': a slash at the end of an address means nothing"
    if fault:
        raise malformed([Fault("/url", fault)])
