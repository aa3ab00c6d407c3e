"""The streams of contents that sources are recorded into, found or made when a source first says something.

A stream says in its metadata which source it is of, so another worker or job goes on with it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any
from urllib.parse import quote

import msgspec

from jobengine.contents.catalogue import MAX_STREAMS, Catalogue, Content, Limits, new_content
from jobengine.contents.sources import source_write
from jobengine.errors import JobEngineError, MalformedError
from jobengine.messaging.sockets.codec import Record
from jobengine.model.beam.formats import FormatDocument, check_name
from jobengine.model.beam.streams import StreamDocument
from jobengine.model.beam.values import read_document
from jobengine.model.element import Element
from jobengine.model.ingest import SOURCE_PLACEHOLDER, IngestSpec
from jobengine.ports.contents import ContentStore

Json = Any
_SOURCE = "source"
_SOURCE_BYTES_MAX = 255
_FORMAT: Mapping[str, Json] = {"type": "format", "interleaved": True}


class SourceRefused(ValueError):
    """A source that can't be recorded; the text is a sentence."""


@dataclass(slots=True)
class Track:
    """One source and the stream of a content that it is recorded into."""

    content: str
    index: int
    number: int
    time_base: Fraction | None
    last_pts: int | None
    first_pts: int | None = None
    elements: int = 0

    @property
    def url(self) -> str:
        """The stream's address in the Content Beam API."""
        return f"/beams/{quote(self.content, safe='')}/stream_{self.index}"

    def place(self, record: Record, element: Element) -> Element:
        """The element on the time base of the stream, if its own is another; ends stand at the last pts."""
        base = _time_base(record.stream)
        if base is not None and self.time_base is not None and base != self.time_base:
            factor = base / self.time_base
            element = msgspec.structs.replace(
                element,
                pts=_scaled(element.pts, factor),
                dts=_scaled(element.dts, factor),
                duration=_scaled(element.duration, factor),
            )
        if element.pts is None and self.last_pts is not None:
            element = msgspec.structs.replace(element, pts=self.last_pts)
        if element.pts is not None:
            self.last_pts = element.pts
            self.first_pts = element.pts if self.first_pts is None else self.first_pts
        return element

    def ended(self, content: Content | None) -> Content | None:
        """The content with this stream ended; None if that was deleted."""
        if content is None or not content.has(self.index, self.number):
            return None
        return replace(content, ended=content.ended | {self.index})

    def media_us(self) -> int:
        """Media time since the first element that this worker saw, in microseconds."""
        if self.time_base is None or self.first_pts is None or self.last_pts is None:
            return 0
        return max(0, int((self.last_pts - self.first_pts) * self.time_base * 1_000_000))


class Tracks:
    """All sources of one job. ``store`` stays the caller's."""

    def __init__(self, store: ContentStore, catalogue: Catalogue, spec: IngestSpec) -> None:
        self._store = store
        self._catalogue = catalogue
        self._spec = spec
        retention = spec.retention
        self._limits = Limits(retention.payload_age_s, retention.payload_bytes) if retention else Limits()
        self._tracks: dict[str, Track] = {}

    def __iter__(self) -> Iterator[Track]:
        return iter(self._tracks.values())

    def of(self, record: Record) -> Track:
        """The track of a record's source. Raises SourceRefused for a name that no content can have."""
        track = self._tracks.get(record.source)
        if track is None:
            track = self._tracks[record.source] = self._open(record)
        elif track.time_base is None and record.stream:
            self._describe(track, record)
        return track

    def forget(self, numbers: Collection[int]) -> list[Track]:
        """Let go of the tracks to these streams, which were deleted: `of` makes them anew."""
        gone = {source: track for source, track in self._tracks.items() if track.number in numbers}
        for source in gone:
            del self._tracks[source]
        return list(gone.values())

    def close(self) -> None:
        """Say of every stream that is still there that nothing more will come."""
        for track in self._tracks.values():
            self._catalogue.change_until(track.content, track.ended)

    def _open(self, record: Record) -> Track:
        if len(self._tracks) >= self._spec.max_sources:
            raise SourceRefused(f"is one more than the {self._spec.max_sources} sources of this job")
        name = self._name_for(record.source)
        content_format = _format(record)
        index = 0

        def with_stream(content: Content | None) -> Content:
            nonlocal index
            content = content or new_content(name, content_format, self._limits)
            found = _find(content, record.source)
            index = len(content.streams) if found is None else found
            if index >= MAX_STREAMS:
                raise SourceRefused(f"is one stream more than content {name!r} can hold")
            streams = content.streams if found is not None else (*content.streams, _document(record, index))
            return replace(content, streams=streams, ended=content.ended - {index})

        content = self._catalogue.change_until(name, with_stream)
        self._store.commit([source_write(record.source, name, index)])
        number = content.stream_number(index)
        facts = self._store.facts(number)
        base = _time_base(content.streams[index] or {})
        return Track(name, index, number, base, facts.last_pts)

    def _name_for(self, source: str) -> str:
        name = self._spec.content.replace(SOURCE_PLACEHOLDER, source)
        if not source or not source.isprintable() or len(source.encode()) > _SOURCE_BYTES_MAX:
            raise SourceRefused(f"has no printable name of at most {_SOURCE_BYTES_MAX} bytes")
        try:
            check_name(name)
        except JobEngineError as refused:
            raise SourceRefused(refused.detail) from refused
        return name

    def _describe(self, track: Track, record: Record) -> None:
        def described(content: Content | None) -> Content | None:
            if content is None or not content.has(track.index, track.number):
                return None
            streams = list(content.streams)
            streams[track.index] = _document(record, track.index)
            return replace(content, streams=tuple(streams))

        self._catalogue.change_until(track.content, described)
        track.time_base = _time_base(record.stream)


def _find(content: Content, source: str) -> int | None:
    for index, stream in enumerate(content.streams):
        if ((stream or {}).get("metadata") or {}).get(_SOURCE) == source:
            return index
    return None


def _format(record: Record) -> Mapping[str, Json]:
    said = {**_FORMAT, **record.format, "streams": ()}
    try:
        return {key: value for key, value in read_document(FormatDocument, said).document().items() if value}
    except MalformedError as refused:
        raise SourceRefused(f"describes its container wrongly: {refused.detail}") from refused


def _document(record: Record, index: int) -> dict[str, Json]:
    try:
        said = read_document(StreamDocument, {"type": "Stream", **record.stream}).document()
    except MalformedError as refused:
        raise SourceRefused(f"describes itself wrongly: {refused.detail}") from refused
    return {**said, "index": index, "metadata": {**(said.get("metadata") or {}), _SOURCE: record.source}}


def _time_base(stream: Mapping[str, Json]) -> Fraction | None:
    match stream.get("time_base"):
        case [int(numerator), int(denominator)] if numerator > 0 and denominator > 0:
            return Fraction(numerator, denominator)
        case _:
            return None


def _scaled(ticks: int | None, factor: Fraction) -> int | None:
    return None if ticks is None else round(ticks * factor)
