"""The streams of one content as requests need them: to look things up in, to write to, with one changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from jobengine.contents.catalogue import Content
from jobengine.contents.look_up import TimedStream
from jobengine.contents.stream_names import default_index
from jobengine.errors import ConflictError
from jobengine.model.beam.streams import time_base_of

Json = Any


def refuse_closed(content: Content, index: int) -> None:
    """Raise ConflictError if no element may come into a stream any more."""
    if index in content.ended:
        raise ConflictError(
            f"stream {index} of {content.name!r} is closed; open it with PATCH and closed: false"
        )


def timed(content: Content, index: int) -> TimedStream:
    """One stream for look-ups."""
    stream = content.streams[index] or {}
    return TimedStream(content.stream_number(index), index, time_base_of(stream))


def all_timed(content: Content) -> list[TimedStream]:
    """Every stream, the one that ``default`` means first."""
    present = [index for index, stream in enumerate(content.streams) if stream is not None]
    first = default_index(content)
    return [timed(content, index) for index in sorted(present, key=lambda index: (index != first, index))]


def with_stream(content: Content, index: int, stream: Mapping[str, Json] | None) -> Content:
    """The content with another stream at ``index``, which may be the one after the last."""
    streams = [*content.streams, *[None] * (index + 1 - len(content.streams))]
    streams[index] = stream
    while streams and streams[-1] is None:
        streams.pop()
    return replace(content, streams=tuple(streams))
