"""What every filter of a graph has: a name, a place in the chain, and a check of its own members."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import ClassVar

from pydantic import Field

from jobengine.errors import Fault
from jobengine.model.casing import CamelModel
from jobengine.model.filters.audio_format import AudioFormat
from jobengine.model.roots import MediaRoots


class Place(StrEnum):
    """Where in its graph a filter stands."""

    SOURCE = "source"
    ENCODER = "encoder"
    SINK = "sink"


class Filter(CamelModel):
    """Base of all filters. A subclass is one file, a ``Literal`` name and a line in ``registry``."""

    place: ClassVar[Place]

    name: str = Field(description="Which filter it is.")

    def check(self, roots: MediaRoots) -> Iterator[Fault]:
        """What is wrong with a complete filter; pointers are relative to it."""
        yield from ()

    def check_format(self, wanted: AudioFormat) -> Iterator[Fault]:
        """Why the sink or encoder of a graph can't write ``wanted``; pointers are relative to the format."""
        yield from ()
