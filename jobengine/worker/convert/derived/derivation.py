"""Of what a stream of a content is made, as its relations say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from jobengine.contents.catalogue import Catalogue, Content
from jobengine.contents.relations import Relations
from jobengine.contents.relations.renditions import Making
from jobengine.contents.relations.stream_map import Pick, read_stream_map
from jobengine.model.beam.streams import kind_of_stream, time_base_of
from jobengine.ports.contents import ContentStore
from jobengine.worker.convert.sources import StoreSource

Json = Any


@dataclass(frozen=True, slots=True)
class Input:
    """A stream that something is made of, or one channel of it (from 0)."""

    source: StoreSource
    channel: int | None = None

    @property
    def time_base(self) -> Fraction:
        """Seconds of one tick; a `Derivation` has only inputs that tell."""
        return time_base_of(self.source.stream) or Fraction(1)


@dataclass(frozen=True, slots=True)
class Derivation:
    """Stream ``index`` of ``content``, made of ``inputs``; the first one leads: its times count."""

    content: Content
    index: int
    inputs: tuple[Input, ...]
    time_base: Fraction

    @property
    def stream(self) -> Mapping[str, Json]:
        """The document of the stream to be made."""
        return {**(self.content.streams[self.index] or {}), "index": self.index}

    @property
    def number(self) -> int:
        """The store's number of the stream to be made."""
        return self.content.stream_number(self.index)

    @property
    def kind(self) -> str:
        """What the stream holds; as its source, if it does not say."""
        said = kind_of_stream(self.stream)
        return kind_of_stream(self.inputs[0].source.stream) if said == "unknown" else said


class Derivations:
    """Finds how streams are made. What is provided by others, or is an original, is not made here."""

    def __init__(self, store: ContentStore, catalogue: Catalogue, relations: Relations) -> None:
        self._store = store
        self._catalogue = catalogue
        self._relations = relations

    def of(self, content: Content, index: int) -> Derivation | None:
        """How a stream is made; None if it is not made here."""
        if index >= len(content.streams) or content.streams[index] is None:
            return None
        noted = self._relations.renditions.of(content.name)
        if noted is None or noted.making is Making.PROVIDED:
            return None
        original = self._catalogue.get(noted.source)
        picks = read_stream_map(noted.stream_map, original, content).get(index, (Pick(index, None),))
        inputs = [self._input(original, pick) for pick in picks]
        base = time_base_of(content.streams[index] or {})
        if base is None or None in inputs:
            return None
        return Derivation(content, index, tuple(each for each in inputs if each is not None), base)

    def _input(self, original: Content, pick: Pick) -> Input | None:
        if pick.stream >= len(original.streams) or original.streams[pick.stream] is None:
            return None
        source = StoreSource(self._store, original, pick.stream, "first-last")
        return None if time_base_of(source.stream) is None else Input(source, pick.channel)
