"""Which input channel goes to which output channel, and how loud: the matrix, or the default routing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from jobengine.errors import MediaError
from jobengine.media.layout import default_layout, is_placed, mix_coefficients
from jobengine.model.pipe import Crosspoint, Mixer

_MAX_PLACED = 8


@dataclass(frozen=True, slots=True)
class Port:
    """One end of the mixer: a graph's name, its channels and their layout."""

    name: str
    channels: int
    layout: str


class Point(NamedTuple):
    """One crosspoint by index."""

    input: int
    in_channel: int
    output: int
    out_channel: int


class Setting(NamedTuple):
    """What a gain shall be and in which time."""

    gain: float
    ramp_ms: int


def output_channels(asked: int | None, name: str, inputs: Sequence[Port], mixer: Mixer | None) -> int:
    """The channels of an output: as asked, else as far as the matrix goes, else as the widest input."""
    if asked:
        return asked
    used = [point.out_channel or 0 for point in _matrix(mixer) if point.output == name]
    return max(used) + 1 if used else max(port.channels for port in inputs)


def route(mixer: Mixer | None, inputs: Sequence[Port], outputs: Sequence[Port]) -> Mapping[Point, Setting]:
    """Every open crosspoint. Raises MediaError where the default routing would be a guess."""
    matrix = _matrix(mixer)
    if matrix:
        return dict(_posted(point, inputs, outputs) for point in matrix)
    return {
        point: Setting(gain, 0)
        for o, output in enumerate(outputs)
        for i, source in enumerate(inputs)
        for point, gain in _default(i, source, o, output).items()
    }


def _matrix(mixer: Mixer | None) -> Sequence[Crosspoint]:
    return (mixer.matrix if mixer else None) or ()


def _posted(point: Crosspoint, inputs: Sequence[Port], outputs: Sequence[Port]) -> tuple[Point, Setting]:
    i = next(index for index, port in enumerate(inputs) if port.name == point.input)
    o = next(index for index, port in enumerate(outputs) if port.name == point.output)
    in_channel, out_channel = point.in_channel or 0, point.out_channel or 0
    for port, channel in ((inputs[i], in_channel), (outputs[o], out_channel)):
        if channel >= port.channels:
            raise MediaError(
                f"the matrix uses channel {channel} of {port.name!r}, which has {port.channels} from 0"
            )
    gain = 1.0 if point.gain is None else point.gain
    return Point(i, in_channel, o, out_channel), Setting(gain, point.ramp_ms or 0)


def _default(i: int, source: Port, o: int, output: Port) -> dict[Point, float]:
    if source.channels == output.channels:
        return {Point(i, channel, o, channel): 1.0 for channel in range(source.channels)}
    if source.channels == 1:
        return {Point(i, 0, o, channel): 1.0 for channel in range(output.channels)}
    if not is_placed(source.layout) or output.channels > _MAX_PLACED:
        raise MediaError(
            f"{source.channels} channels of {source.name!r} to {output.channels} of {output.name!r} "
            "is ambiguous: nothing says which channel is which; give a mixer matrix"
        )
    coefficients = mix_coefficients(source.layout, output.channels)
    return {
        Point(i, ic, o, oc): float(coefficients[ic, oc])
        for ic in range(source.channels)
        for oc in range(output.channels)
        if coefficients[ic, oc]
    }


def output_layout(name: str, channels: int, inputs: Sequence[Port], mixer: Mixer | None) -> str:
    """The places of an output's channels: a sole input's, FFmpeg's for mixes, none under a wide matrix."""
    if channels > 2 and _matrix(mixer):
        return f"{channels} channels"
    same = {port.layout for port in inputs if port.channels == channels}
    return same.pop() if len(same) == 1 and len(inputs) == 1 else default_layout(channels)
