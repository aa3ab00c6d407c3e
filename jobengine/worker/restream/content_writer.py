"""A stream of a content as the target of a sink: a copy within the store, each element once however often it
is sent. The content and its stream are made if they are not there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from jobengine.clock import Clock
from jobengine.contents.catalogue import Catalogue
from jobengine.errors import ConflictError, SinkError
from jobengine.ports.contents import ContentStore, PutElement
from jobengine.ports.sink import SinkStream
from jobengine.worker.restream.grouped_sink import Offered

_RACES = 10


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
    document = {**stream.document, "index": index}
    for _ in range(_RACES):
        content = catalogue.find(name)
        try:
            if content is None:
                content = catalogue.create(name, stream.format, [*[None] * index, document])
            elif index >= len(content.streams) or content.streams[index] is None:
                streams = [*content.streams, *[None] * (index + 1 - len(content.streams))]
                streams[index] = document
                content = catalogue.change(replace(content, streams=tuple(streams)), content.revision)
        except ConflictError:
            continue
        return content.stream_number(index)
    raise SinkError(f"stream {index} of content {name!r} could not be made beside {_RACES} others")
