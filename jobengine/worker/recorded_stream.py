"""A stream of a contents store as a pipe records it.

Which job and which output graph write a stream stands in its metadata, so that a worker after a killed one
goes on after the last element that is there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any
from urllib.parse import quote, unquote

from jobengine.clock import Clock
from jobengine.contents.catalogue import MAX_STREAMS, Catalogue, Content, Wanted, new_content
from jobengine.errors import (
    ConflictError,
    DiskFull,
    JobEngineError,
    MediaError,
    StreamGone,
)
from jobengine.media.contents_port import RecordingWanted
from jobengine.media.media_element import Buffer
from jobengine.model.beam.formats import check_name
from jobengine.model.element import PTS_MAX, PTS_MIN, Element, StoredElement
from jobengine.ports.contents import ContentStore, DeleteElements, PutElement

Json = Any
_JOB, _GRAPH, _FIRST_PTS, _STREAM_RATE = "job", "graph", "first_pts", "stream_rate"
_URL = re.compile(r"/beams/(?P<name>[^/]+)/stream_(?P<index>[0-9]{1,9})")
_SAME = ("name", "sample_rate", "channels", "format")


class RecordedContent:
    """A `jobengine.media.contents_port.RecordedStream` over any store. ``store`` stays the caller's."""

    def __init__(self, store: ContentStore, clock: Clock, wanted: RecordingWanted, job_id: str) -> None:
        self._store = store
        self._catalogue = Catalogue(store, clock)
        self._wanted, self._job_id = wanted, job_id
        self._is_closed = False
        content, self._index = self._claim()
        self._number = content.stream_number(self._index)
        self._name = content.name
        metadata: Mapping[str, Json] = (content.streams[self._index] or {}).get("metadata") or {}
        self.first_pts = int(metadata.get(_FIRST_PTS, 0))
        self.url = f"/beams/{quote(content.name, safe='')}/stream_{self._index}"

    def append(self, elements: Sequence[tuple[Element, Sequence[Buffer]]]) -> None:
        try:
            self._store.commit([PutElement(self._number, element, planes) for element, planes in elements])
        except StreamGone:
            raise MediaError(f"content {self._name!r} was deleted while it was recorded") from None
        except DiskFull:
            raise
        except JobEngineError as error:
            raise MediaError(f"content {self._name!r} can't be recorded: {error.detail}") from error

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._change(self._ended)

    def _claim(self) -> tuple[Content, int]:
        """The content with the stream of this job and graph in it, open for writing."""
        wanted, index = self._wanted, 0

        def claimed(content: Content | None) -> Content:
            nonlocal index
            content = content or new_content(wanted.content, _FORMAT)
            found = find_stream(content, self._job_id, wanted.graph)
            if found is None:
                index = len(content.streams) if wanted.stream is None else wanted.stream
                streams = _put(content, index, self._joined(content, index))
            else:
                index, streams = found, list(content.streams)
            return replace(content, streams=tuple(streams), ended=content.ended - {index})

        return self._change(claimed), index

    def _change(self, change: Callable[[Content | None], Wanted]) -> Content | Wanted:
        try:
            return self._catalogue.change_until(self._wanted.content, change)
        except ConflictError as error:
            raise MediaError(error.detail) from error

    def _joined(self, content: Content, index: int) -> dict[str, Json]:
        """The stream's document; one that is there must hold the same sound, and is gone on with."""
        there = content.streams[index] if index < len(content.streams) else None
        if there is None:
            return self._document(index, 0)
        check_same(there, self._wanted.document, f"stream {index} of content {content.name!r}")
        last = self._store.range(content.stream_number(index), PTS_MIN, PTS_MAX, 0, 1, descending=True)
        return self._document(index, _end_of(last[0]) if last else 0)

    def _document(self, index: int, first_pts: int) -> dict[str, Json]:
        metadata = {
            _JOB: self._job_id,
            _GRAPH: self._wanted.graph,
            _FIRST_PTS: str(first_pts),
            _STREAM_RATE: str(self._wanted.stream_rate),
        }
        return {**self._wanted.document, "index": index, "metadata": metadata}

    def _ended(self, content: Content | None) -> Content | None:
        """Nothing, if the content was deleted, or made anew by another one."""
        if content is None or not content.has(self._index, self._number):
            return None
        return replace(content, ended=content.ended | {self._index})


_FORMAT: Mapping[str, Json] = {"type": "format", "interleaved": True}


def end_left(store: ContentStore, clock: Clock, job_id: str, url: str) -> None:
    """End the stream at ``url``, which a job that is over has left open. Blocks for the store.

    A stream that another job has taken up since is left alone, and so is what is no stream of ours. Raises
    UnavailableError, or ConflictError where others change the content all the time.
    """
    match = _URL.fullmatch(url)
    if match is None:
        return
    index = int(match["index"])

    def ended(content: Content | None) -> Content | None:
        stream = content.streams[index] if content and index < len(content.streams) else None
        if content is None or stream is None or (stream.get("metadata") or {}).get(_JOB, job_id) != job_id:
            return None
        return replace(content, ended=content.ended | {index})

    Catalogue(store, clock).change_until(unquote(match["name"]), ended)


def find_stream(content: Content, job_id: str, graph: str) -> int | None:
    """The stream that an output graph of a job writes."""
    for index, stream in enumerate(content.streams):
        metadata = (stream or {}).get("metadata") or {}
        if metadata.get(_JOB) == job_id and metadata.get(_GRAPH) == graph:
            return index
    return None


def recorded(store: ContentStore, content: Content, index: int) -> int:
    """How far on the stream clock of its job a stream goes, to the end of its last element."""
    last = store.range(content.stream_number(index), PTS_MIN, PTS_MAX, 0, 1, descending=True)
    return _position(content, index, _end_of(last[0])) if last else 0


def rewind(store: ContentStore, content: Content, index: int, position: int) -> int:
    """Take out what lies beyond ``position`` of the stream clock; the position to go on at, not after it."""
    stream = content.streams[index] or {}
    metadata = stream["metadata"]
    ticks = Fraction(position, int(metadata[_STREAM_RATE])) / Fraction(*stream["time_base"])
    pts = int(metadata[_FIRST_PTS]) + round(ticks)
    number = content.stream_number(index)
    before = store.range(number, PTS_MIN, pts - 1, 0, 1, descending=True)
    if before and _end_of(before[0]) > pts:
        pts = before[0].element.pts or 0
    store.commit([DeleteElements(number, pts, PTS_MAX)])
    return min(_position(content, index, pts), position)


def _position(content: Content, index: int, pts: int) -> int:
    stream = content.streams[index] or {}
    metadata = stream["metadata"]
    seconds = (pts - int(metadata[_FIRST_PTS])) * Fraction(*stream["time_base"])
    return max(round(seconds * int(metadata[_STREAM_RATE])), 0)


def _end_of(stored: StoredElement) -> int:
    return (stored.element.pts or 0) + (stored.element.duration or 0)


def check_name_and_place(name: str, stream: int | None) -> None:
    """Raise MediaError for a content's name or a stream's number that can't be."""
    try:
        check_name(name)
    except JobEngineError as error:
        raise MediaError(f"{name!r} can't be the name of a content: {error.detail}") from error
    if stream is not None and stream >= MAX_STREAMS:
        raise MediaError(f"stream {stream} is out of range; 0 to {MAX_STREAMS - 1} are possible")


def check_same(there: Mapping[str, Json], wanted: Mapping[str, Json], where: str) -> None:
    """Raise MediaError unless two streams hold sound of the same form."""
    if list(there.get("time_base") or ()) != list(wanted["time_base"]):
        raise MediaError(f"{where} has another time_base; record into another stream")
    known: Mapping[str, Json] = there.get("codecpar") or {}
    for member in _SAME:
        if known.get(member) != wanted["codecpar"].get(member):
            detail = f"{member} {known.get(member)}, not {wanted['codecpar'].get(member)}"
            raise MediaError(f"{where} has {detail}; record into another stream")


def _put(content: Content, index: int, document: dict[str, Json]) -> list[Mapping[str, Json] | None]:
    streams = list(content.streams) + [None] * (index + 1 - len(content.streams))
    streams[index] = document
    return streams
