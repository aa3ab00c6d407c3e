"""What a source is to a pipe, and what it is opened with. The sources by filter are in ``sources``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from jobengine.media.gain import Samples
from jobengine.model.roots import MediaRoots


@dataclass(frozen=True, slots=True)
class SourceContext:
    """What opening a source needs to know. ``offset_ms`` and ``length_ms`` cut a piece out of a file."""

    roots: MediaRoots
    host: str
    offset_ms: int = 0
    length_ms: int | None = None


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
    damaged_packets: int

    def configure(self, rate: int, position: int) -> None:
        """Deliver at ``rate`` Hz, beginning at sample ``position`` of that rate. Raises MediaError."""
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
