"""The same packets under another roof: derived streams whose codec is their source's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from jobengine.contents.look_up import pts_of
from jobengine.media.codec_setup import parameters_of
from jobengine.media.coded_pictures import Coded
from jobengine.model.element import ElementKind
from jobengine.model.media_reference import Direct
from jobengine.worker.convert.derived.derivation import Derivation
from jobengine.worker.convert.derived.filling import Filling
from jobengine.worker.convert.derived.times import LeadingTimes

Json = Any
_SHAPING = ("name", "width", "height", "format", "sample_rate", "channels", "bit_rate")


def is_packed(derivation: Derivation) -> bool:
    """Whether packets can stay as they are: what the stream says of its codec, its source says too."""
    (given, *others), ours = derivation.inputs, parameters_of(derivation.stream)
    theirs = parameters_of(given.source.stream)
    is_same = all(ours.get(name) in (None, theirs.get(name)) for name in _SHAPING)
    return is_same and not others and given.channel is None and derivation.graph is None


class PackedMaker:
    """Copies packets, with their times in ticks of the stream."""

    def __init__(self, derivation: Derivation, filling: Filling) -> None:
        self._times = LeadingTimes(derivation, filling)
        self._filling = filling
        self.moments = self._times.moments
        self.following = self._times.following
        self.complete = self._times.at
        self.learnt: dict[str, Json] = dict(parameters_of(derivation.inputs[0].source.stream))
        """What the ``codecpar`` of the stream need not say itself."""

    def unit(self, wanted: Direct) -> str:
        """Each is made by itself."""
        return str(wanted)

    def make(self, wanted: Direct, ahead: int) -> Iterator[Coded]:
        """The packet and up to ``ahead`` further ones; nothing where the source has nothing."""
        times = self._times
        first, end = (times.to_source(pts) for pts in times.stretch(wanted, ahead))
        if first == end:
            return
        for item in times.source.loaded(self._filling.listed(times.source, first, end)):
            element = item.stored.element
            if element.kind is ElementKind.PACKET:
                moved = msgspec.structs.replace(
                    element,
                    pts=times.to_target(pts_of(item.stored)),
                    dts=None if element.dts is None else times.to_target(element.dts),
                    duration=times.length(element.duration),
                    element_id=b"",
                )
                yield moved, self._filling.filled(times.source, item).planes or ()
