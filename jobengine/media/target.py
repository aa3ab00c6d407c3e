"""Where an output graph goes: what every target of a pipe is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from jobengine.media.gain import Samples


class Writer(Protocol):
    """A target being written. ``samples`` were handed to it."""

    samples: int

    def write(self, block: Samples) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class SinkForm:
    """The format of an output and what its header may say. ``is_live``: paced by the clock."""

    graph: str
    stream_rate: int
    sample_rate: int
    resolution_bit: int
    channels: int
    layout: str
    block_samples: int
    host: str
    country: str
    is_live: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """A target that is being written: a file by its path, anything else by its URL."""

    writer: Writer
    kind: str
    path: str | None
    url: str | None


class Target(Protocol):
    """What ends an output graph. Making one verifies all that can be without writing. Raises MediaError."""

    def open(self, form: SinkForm, at: datetime, position: int) -> Opened:
        """Make it. ``at`` fills names; ``position`` is where the stream clock is, in samples of the stream.

        Raises DiskFull or MediaError.
        """
        ...
