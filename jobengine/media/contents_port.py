"""What a pipe needs of a contents store: a stream to play, a stream to record into.

Who composes a pipe gives it these; nothing here knows how a store keeps anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from jobengine.media.media_element import Buffer, MediaElement
from jobengine.model.element import Element

Json = Any


@dataclass(frozen=True, slots=True)
class StreamWanted:
    """What to play. ``first`` and ``last`` are media references of a moment or an element; None: all."""

    content: str
    stream: str | None
    first: str | None
    last: str | None
    follow: bool


class PlayedStream(Protocol):
    """A stream being read in order of arrival; what it reads is kept from going. One thread."""

    document: Mapping[str, Json]
    first_pts: int
    """Where it begins, in ticks."""
    end_pts: int | None
    """Where it ends, exclusive; None: with its last element."""

    def seek(self, pts: int) -> None:
        """Go to the element before the one that holds ``pts``, so that decoders find into the stream."""
        ...

    def read(self) -> Sequence[MediaElement]:
        """The next elements, those whose payload is gone without planes; empty at the end and where
        nothing has arrived yet. Raises MediaError."""
        ...

    @property
    def has_ended(self) -> bool:
        """Whether nothing will follow what was read."""
        ...

    def wait(self) -> None:
        """Wait up to 100 ms for news."""
        ...

    def close(self) -> None:
        """Let go of what was kept. Idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class RecordingWanted:
    """Where to record. ``stream`` None: a new one. ``document`` is the stream's without its index;
    ``graph`` is the output graph that it comes from, ``stream_rate`` the stream clock's ticks per second."""

    content: str
    stream: int | None
    graph: str
    stream_rate: int
    document: Mapping[str, Json]


class RecordedStream(Protocol):
    """A stream being written. One thread."""

    url: str
    """Its path in the Beam API."""
    first_pts: int
    """The pts of position 0 of the stream clock."""

    def append(self, elements: Sequence[tuple[Element, Sequence[Buffer]]]) -> None:
        """Add elements, durably when it returns. Raises MediaError or DiskFull."""
        ...

    def close(self) -> None:
        """Say that no element will follow. Idempotent. Raises MediaError."""
        ...


class Contents(Protocol):
    """The contents that pipes may use."""

    def play(self, wanted: StreamWanted) -> PlayedStream:
        """Open a stream. Raises MediaError if there is no such content, stream or moment."""
        ...

    def check_recording(self, content: str, stream: int | None) -> None:
        """Raise MediaError if it is sure already that `record` would fail. Changes nothing."""
        ...

    def record(self, wanted: RecordingWanted) -> RecordedStream:
        """Open a stream to be written, making the content if there is none. Raises MediaError."""
        ...
