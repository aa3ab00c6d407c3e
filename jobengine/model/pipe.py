"""The pipe specification: input graphs, mixer, output graphs.

Every member is optional and may be null, because descriptions are incremental; `check_pipe` says
whether an effective specification is complete. Lists of named things declare their key in the
schema (``x-merge-key``); ``MERGE_KEYS`` is the same as a table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from jobengine.errors import Fault
from jobengine.model.casing import TOLERATED_KEYS, CamelModel
from jobengine.model.filters.audio_format import CHANNELS, AudioFormat
from jobengine.model.filters.file_reader import FileReader
from jobengine.model.filters.file_writer import FileWriter
from jobengine.model.filters.filter import Filter, Place
from jobengine.model.filters.registry import AnyFilter
from jobengine.model.roots import MediaRoots

_SPAN = re.compile(
    r"(?:(?P<hours>\d{1,4}):)?(?P<minutes>[0-5]?\d):(?P<seconds>[0-5]?\d)(?:\.(?P<fraction>\d{1,3}))?"
)


def span_ms(text: str) -> int:
    """Milliseconds of ``hh:mm:ss.sss``; hours and fraction may be missing. Raises ValueError."""
    match = _SPAN.fullmatch(text.strip())
    if not match:
        raise ValueError("is a time span hh:mm:ss.sss, such as 00:01:30.500")
    seconds = int(match["hours"] or 0) * 3600 + int(match["minutes"]) * 60 + int(match["seconds"])
    return seconds * 1000 + int((match["fraction"] or "0").ljust(3, "0"))


def _check_span(text: str) -> str:
    span_ms(text)
    return text


def _read_matrix(value: Any) -> Any:
    """ROAD's samples post ``{"Comment": …}`` for "no matrix"."""
    if isinstance(value, dict) and all(str(key).lower() in TOLERATED_KEYS for key in value):
        return []
    return value


Span = Annotated[str, AfterValidator(_check_span)]
GraphName = Annotated[str, Field(min_length=1, max_length=200)]
Gain = Annotated[float, Field(ge=0, le=1e6)]
RampMs = Annotated[int, Field(ge=0, le=86_400_000)]
Channel = Annotated[int, Field(ge=0)]


class Graph(CamelModel):
    """A chain of filters. ``startOffset`` and ``duration`` (``hh:mm:ss.sss``) cut a piece out of a file."""

    name: GraphName | None = Field(
        None, description="Unique over all input and output graphs; levels, routing and changes go by it."
    )
    format: AudioFormat | None = Field(
        None, description="Of an output graph: what is written. Whatever is left out follows from the inputs."
    )
    start_offset: Span | None = Field(None, description="Of an input file: where to begin, hh:mm:ss.sss.")
    duration: Span | None = Field(None, description="Of an input file: how much to play, hh:mm:ss.sss.")
    filter: list[AnyFilter] | None = Field(
        None,
        description="The chain, source first. An input graph has a source, an output graph ends in a sink.",
    )


class Level(CamelModel):
    """Gain of one graph: a linear factor, reached over ``rampMs`` on the stream clock."""

    graph: GraphName | None = Field(None, description="Name of the graph.")
    level: Gain | None = Field(None, description="Linear factor; 1 leaves the sound as it is.")
    ramp_ms: RampMs | None = Field(
        None, description="How long the way to the new factor takes, in milliseconds of stream time."
    )


class Crosspoint(CamelModel):
    """Gain from one channel of an input to one channel of an output; channels count from 0."""

    input: GraphName | None = Field(None, description="Name of the input graph.")
    in_channel: Channel | None = Field(None, description="Channel of the input, from 0.")
    output: GraphName | None = Field(None, description="Name of the output graph.")
    out_channel: Channel | None = Field(None, description="Channel of the output, from 0.")
    gain: Gain | None = Field(None, description="Linear factor; 1 unless given.")
    ramp_ms: RampMs | None = Field(
        None, description="How long the way to the new gain takes, in milliseconds of stream time."
    )


class Mixer(CamelModel):
    """Levels and routing. A matrix, once given, is the whole routing; without one the default holds."""

    input_level: list[Level] | None = Field(
        None, json_schema_extra={"x-merge-key": "graph"}, description="Gains of input graphs."
    )
    output_level: list[Level] | None = Field(
        None, json_schema_extra={"x-merge-key": "graph"}, description="Gains of output graphs."
    )
    matrix: Annotated[list[Crosspoint], BeforeValidator(_read_matrix)] | None = Field(
        None,
        json_schema_extra={"x-merge-key": ["input", "inChannel", "output", "outChannel"]},
        description="The whole routing; left out, the default routing holds.",
    )


class PipeSpec(CamelModel):
    """What a pipe job plays, mixes and writes."""

    input_graph: list[Graph] | None = Field(
        None, json_schema_extra={"x-merge-key": "name"}, description="Where sound comes from."
    )
    mixer: Mixer | None = Field(None, description="Levels and routing.")
    output_graph: list[Graph] | None = Field(
        None,
        json_schema_extra={"x-merge-key": "name"},
        description="Where sound goes; may be empty, for a job that only measures levels.",
    )


def merge_keys(model: type[BaseModel], path: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The lists below ``path`` that merge by key: dotted path and the members that name an item."""
    for name, field in model.model_fields.items():
        place = f"{path}.{field.alias or name}"
        extra = field.json_schema_extra
        if isinstance(extra, dict) and "x-merge-key" in extra:
            key = extra["x-merge-key"]
            yield place, (key,) if isinstance(key, str) else tuple(key)  # type: ignore[arg-type]
        for inner in get_args(field.annotation):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                yield from merge_keys(inner, place)


MERGE_KEYS: Mapping[str, tuple[str, ...]] = dict(merge_keys(PipeSpec, "pipeSpec"))


def check_pipe(spec: PipeSpec, roots: MediaRoots) -> list[Fault]:
    """Everything that keeps an effective specification from being run; pointers are relative to it."""
    inputs, outputs = list(spec.input_graph or ()), list(spec.output_graph or ())
    faults: list[Fault] = []
    if not inputs:
        faults.append(Fault("/inputGraph", "is empty; a pipe needs at least one input graph"))
    taken: set[str] = set()
    for key, graphs in (("inputGraph", inputs), ("outputGraph", outputs)):
        for index, graph in enumerate(graphs):
            is_input = key == "inputGraph"
            found = [*_name_faults(graph, taken), *_chain_faults(graph, is_input, roots)]
            found += _format_faults(graph, is_input) + _cut_faults(graph, len(inputs), is_input)
            faults += [Fault(f"/{key}/{index}{fault.pointer}", fault.detail) for fault in found]
    found = [*_mixer_faults(spec.mixer, inputs, outputs)]
    return faults + [Fault(f"/mixer{fault.pointer}", fault.detail) for fault in found]


def _name_faults(graph: Graph, taken: set[str]) -> Iterator[Fault]:
    if not graph.name:
        yield Fault("/name", "is missing; every graph needs a name")
    elif graph.name in taken:
        yield Fault("/name", f"{graph.name!r} is taken; names are unique over all input and output graphs")
    else:
        taken.add(graph.name)


def _chain_faults(graph: Graph, is_input: bool, roots: MediaRoots) -> Iterator[Fault]:
    chain = list(graph.filter or ())
    if not chain:
        yield Fault("/filter", f"is empty; the graph needs a {Place.SOURCE if is_input else Place.SINK}")
        return
    for index, item in enumerate(chain):
        detail = _misplaced_source(chain, index) if is_input else _misplaced_sink(chain, index)
        if detail:
            yield Fault(f"/filter/{index}", detail)
        for fault in item.check(roots):
            yield Fault(f"/filter/{index}{fault.pointer}", fault.detail)


def _misplaced_source(chain: list[Filter], index: int) -> str | None:
    item = chain[index]
    if item.place is not Place.SOURCE:
        return f"{item.name} belongs in an output graph"
    return "an input graph has one source, as its first filter" if index else None


def _misplaced_sink(chain: list[Filter], index: int) -> str | None:
    item, is_last = chain[index], index == len(chain) - 1
    if item.place is Place.SOURCE:
        return f"{item.name} is a source and belongs in an input graph"
    if item.place is Place.SINK and not is_last:
        return f"{item.name} must be the last filter of its graph"
    if item.place is Place.ENCODER and (is_last or not isinstance(chain[index + 1], FileWriter)):
        return f"{item.name} must stand directly before a FileWriter"
    if isinstance(item, FileWriter) and (not index or chain[index - 1].place is not Place.ENCODER):
        return "FileWriter needs WAVDest or FLACDest directly before it"
    return None


def _format_faults(graph: Graph, is_input: bool) -> list[Fault]:
    if graph.format is None:
        return []
    if is_input:
        return [Fault("/format", "belongs to output graphs; an input has the format of its source")]
    found = [*graph.format.check()]
    for item in graph.filter or ():
        found += item.check_format(graph.format)
    return [Fault(f"/format{fault.pointer}", fault.detail) for fault in found]


def _cut_faults(graph: Graph, input_count: int, is_input: bool) -> list[Fault]:
    is_alone = is_input and input_count == 1 and isinstance(next(iter(graph.filter or ()), None), FileReader)
    given = [key for key, span in (("startOffset", graph.start_offset), ("duration", graph.duration)) if span]
    if is_alone:
        is_zero = graph.duration is not None and span_ms(graph.duration) == 0
        return [Fault("/duration", "is zero; leave it out to play to the end of the file")] if is_zero else []
    detail = "is possible only with one input graph, whose source is a FileReader"
    return [Fault(f"/{key}", detail) for key in given]


def _mixer_faults(mixer: Mixer | None, inputs: list[Graph], outputs: list[Graph]) -> Iterator[Fault]:
    if mixer is None:
        return
    for key, graphs in (("inputLevel", inputs), ("outputLevel", outputs)):
        kind, known = key.removesuffix("Level"), {graph.name for graph in graphs}
        for index, level in enumerate((mixer.input_level if kind == "input" else mixer.output_level) or ()):
            if level.graph not in known:
                yield Fault(f"/{key}/{index}/graph", f"{level.graph!r} is not the name of an {kind} graph")
            if level.level is None:
                yield Fault(f"/{key}/{index}/level", "is missing; a factor, 1 leaves the sound as it is")
    for index, point in enumerate(mixer.matrix or ()):
        for fault in _crosspoint_faults(point, inputs, outputs):
            yield Fault(f"/matrix/{index}{fault.pointer}", fault.detail)


def _crosspoint_faults(point: Crosspoint, inputs: list[Graph], outputs: list[Graph]) -> Iterator[Fault]:
    sources, targets = {graph.name for graph in inputs}, {graph.name: graph for graph in outputs}
    if point.input in targets:
        yield Fault("/input", f"{point.input!r} is an output graph; routing an output back would be a circle")
    elif point.input not in sources:
        yield Fault("/input", f"{point.input!r} is not the name of an input graph")
    if point.output in sources:
        yield Fault("/output", f"{point.output!r} is an input graph; sound goes from inputs to outputs")
    elif point.output not in targets:
        yield Fault("/output", f"{point.output!r} is not the name of an output graph")
    for key, channel in (("inChannel", point.in_channel), ("outChannel", point.out_channel)):
        if channel is None:
            yield Fault(f"/{key}", "is missing; channels count from 0")
        elif channel >= len(CHANNELS):
            yield Fault(f"/{key}", f"{channel} is out of range; channels count from 0 to {len(CHANNELS) - 1}")
    target = targets.get(point.output)
    count = target.format.channels if target and target.format else None
    if count is not None and point.out_channel is not None and point.out_channel >= count:
        detail = f"{point.out_channel} is out of range; {point.output!r} has {count} channels from 0"
        yield Fault("/outChannel", detail)
