"""What a wire codec promises: between frames of a ZeroMQ message and elements.

A message is a topic, a record and any number of payload parts, which are never copied or changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

from jobengine.model.element import Element
from jobengine.ports.contents import Buffer

Json = Any


class Glance(Enum):
    """What can be said of a record before it is read."""

    ELEMENT = "element"
    END = "end"
    OTHER_VERSION = "other-version"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it was read. ``source`` is the stream that it says it is of, whatever its topic.

    ``element`` is None where there is nothing to store. ``format`` and ``stream`` describe the stream, as
    far as the record does, in the words of the Content Beam API. ``sender`` and ``sequence`` (0: none)
    tell lost messages: sequences count from 1 for each sender and source, and anew after an end.
    """

    source: str
    is_end: bool
    element: Element | None
    planes: Sequence[Buffer] = ()
    sender: bytes = b""
    sequence: int = 0
    format: Mapping[str, Json] = field(default_factory=dict)
    stream: Mapping[str, Json] = field(default_factory=dict)


class UnreadableRecord(ValueError):
    """A record that can't be read; the text is a sentence."""


class Decoder(Protocol):
    """Reads records of one codec."""

    def glance(self, record: bytes) -> Glance:
        """What kind of record this is, without reading all of it. Never raises."""
        ...

    def read(self, record: bytes, parts: Sequence[Buffer]) -> Record:
        """The record. Raises UnreadableRecord."""
        ...


class Encoder(Protocol):
    """Writes the records of one stream, one after the other: it counts them."""

    def element(self, element: Element, planes: Sequence[Buffer]) -> Sequence[Buffer]:
        """The frames of an element, topic first. Raises SinkError for what the codec can't carry."""
        ...

    def end(self, labels: Sequence[str]) -> Sequence[Buffer]:
        """The frames of an end of the stream, topic first."""
        ...
