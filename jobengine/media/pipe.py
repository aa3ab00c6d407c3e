"""A pipe at work: sources, mixing desk, sinks, and the stream clock that counts their samples.

It does not pace itself and waits for nothing but media: its owner calls `advance` as far as the next
event, so that an event is always at a block's beginning. One thread only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime

from jobengine.errors import MediaError
from jobengine.media.contents_port import Contents
from jobengine.media.gain import Samples
from jobengine.media.meter import ChannelLevel, Meter
from jobengine.media.mixer import MixingDesk
from jobengine.media.routing import Port, output_channels, output_layout
from jobengine.media.sink import DEFAULT_RESOLUTION_BIT, OutputState, Sink
from jobengine.media.source import Source, SourceContext
from jobengine.media.sources import open_source
from jobengine.media.target import SinkForm
from jobengine.model.filters.audio_format import AudioFormat
from jobengine.model.filters.content_writer import ABILITIES, ContentWriter
from jobengine.model.pipe import Graph, Mixer, PipeSpec, span_ms
from jobengine.model.roots import MediaRoots

FILE_BLOCK_SAMPLES = 16_384
LIVE_BLOCK_SAMPLES = 1_024


@dataclass(frozen=True, slots=True)
class PipeContext:
    """Where a pipe runs. ``resume_position`` is where the stream clock begins; files are read from there.

    ``previous`` are the outputs of the worker before this one; they stand first in `Pipe.outputs`.
    ``country`` is the default of the OriginatorReference (ISO 3166; ZZ is "unknown"). ``contents`` are
    those that it may play and record, None if there are none.
    """

    roots: MediaRoots
    host: str = "localhost"
    resume_position: int = 0
    previous: tuple[OutputState, ...] = ()
    country: str = "ZZ"
    contents: Contents | None = None


class Pipe:
    """Opened by `prepare`, given its files by `start`, moved by `advance`, ended by `close`.

    ``position`` is the stream clock: samples at ``sample_rate`` since the beginning, pauses left out.
    """

    def __init__(self, spec: PipeSpec, context: PipeContext, sources: Sequence[Source]) -> None:
        inputs, outputs = tuple(spec.input_graph or ()), tuple(spec.output_graph or ())
        self.sample_rate = _stream_rate(outputs, sources)
        self.position = context.resume_position
        self.is_live = any(source.is_live for source in sources)
        self.block_samples = LIVE_BLOCK_SAMPLES if self.is_live else FILE_BLOCK_SAMPLES
        self.at_end = False
        self._context, self._sources = context, sources
        self._names = [graph.name or "" for graph in inputs]
        in_ports = [Port(n, s.channels, s.layout) for n, s in zip(self._names, sources, strict=True)]
        self._sinks = [self._make_sink(graph, in_ports, spec.mixer) for graph in outputs]
        out_ports = [Port(s.form.graph, s.form.channels, s.form.layout) for s in self._sinks]
        self._desk = MixingDesk(spec.mixer, in_ports, out_ports, self.sample_rate, self.block_samples)
        self._meters = [Meter(source.channels, self.block_samples) for source in sources]
        self._is_started = self._is_closed = False
        self._ruling = [n for n, source in enumerate(sources) if source.is_finite] or list(
            range(len(sources))
        )
        for source in sources:
            source.configure(self.sample_rate, self.position)

    @classmethod
    def prepare(cls, spec: PipeSpec, context: PipeContext) -> Pipe:
        """Open and probe the sources, settle formats and routing, look at the targets. Creates no file.

        ``spec`` is complete (`check_pipe` found nothing). Raises MediaError.
        """
        with ExitStack() as stack:
            sources = []
            for graph in spec.input_graph or ():
                source = open_source((graph.filter or [])[0], _source_context(graph, context))
                stack.callback(source.close)
                sources.append(source)
            pipe = cls(spec, context, sources)
            stack.pop_all()
            return pipe

    def start(self, at: datetime) -> None:
        """Make the output files at the first call; later calls change nothing. ``at`` is aware, in UTC."""
        if self._is_started:
            return
        self._is_started = True
        for sink in self._sinks:
            sink.open(at, self.position)

    def set_mixer(self, mixer: Mixer | None) -> None:
        """Go to the effective ``mixer`` at exactly ``position``; its ramps begin there. Raises MediaError."""
        self._desk.change(mixer, self.position)

    def advance(self, samples: int) -> int:
        """Process up to ``samples``; fewer at the end of the input (``at_end``), or where it lets wait.

        Blocks on media. Raises MediaError or DiskFull; ``position`` then counts what was mixed.
        """
        if not self._is_started:
            raise MediaError("the pipe has not been started")
        done = 0
        while done < samples and not self.at_end:
            wanted = self._ready(min(samples - done, self.block_samples))
            if not wanted:
                break
            done += self._advance_block(wanted)
        return done

    def discard(self, samples: int) -> None:
        """Time goes by while paused: live inputs go on unheard, files and the stream clock stand still."""
        for source in self._sources:
            source.discard(samples)

    @property
    def outputs(self) -> list[OutputState]:
        """Every file made so far, in order, those of former workers first."""
        return [*self._context.previous, *(state for sink in self._sinks if (state := sink.state))]

    @property
    def drops(self) -> int:
        """Damaged packets passed over."""
        return sum(source.damaged_packets for source in self._sources)

    @property
    def holes(self) -> Mapping[str, Sequence[tuple[float, float]]]:
        """By input graph: where sound was missing in its source, from and to in seconds of that source."""
        return {n: s.holes for n, s in zip(self._names, self._sources, strict=True) if s.holes}

    def take_levels(self) -> Mapping[str, tuple[ChannelLevel, ...]]:
        """Levels per graph and channel since the last call: inputs after their level, outputs as written."""
        levels = {name: meter.take() for name, meter in zip(self._names, self._meters, strict=True)}
        return levels | {sink.form.graph: sink.meter.take() for sink in self._sinks}

    def close(self) -> None:
        """Finish all files, let go of all sources. May be called twice. Raises DiskFull or MediaError."""
        if self._is_closed:
            return
        self._is_closed = True
        with ExitStack() as stack:
            for source in self._sources:
                stack.callback(source.close)
            for sink in reversed(self._sinks):
                stack.callback(sink.close)

    def _advance_block(self, wanted: int) -> int:
        """As long as the longest input that can end the pipe; ended inputs are silent until then."""
        blocks = [meter.room(wanted) for meter in self._meters]
        counts = [self._read(source, block) for source, block in zip(self._sources, blocks, strict=True)]
        length = max([counts[index] for index in self._ruling])
        if length < wanted:
            blocks = [block[:length] for block in blocks]
            self.at_end = all(self._sources[index].has_ended for index in self._ruling)
        if length:
            self._mix(blocks, length)
        return length

    def _mix(self, blocks: Sequence[Samples], length: int) -> None:
        """Bring a block of each input to the outputs."""
        position, self.position = self.position, self.position + length
        for index, block in enumerate(blocks):
            self._desk.amplify(index, block, position)
            self._meters[index].add(length)
        for index, sink in enumerate(self._sinks):
            mixed = sink.meter.room(length)
            self._desk.mix(index, blocks, position, mixed)
            sink.write(mixed)

    def _ready(self, wanted: int) -> int:
        """As many samples as every source can give now."""
        for source in self._sources:
            if not source.has_ended:
                wanted = source.ready(wanted)
        return wanted

    def _read(self, source: Source, block: Samples) -> int:
        """Fill ``block``, where the source gives no more with silence; how much it gave."""
        count = 0 if source.has_ended else source.read(block)
        if count < len(block):
            block[count:] = 0
        return count

    def _make_sink(self, graph: Graph, inputs: Sequence[Port], mixer: Mixer | None) -> Sink:
        name, wanted = graph.name or "", graph.format or AudioFormat()
        channels = output_channels(wanted.channels, name, inputs, mixer)
        form = SinkForm(
            graph=name,
            stream_rate=self.sample_rate,
            sample_rate=wanted.sample_rate or _target_rate(graph, self.sample_rate),
            resolution_bit=wanted.resolution or DEFAULT_RESOLUTION_BIT,
            channels=channels,
            layout=output_layout(name, channels, inputs, mixer),
            block_samples=self.block_samples,
            host=self._context.host,
            country=self._context.country,
            is_live=self.is_live,
        )
        return Sink(form, graph.filter or [], self._context.roots, self._context.contents)


def _stream_rate(outputs: Sequence[Graph], sources: Sequence[Source]) -> int:
    wanted = outputs[0].format if outputs else None
    return (wanted.sample_rate if wanted else None) or sources[0].native_rate


def _target_rate(graph: Graph, stream_rate: int) -> int:
    """The stream's rate, or that of a target that knows only certain ones."""
    last = next(reversed(graph.filter or ()), None)
    rates = ABILITIES[last.codec or "pcm"].sample_rates_hz if isinstance(last, ContentWriter) else ()
    return min(rates, key=lambda rate: (rate < stream_rate, abs(rate - stream_rate)), default=stream_rate)


def _source_context(graph: Graph, context: PipeContext) -> SourceContext:
    return SourceContext(
        roots=context.roots,
        host=context.host,
        offset_ms=span_ms(graph.start_offset) if graph.start_offset else 0,
        length_ms=span_ms(graph.duration) if graph.duration else None,
        contents=context.contents,
    )
