"""The stored stream that a job reads: found by name, watched for its end."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from jobengine.contents.catalogue import Catalogue, Content
from jobengine.model.restream import StreamSource
from jobengine.ports.sink import SinkStream
from jobengine.worker.restream.failures import SourceGone
from jobengine.worker.restream.look_up import StoredStream
from jobengine.worker.restream.shared_store import SharedStore

_UNKNOWN_BASE = Fraction(1, 1_000_000)


@dataclass(frozen=True, slots=True)
class Source:
    """One stream of one content, as it was when it was found."""

    content: Content
    index: int
    stream: StoredStream

    @property
    def number(self) -> int:
        """The store's number of the stream."""
        return self.stream.number

    def sink_stream(self, name: str) -> SinkStream:
        """What a sink is to know of it."""
        return SinkStream(name, self.content.format, self.content.streams[self.index] or {})


def find_source(shared: SharedStore, spec: StreamSource) -> Source | None:
    """The stream, or None if there is none of that name and index (yet)."""
    content = shared.catalogue.find(spec.content or "")
    document = content.streams[spec.stream] if content and spec.stream < len(content.streams) else None
    if content is None or document is None:
        return None
    number, time_base = content.stream_number(spec.stream), _time_base(document.get("time_base"))
    stream = StoredStream(shared.store, number, time_base)
    return Source(content, spec.stream, stream)


def has_ended(catalogue: Catalogue, source: Source) -> bool:
    """Whether no further element will come. Raises SourceGone if the stream was removed."""
    content = catalogue.find(source.content.name)
    if content is None or content.number != source.content.number:
        raise SourceGone(f"content {source.content.name!r} was removed under the job")
    if source.index >= len(content.streams) or content.streams[source.index] is None:
        raise SourceGone(f"stream {source.index} of content {content.name!r} was removed under the job")
    return source.index in content.ended


def _time_base(value: object) -> Fraction:
    """A stream that says none counts microseconds, like one of messages."""
    match value:
        case [int(numerator), int(denominator)] if numerator > 0 and denominator > 0:
            return Fraction(numerator, denominator)
        case _:
            return _UNKNOWN_BASE
