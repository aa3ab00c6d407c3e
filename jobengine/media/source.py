"""What a source is to a pipe, and what it is opened with. The sources by filter are in ``sources``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from jobengine.media.contents_port import Contents
from jobengine.media.gain import Samples
from jobengine.model.roots import MediaRoots


@dataclass(frozen=True, slots=True)
class SourceContext:
    """What opening a source needs to know. ``offset_ms`` and ``length_ms`` cut a piece out of a file."""

    roots: MediaRoots
    host: str
    offset_ms: int = 0
    length_ms: int | None = None
    contents: Contents | None = None


class Source(Protocol):
    """One input, opened and probed. After `configure` it is read at the pipe's rate, in its own channels."""

    channels: int
    layout: str
    native_rate: int
    is_finite: bool
    """Its end can end the pipe."""
    is_live: bool
    """Paced by the clock."""
    has_ended: bool

    @property
    def damaged_packets(self) -> int:
        """How much of the input could not be played."""
        ...

    @property
    def holes(self) -> Sequence[tuple[float, float]]:
        """Where sound was missing and silence took its place: from, to, in seconds of the source's time."""
        ...

    def configure(self, rate: int, position: int) -> None:
        """Deliver at ``rate`` Hz, beginning at sample ``position`` of that rate. Raises MediaError."""
        ...

    def ready(self, samples: int) -> int:
        """How many of ``samples`` can be read without waiting for more than some 100 ms; all at the end."""
        ...

    def read(self, into: Samples) -> int:
        """Fill ``into`` from its start; fewer samples only at the end. Raises MediaError."""
        ...

    def discard(self, samples: int) -> None:
        """Time goes by while the pipe is paused: a live source goes on, a file stands still."""
        ...

    def close(self) -> None:
        """Let go of everything; may be called twice."""
        ...
