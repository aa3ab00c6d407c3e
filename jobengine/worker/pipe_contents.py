"""The contents that a pipe plays and records: `jobengine.media` and `jobengine.contents` meet here.

The store is opened when the first filter asks for it, so pipes without contents never do.
"""

from __future__ import annotations

from collections.abc import Iterator

from jobengine.clock import Clock
from jobengine.contents.catalogue import Catalogue, Content
from jobengine.contents.opening import open_store
from jobengine.errors import JobEngineError, MediaError
from jobengine.media.contents_port import PlayedStream, RecordedStream, RecordingWanted, StreamWanted
from jobengine.model.filters.content_writer import ContentWriter
from jobengine.model.pipe import PipeSpec
from jobengine.model.placeholder import fill_start_time
from jobengine.ports.contents import ContentStore
from jobengine.ports.work import WorkContext
from jobengine.worker.played_stream import PlayedContent
from jobengine.worker.recorded_stream import (
    RecordedContent,
    check_name_and_place,
    find_stream,
    recorded,
    rewind,
)


class PipeContents:
    """A `jobengine.media.contents_port.Contents` of one job. `close` closes the store."""

    def __init__(self, context: WorkContext, clock: Clock) -> None:
        self._context, self._clock = context, clock
        self._store: ContentStore | None = None

    def play(self, wanted: StreamWanted) -> PlayedStream:
        return PlayedContent(self._opened(), self._clock, wanted)

    def check_recording(self, content: str, stream: int | None) -> None:
        check_name_and_place(content, stream)
        self._opened()

    def record(self, wanted: RecordingWanted) -> RecordedStream:
        check_name_and_place(wanted.content, wanted.stream)
        return RecordedContent(self._opened(), self._clock, wanted, self._context.job_id)

    def recorded(self, specification: PipeSpec) -> dict[str, int]:
        """By output graph: how far on the stream clock the store holds what this job has recorded."""
        return {
            graph: recorded(self._opened(), content, index)
            for graph, content, index in self._begun(specification)
        }

    def rewind(self, specification: PipeSpec, position: int) -> int:
        """Take out what was recorded after ``position``; where to go on, at the beginning of an element."""
        for _, content, index in self._begun(specification):
            position = rewind(self._opened(), content, index, position)
        return position

    def close(self) -> None:
        """Close the store if it was opened. Idempotent."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def _begun(self, specification: PipeSpec) -> Iterator[tuple[str, Content, int]]:
        """The streams that a former worker of this job has begun."""
        begun = self._context.first_running
        for graph in (specification.output_graph or ()) if begun else ():
            last = next(reversed(graph.filter or ()), None)
            if begun is None or not isinstance(last, ContentWriter):
                continue
            content = Catalogue(self._opened(), self._clock).find(fill_start_time(last.content or "", begun))
            index = find_stream(content, self._context.job_id, graph.name or "") if content else None
            if content is not None and index is not None:
                yield graph.name or "", content, index

    def _opened(self) -> ContentStore:
        if self._store is None:
            try:
                self._store = open_store(self._context.contents)
            except JobEngineError as error:
                raise MediaError(f"the contents store can't be opened: {error.detail}") from error
        return self._store
