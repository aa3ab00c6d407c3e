"""Of what a stream of a content is made, as its relations say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from jobengine.contents.catalogue import Catalogue, Content
from jobengine.contents.relations import Relations
from jobengine.contents.relations.making import Making
from jobengine.contents.relations.stream_map import Pick, read_stream_map
from jobengine.contents.relations.transformations import Transformation
from jobengine.contents.stream_names import stream_index
from jobengine.errors import NotFoundError
from jobengine.model.beam.streams import kind_of_stream, time_base_of
from jobengine.model.filter_graph import FilterGraph
from jobengine.model.transformation import stream_recipe
from jobengine.ports.contents import ContentStore
from jobengine.worker.convert.sources import StoreSource

Json = Any


@dataclass(frozen=True, slots=True)
class Input:
    """A stream that something is made of, or one channel of it (from 0)."""

    source: StoreSource
    channel: int | None = None
    shift_s: Fraction = Fraction(0)
    """How much later it is there than in its source."""
    speed: Fraction = Fraction(1)
    """How many times as fast it goes there."""

    @property
    def time_base(self) -> Fraction:
        """Seconds that one tick of the source takes in what is made of it."""
        return self.source_base / self.speed

    @property
    def source_base(self) -> Fraction:
        """Seconds of one tick; a `Derivation` has only inputs that tell."""
        return time_base_of(self.source.stream) or Fraction(1)

    def made_at(self, seconds: Fraction) -> Fraction:
        """When a moment of the source is in what is made of it."""
        return seconds / self.speed + self.shift_s


@dataclass(frozen=True, slots=True)
class Derivation:
    """Stream ``index`` of ``content``, made of ``inputs``; the first one leads: its times count."""

    content: Content
    index: int
    inputs: tuple[Input, ...]
    time_base: Fraction
    graph: FilterGraph | None = None
    """What the inputs go through; None: they are only coded otherwise."""
    first_s: Fraction | None = None
    end_s: Fraction | None = None
    """Where on its own time it is made, the end exclusive; None: no bound."""

    def contains(self, seconds: Fraction) -> bool:
        """Whether it is made at a moment of its own time."""
        is_behind = self.first_s is None or seconds >= self.first_s
        return is_behind and (self.end_s is None or seconds < self.end_s)

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
        base = time_base_of(content.streams[index] or {})
        if base is None:
            return None
        return self._rendition(content, index, base) or self._transformation(content, index, base)

    def feeds(self, source: StoreSource, making: Making) -> Iterator[tuple[Content, int]]:
        """The streams that are made, in this way, of a stream directly."""
        names = dict.fromkeys(self._relations.renditions.targets(source.content))
        for made in self._relations.transformations.downstream(source.content):
            names |= dict.fromkeys(made.targets)
        for name in names:
            target = self._catalogue.find(name)
            if target is None or self._making(name) is not making:
                continue
            for index in range(len(target.streams)):
                derivation = self.of(target, index)
                if derivation and any(each.source.number == source.number for each in derivation.inputs):
                    yield target, index

    def _making(self, name: str) -> Making | None:
        noted = self._relations.renditions.of(name) or self._relations.transformations.of(name)
        return None if noted is None else noted.making

    def _rendition(self, content: Content, index: int, base: Fraction) -> Derivation | None:
        noted = self._relations.renditions.of(content.name)
        if noted is None or noted.making is Making.PROVIDED:
            return None
        original = self._catalogue.get(noted.source)
        picks = read_stream_map(noted.stream_map, original, content).get(index, (Pick(index, None),))
        inputs = [self._input(original, pick.stream, pick.channel) for pick in picks]
        if None in inputs:
            return None
        return Derivation(content, index, tuple(each for each in inputs if each is not None), base)

    def _transformation(self, content: Content, index: int, base: Fraction) -> Derivation | None:
        noted = self._relations.transformations.of(content.name)
        if noted is None or noted.making is Making.PROVIDED:
            return None
        kind, number = _place_in_kind(content, index)
        made = stream_recipe(noted.recipe, noted.sources, noted.targets, content.name, kind, number)
        if made is None:
            return None
        inputs: list[Input] = []
        for given in made.sources:
            original = self._catalogue.get(given.content)
            found = self._input(original, stream_index(original, given.stream or kind), None)
            if found is None:
                raise NotFoundError(f"{given.content!r}, a source of {content.name!r}, has no time_base")
            shift_s = Fraction(given.shift, 1_000_000)
            inputs.append(replace(found, shift_s=shift_s, speed=given.pace))
        first_s, end_s = _bounds(noted)
        return Derivation(content, index, tuple(inputs), base, made.graph, first_s, end_s)

    def _input(self, original: Content, index: int, channel: int | None) -> Input | None:
        if index >= len(original.streams) or original.streams[index] is None:
            return None
        source = StoreSource(self._store, original, index, "first-last")
        return None if time_base_of(source.stream) is None else Input(source, channel)


def _place_in_kind(content: Content, index: int) -> tuple[str, int]:
    """What a stream holds, and how many of the same come before it."""
    kind = kind_of_stream(content.streams[index] or {})
    before = [each for each in content.streams[:index] if each is not None and kind_of_stream(each) == kind]
    return kind, len(before)


def _bounds(noted: Transformation) -> tuple[Fraction | None, Fraction | None]:
    first = None if noted.start_time_us is None else Fraction(noted.start_time_us, 1_000_000)
    if noted.duration_us is None:
        return first, None
    return first, (first or Fraction(0)) + Fraction(noted.duration_us, 1_000_000)
