"""Runs filter graphs over pictures and over sound."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import chain
from typing import Any

import av
import numpy as np
from av.error import BlockingIOError as NothingYet
from av.error import EOFError as EndOfFile
from av.error import FFmpegError
from av.filter import Graph

from jobengine.errors import MediaError
from jobengine.media.gain import Samples
from jobengine.media.sound_span import SoundSpan
from jobengine.model.filter_graph import FilterGraph, Step
from jobengine.model.filter_sizes import MAX_SIDE

_BLOCK_SAMPLES = 1024


def filtered_pictures(
    graph: FilterGraph, tick: Fraction, inputs: Sequence[Iterable[tuple[int, Any]]]
) -> Iterator[tuple[int, av.VideoFrame]]:
    """Pictures with their times, of pictures with theirs: ticks of ``tick`` seconds, rising in each input.

    An input that ends stays with its last picture. Raises MediaError if an input is empty, or for a filter
    that FFmpeg refuses.
    """
    opened, heads = [], []
    running = Graph()
    for number, given in enumerate(inputs):
        frames = iter(given)
        first = next(frames, None)
        if first is None:
            raise MediaError(f"source {number} of the filter has no picture there")
        shape = first[1]
        heads.append(
            running.add_buffer(
                width=shape.width, height=shape.height, format=shape.format.name, time_base=tick
            )
        )
        opened.append(chain([first], frames))
    end = running.add("buffersink")
    _link(running, graph, heads, end)
    for pts, number, frame in heapq.merge(*(_numbered(n, each) for n, each in enumerate(opened)), key=_order):
        frame.pts, frame.time_base = pts, tick
        yield from _timed(_push(heads[number], end, frame), tick)
    for head in heads:
        yield from _timed(_push(head, end, None), tick)


def filtered_sound(graph: FilterGraph, spans: Sequence[SoundSpan], layout: str) -> Samples:
    """Sound in ``layout``, from where ``spans`` begin to where they end, which is the same for all.

    Raises MediaError for a filter that FFmpeg refuses.
    """
    rate, first, length = spans[0].rate, spans[0].first, len(spans[0].samples)
    tick = Fraction(1, rate)
    running = Graph()
    heads = [
        running.add_abuffer(sample_rate=rate, format="flt", layout=span.layout, time_base=tick)
        for span in spans
    ]
    shape = running.add("aformat", f"sample_fmts=flt:sample_rates={rate}:channel_layouts={layout}")
    end = running.add("abuffersink")
    shape.link_to(end)
    _link(running, graph, heads, shape)
    channels = av.AudioLayout(layout).nb_channels
    into = np.zeros((length, channels), np.float32)
    for begin in range(0, length, _BLOCK_SAMPLES):
        for head, span in zip(heads, spans, strict=True):
            _place(_push(head, end, _block(span, begin)), into, first)
    for head in heads:
        _place(_push(head, end, None), into, first)
    return into


def _link(running: Graph, graph: FilterGraph, heads: Sequence[Any], end: Any) -> None:
    """Make the filters between ``heads`` and ``end``."""
    made: dict[str, tuple[Any, int]] = {str(number): (head, 0) for number, head in enumerate(heads)}
    for step in graph.steps:
        node = _filter(running, step)
        for pad, label in enumerate(step.inputs):
            source, output = made[label]
            source.link_to(node, output, pad)
        made |= {label: (node, output) for output, label in enumerate(step.outputs)}
    source, output = made[graph.result]
    source.link_to(end, output, 0)
    try:
        running.configure()
    except (FFmpegError, ValueError) as error:
        raise MediaError(f"the filters don't fit together ({error})") from error


def _filter(running: Graph, step: Step) -> Any:
    try:
        node: Any = running.add(step.name, step.options or None)  # its stub knows no pads
    except (FFmpegError, ValueError) as error:
        raise MediaError(f"{step.name} refuses its options {step.options!r} ({error})") from error
    for what, given, pads in (("in", step.inputs, node.inputs), ("out", step.outputs, node.outputs)):
        if len(given) != len(pads):
            raise MediaError(f"{step.name} has {len(pads)} {what}puts; the filter gives it {len(given)}")
    return node


def _push(head: Any, end: Any, frame: Any) -> Iterator[Any]:
    """What comes out once a frame, or the end (None), went in."""
    try:
        head.push(frame)
        while True:
            yield end.pull()
    except (NothingYet, EndOfFile):
        return
    except (FFmpegError, ValueError) as error:
        raise MediaError(f"the filter fails ({error})") from error


def _timed(frames: Iterable[Any], tick: Fraction) -> Iterator[tuple[int, av.VideoFrame]]:
    for frame in frames:
        if max(frame.width, frame.height) > MAX_SIDE:
            made = f"{frame.width} x {frame.height} pixels"
            raise MediaError(f"the filter makes {made}; {MAX_SIDE} a side are possible at most")
        yield round(frame.pts * Fraction(frame.time_base) / tick), frame


def _numbered(number: int, frames: Iterable[tuple[int, Any]]) -> Iterator[tuple[int, int, Any]]:
    for pts, frame in frames:
        yield pts, number, frame


def _order(entry: tuple[int, int, Any]) -> tuple[int, int]:
    return entry[:2]


def _block(span: SoundSpan, begin: int) -> av.AudioFrame:
    samples = np.ascontiguousarray(span.samples[begin : begin + _BLOCK_SAMPLES]).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(samples, format="flt", layout=span.layout)
    frame.sample_rate, frame.pts, frame.time_base = span.rate, span.first + begin, Fraction(1, span.rate)
    return frame


def _place(frames: Iterable[Any], into: Samples, first: int) -> None:
    for frame in frames:
        block = np.frombuffer(memoryview(frame.planes[0]), np.float32)[: frame.samples * into.shape[1]]
        begin = (frame.pts or 0) - first
        kept = block.reshape(-1, into.shape[1])[max(-begin, 0) : max(len(into) - begin, 0)]
        into[max(begin, 0) : max(begin, 0) + len(kept)] = kept
