"""Between Format and Stream documents and the contents of the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from jobengine.contents.catalogue import Content, Limits
from jobengine.errors import ConflictError, Fault
from jobengine.model.beam.formats import FormatDocument, place_streams, read_format
from jobengine.model.beam.streams import StreamDocument, time_base_of
from jobengine.model.beam.values import malformed, read_document
from jobengine.ports.contents import ContentStore

Json = Any
_LIMITS = ("payloadAgeS", "payloadBytes")


@dataclass(frozen=True, slots=True)
class ReadFormat:
    """A format that was read: container, streams by index, how much is kept, which streams are closed."""

    format: Mapping[str, Json]
    streams: tuple[Mapping[str, Json] | None, ...]
    limits: Limits
    ended: frozenset[int]

    def onto(self, content: Content) -> Content:
        """``content`` with this format."""
        return replace(
            content, format=self.format, streams=self.streams, limits=self.limits, ended=self.ended
        )


def read_content(value: Json, name: str | None = None) -> tuple[FormatDocument, ReadFormat]:
    """A Format document for the content ``name``, if that is known. Raises MalformedError."""
    document = read_format(value)
    if name is not None and document.url not in (None, "", name):
        raise malformed([Fault("/url", f"is {document.url!r}, but the address says {name!r}")])
    members = document.document()
    for outside in ("streams", *_LIMITS):
        members.pop(outside, None)
    streams = place_streams(document.streams)
    ended = frozenset(index for index, stream in enumerate(streams) if stream and stream.get("closed"))
    bare = tuple(None if stream is None else _bare(stream) for stream in streams)
    limits = Limits(document.payloadAgeS, document.payloadBytes)
    return document, ReadFormat({**members, **({"url": name} if name else {})}, bare, limits, ended)


def read_stream(value: Json, index: int) -> tuple[Mapping[str, Json], bool]:
    """A Stream document for the stream ``index``, and whether it is closed. Raises MalformedError."""
    document = read_document(StreamDocument, value)
    if document.index not in (None, index):
        raise malformed([Fault("/index", f"is {document.index}, but the address means stream {index}")])
    return _bare({"type": "Stream", **document.document(), "index": index}), document.closed


def format_document(content: Content) -> dict[str, Json]:
    """The Format document of a content."""
    limits = dict(zip(_LIMITS, (content.limits.payload_age_s, content.limits.payload_bytes), strict=True))
    streams = [stream_document(content, i) for i, each in enumerate(content.streams) if each is not None]
    kept = {name: value for name, value in limits.items() if value is not None}
    return {**content.format, "streams": streams, **kept}


def stream_document(content: Content, index: int) -> dict[str, Json]:
    """The Stream document of one stream."""
    return {**(content.streams[index] or {}), **({"closed": True} if index in content.ended else {})}


def refuse_new_time_base(store: ContentStore, before: Content, after: Content) -> None:
    """Raise ConflictError if elements that are there would mean other moments."""
    for index, (old, new) in enumerate(zip(before.streams, after.streams, strict=False)):
        if old is None or new is None or time_base_of(old) == time_base_of(new):
            continue
        count = store.facts(before.stream_number(index)).count
        if count:
            raise ConflictError(f"the time_base of stream {index} can't change while it has {count} elements")


def _bare(stream: Mapping[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in stream.items() if name != "closed"}
