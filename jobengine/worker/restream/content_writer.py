"""A stream of a content as the target of a sink: a copy within the store, each element once however often it
is sent. The content and its stream are made if they are not there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from jobengine.clock import Clock
from jobengine.contents.catalogue import Catalogue, Content, new_content
from jobengine.errors import ConflictError, SinkError
from jobengine.ports.contents import ContentStore, PutElement
from jobengine.ports.sink import SinkStream
from jobengine.worker.restream.grouped_sink import Offered


class ContentWriter:
    """A `jobengine.worker.restream.grouped_sink.GroupWriter` that appends to ``place`` (content name, stream
    index). The store stays its opener's."""

    def __init__(self, store: ContentStore, clock: Clock, place: tuple[str, int], stream: SinkStream) -> None:
        self._store = store
        self._number = _stream_number(Catalogue(store, clock), place, stream)
        self.name = f"content {place[0]!r}"

    def write(self, group: Sequence[Offered]) -> int:
        self._store.commit([PutElement(self._number, each.element, each.planes or None) for each in group])
        return 0

    def close(self) -> None:
        """Nothing is held open."""


def _stream_number(catalogue: Catalogue, place: tuple[str, int], stream: SinkStream) -> int:
    """The store's number of the stream, which is made if it is not there."""
    name, index = place

    def with_stream(content: Content | None) -> Content:
        content = content or new_content(name, stream.format)
        streams = [*content.streams, *[None] * (index + 1 - len(content.streams))]
        streams[index] = streams[index] or {**stream.document, "index": index}
        return replace(content, streams=tuple(streams))

    try:
        return catalogue.change_until(name, with_stream).stream_number(index)
    except ConflictError as error:
        raise SinkError(f"stream {index} could not be made: {error.detail}") from error
