"""A stream of a content as a sink: a copy within the store, each element once however often it is sent.

Elements are committed in groups, by a thread that all jobs of the process share, because a commit waits
for the disk. The content and its stream are made with the first element if they are not there.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor, Future
from dataclasses import replace

from jobengine.clock import Clock
from jobengine.contents.catalogue import Catalogue
from jobengine.errors import ConflictError, JobEngineError, SinkError
from jobengine.model.element import Element, ElementKind
from jobengine.model.message import Message, message_attributes
from jobengine.ports.contents import Buffer, ContentStore, Outcome, PutElement
from jobengine.ports.sink import SinkStream

GROUP = 256
GROUP_BYTES = 8 << 20
_RACES = 10


class ContentSink:
    """A `jobengine.ports.sink.Sink` that appends to ``place`` (content name, stream index)."""

    def __init__(
        self,
        store: ContentStore,
        clock: Clock,
        committer: Executor,
        place: tuple[str, int],
        stream: SinkStream,
    ) -> None:
        self._store = store
        self._committer = committer
        self._name = place[0]
        self._number = _stream_number(Catalogue(store, clock), place, stream)
        self._waiting: list[PutElement] = []
        self._waiting_bytes = 0
        self._commit: Future[list[Outcome]] | None = None
        self._committing = 0
        self.is_ready = True
        self.delivered = 0
        self.retries = 0
        self.descriptors: Sequence[int] = ()

    @property
    def safe(self) -> int:
        """What is committed stays."""
        return self.delivered

    def offer(self, element: Element, planes: Sequence[Buffer]) -> bool:
        if len(self._waiting) >= GROUP or self._waiting_bytes >= GROUP_BYTES:
            self.poll()
        if len(self._waiting) >= GROUP or self._waiting_bytes >= GROUP_BYTES:
            return False
        self._waiting.append(PutElement(self._number, element, planes or None))
        self._waiting_bytes += sum(len(plane) for plane in planes)
        if self._commit is None:
            self._begin()
        return True

    def offer_end(self, labels: Sequence[str]) -> bool:
        attributes = message_attributes(Message.END_OF_STREAM, labels)
        return self.offer(Element(ElementKind.PACKET, None, attributes=attributes), ())

    def poll(self) -> None:
        if self._commit is None or not self._commit.done():
            return
        self._end()
        if self._waiting:
            self._begin()

    def close(self) -> None:
        """Wait for the commit that is under way; what waits behind it is dropped."""
        self._waiting.clear()
        if self._commit is not None:
            self._end()

    def _begin(self) -> None:
        group, self._waiting, self._waiting_bytes = self._waiting, [], 0
        self._committing = len(group)
        self._commit = self._committer.submit(self._store.commit, group)

    def _end(self) -> None:
        commit, self._commit = self._commit, None
        if commit is None:
            return
        try:
            commit.result()
        except JobEngineError as error:
            raise SinkError(f"content {self._name!r} can't be written: {error.detail}") from error
        self.delivered += self._committing


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
