"""Sums inputs into outputs. Levels and crosspoints are `Gain`s; all arithmetic is float32, sample by sample.

No matrix product: its sums depend on the block length in the last bit, and a cut must change nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jobengine.media.gain import Gain, Samples
from jobengine.media.routing import Point, Port, Setting, route
from jobengine.model.pipe import Level, Mixer

_Key = Point | tuple[str, int]
_UNITY = Setting(1.0, 0)


class MixingDesk:
    """Mixes blocks of at most ``block_samples``. A change takes effect at the position it is given."""

    def __init__(
        self,
        mixer: Mixer | None,
        inputs: Sequence[Port],
        outputs: Sequence[Port],
        rate: int,
        block_samples: int,
    ) -> None:
        self._inputs, self._outputs, self._rate = inputs, outputs, rate
        self._settings = self._read(mixer)
        self._gains = {key: Gain(setting.gain) for key, setting in self._settings.items()}
        self._lanes = [_Lane(self._gains["output", index]) for index in range(len(outputs))]
        self._levels = [self._gains["input", index] for index in range(len(inputs))]
        self._ramp = np.empty(block_samples, np.float32)
        self._part = np.empty(block_samples, np.float32)
        self._share_routes()

    def change(self, mixer: Mixer | None, position: int) -> None:
        """Go to ``mixer`` from ``position`` on. What has not changed goes on, also in mid-ramp.

        Raises MediaError and changes nothing if ``mixer`` does not fit the graphs.
        """
        settings = self._read(mixer)
        for key in self._settings.keys() | settings.keys():
            before, after = self._settings.get(key), settings.get(key, Setting(0.0, 0))
            if before != after:
                gain = self._gains.setdefault(key, Gain(0.0))
                gain.change(after.gain, position, (after.ramp_ms * self._rate + 500) // 1000)
        self._settings = settings
        self._share_routes()

    def amplify(self, index: int, block: Samples, position: int) -> None:
        """Apply an input's level in place."""
        self._apply(self._levels[index], block, position)

    def mix(self, output: int, blocks: Sequence[Samples], position: int, into: Samples) -> None:
        """Fill ``into`` with the mix for one output of ``blocks``, one per input, of the same length."""
        lane = self._lanes[output]
        is_fresh = True
        for index, is_straight, points in self._routes(lane, blocks, into.shape[1], position):
            if is_straight:
                np.copyto(into, blocks[index]) if is_fresh else np.add(into, blocks[index], out=into)
            else:
                if is_fresh:
                    into[:] = 0
                self._add_points(points, blocks[index], into, position)
            is_fresh = False
        if is_fresh:
            into[:] = 0
        self._apply(lane.level, into, position)

    def _read(self, mixer: Mixer | None) -> dict[_Key, Setting]:
        settings: dict[_Key, Setting] = {}
        for point, setting in route(mixer, self._inputs, self._outputs).items():
            settings[point] = setting
        for side, ports, levels in (
            ("input", self._inputs, mixer.input_level if mixer else None),
            ("output", self._outputs, mixer.output_level if mixer else None),
        ):
            by_graph = {level.graph: _setting(level) for level in levels or ()}
            for index, port in enumerate(ports):
                settings[(side, index)] = by_graph.get(port.name, _UNITY)
        return settings

    def _share_routes(self) -> None:
        for lane in self._lanes:
            lane.points, lane.settled = {}, None
        for point in sorted(key for key in self._gains if isinstance(key, Point)):
            points = self._lanes[point.output].points.setdefault(point.input, {})
            points[point.in_channel, point.out_channel] = self._gains[point]

    def _routes(self, lane: _Lane, blocks: Sequence[Samples], wanted: int, position: int) -> Sequence[_Route]:
        """What goes into an output. Once no gain moves any more it stays the same until a change."""
        if lane.settled is not None:
            return lane.settled
        routes = []
        for index, gains in sorted(lane.points.items()):
            points = [_OpenPoint(ic, oc, gain.constant(position), gain) for (ic, oc), gain in gains.items()]
            given = blocks[index].shape[1]
            is_square = given == wanted == len(points)
            is_straight = is_square and all(p.in_channel == p.out_channel and p.factor == 1 for p in points)
            routes.append(_Route(index, is_straight, [p for p in points if p.factor != 0]))
        if all(p.factor is not None for route in routes for p in route.points):
            lane.settled = routes
        return routes

    def _add_points(
        self, points: Sequence[_OpenPoint], block: Samples, result: Samples, position: int
    ) -> None:
        part = self._part[: len(block)]
        for in_channel, out_channel, factor, gain in points:
            column: Samples = block[:, in_channel]
            if factor is None:
                ramp = self._ramp[: len(block)]
                gain.fill(position, ramp)
                column = np.multiply(column, ramp, out=part)
            elif factor != 1.0:
                column = np.multiply(column, np.float32(factor), out=part)
            np.add(result[:, out_channel], column, out=result[:, out_channel])

    def _apply(self, gain: Gain, block: Samples, position: int) -> None:
        constant = gain.constant(position)
        if constant is None:
            ramp = self._ramp[: len(block)]
            gain.fill(position, ramp)
            np.multiply(block, ramp[:, np.newaxis], out=block)
        elif constant != 1.0:
            np.multiply(block, np.float32(constant), out=block)


class _OpenPoint(NamedTuple):
    """A crosspoint at one position; ``factor`` is None while its gain moves."""

    in_channel: int
    out_channel: int
    factor: float | None
    gain: Gain


class _Route(NamedTuple):
    """What one input gives to an output; ``is_straight``: each channel as it is to its own number."""

    input: int
    is_straight: bool
    points: Sequence[_OpenPoint]


class _Lane:
    """One output: its level, its crosspoints by input, and its routes if no gain of them moves."""

    __slots__ = ("level", "points", "settled")

    def __init__(self, level: Gain) -> None:
        self.level = level
        self.points: dict[int, dict[tuple[int, int], Gain]] = {}
        self.settled: Sequence[_Route] | None = None


def _setting(level: Level) -> Setting:
    return Setting(1.0 if level.level is None else level.level, level.ramp_ms or 0)
