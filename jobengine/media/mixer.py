"""Sums inputs into outputs. Levels and crosspoints are `Gain`s; all arithmetic is float32, sample by sample.

No matrix product: its sums depend on the block length in the last bit, and a cut must change nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

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
        self._lanes = [_Lane(port.channels, block_samples) for port in outputs]
        self._ramp = np.empty(block_samples, np.float32)
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
        self._apply(self._gains[("input", index)], block, position)

    def mix(self, output: int, blocks: Sequence[Samples], position: int) -> Samples:
        """The mix for one output of ``blocks``, one per input; valid until the next call."""
        lane = self._lanes[output]
        result = lane.mix[: len(blocks[0])]
        is_fresh = True
        for index, block in enumerate(blocks):
            points = lane.points.get(index, {})
            if self._is_straight(points, block.shape[1], result.shape[1], position):
                np.copyto(result, block) if is_fresh else np.add(result, block, out=result)
            elif points:
                if is_fresh:
                    result[:] = 0
                self._add_points(points, block, result, lane, position)
            else:
                continue
            is_fresh = False
        if is_fresh:
            result[:] = 0
        self._apply(self._gains[("output", output)], result, position)
        return result

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
            lane.points = {}
        for point in sorted(key for key in self._gains if isinstance(key, Point)):
            points = self._lanes[point.output].points.setdefault(point.input, {})
            points[point.in_channel, point.out_channel] = self._gains[point]

    def _is_straight(
        self, points: dict[tuple[int, int], Gain], given: int, wanted: int, position: int
    ) -> bool:
        return given == wanted == len(points) and all(
            ic == oc and gain.constant(position) == 1.0 for (ic, oc), gain in points.items()
        )

    def _add_points(
        self, points: dict[tuple[int, int], Gain], block: Samples, result: Samples, lane: _Lane, position: int
    ) -> None:
        part = lane.part[: len(block)]
        for (ic, oc), gain in points.items():
            constant = gain.constant(position)
            if constant == 0.0:
                continue
            column: Samples = block[:, ic]
            if constant is None:
                ramp = self._ramp[: len(block)]
                gain.fill(position, ramp)
                column = np.multiply(column, ramp, out=part)
            elif constant != 1.0:
                column = np.multiply(column, np.float32(constant), out=part)
            np.add(result[:, oc], column, out=result[:, oc])

    def _apply(self, gain: Gain, block: Samples, position: int) -> None:
        constant = gain.constant(position)
        if constant is None:
            ramp = self._ramp[: len(block)]
            gain.fill(position, ramp)
            np.multiply(block, ramp[:, np.newaxis], out=block)
        elif constant != 1.0:
            np.multiply(block, np.float32(constant), out=block)


class _Lane:
    """One output's buffers and its crosspoints by input."""

    def __init__(self, channels: int, block_samples: int) -> None:
        self.mix = np.empty((block_samples, channels), np.float32)
        self.part = np.empty(block_samples, np.float32)
        self.points: dict[int, dict[tuple[int, int], Gain]] = {}


def _setting(level: Level) -> Setting:
    return Setting(1.0 if level.level is None else level.level, level.ramp_ms or 0)
