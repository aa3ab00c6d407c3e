"""Makes the sound of a derived stream: decoded, channels picked and put side by side, mixed down, encoded.

Elements lie on the grid of `jobengine.media.coded_sound` and are made in runs, so that what was made apart
fits together without a click.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from math import ceil, floor
from typing import Any

import numpy as np

from jobengine.contents.look_up import pts_of
from jobengine.errors import MediaError
from jobengine.media.coded_pictures import Coded
from jobengine.media.coded_sound import BEHIND, SoundForm
from jobengine.media.filtering import filtered_sound
from jobengine.media.gain import Samples
from jobengine.media.layout import default_layout, is_placed, mix_coefficients, places_of
from jobengine.media.sound_span import SoundSpan, sound_between
from jobengine.model.element import ElementKind, StoredElement
from jobengine.model.media_reference import Direct
from jobengine.worker.convert.derived.derivation import Derivation, Input
from jobengine.worker.convert.derived.filling import Filling

Json = Any
RUN = Fraction(2)
"""Seconds of sound that are made at once, about."""
_LEAD = Fraction(1, 2)
"""Seconds of sound that decoders, and filters, get before what is wanted."""
_MOST_MIXED = 8


class SoundMaker:
    """Makes elements of one stream of sound."""

    def __init__(self, derivation: Derivation, filling: Filling, kind: ElementKind) -> None:
        self._derivation = derivation
        self._filling = filling
        self._leader = derivation.inputs[0]
        self._form = SoundForm(derivation.stream, self._leader.source.stream, kind)
        self._grid = self._form.grid
        self._per_run = max(1, floor(RUN * self._grid.rate / self._grid.size))
        self.learnt: dict[str, Json] = self._form.learnt
        """What was found out for the ``codecpar`` of the stream."""

    def unit(self, wanted: Direct) -> str:
        """What is made together with ``wanted``: the same for all of it."""
        return f"run {(self._grid.number(wanted.pts) or 0) // self._per_run}"

    def make(self, wanted: Direct, ahead: int) -> Iterator[Coded]:
        """``wanted`` with the rest of its run; nothing where the source has nothing."""
        number = self._grid.number(wanted.pts)
        if number is None:
            return
        run = number // self._per_run
        numbers = range(run * self._per_run, (run + 1) * self._per_run)
        possible = self._possible(numbers)
        if number not in possible:
            return
        made = self._form.elements(numbers, self._sound(numbers))
        yield from (coded for place, coded in zip(numbers, made, strict=True) if place in possible)

    def following(self, wanted: Direct, count: int) -> list[Direct]:
        """Up to ``count`` next ones that can be made."""
        number = self._grid.number(wanted.pts)
        if number is None:
            return []
        possible = self._possible(range(number + 1, number + 1 + count))
        return [Direct(wanted.kind, self._grid.pts(each)) for each in sorted(possible)]

    def moments(self, first: int, end: int) -> list[int]:
        """The pts from ``first`` to ``end`` (exclusive) that can be made."""
        base = self._derivation.time_base
        numbers = self._possible(self._grid.numbers((first - 1) * base, (end + 1) * base))
        found = [self._grid.pts(number) for number in sorted(numbers)]
        return [pts for pts in found if first <= pts < end]

    def complete(self, kind: ElementKind, at: Fraction) -> Direct | None:
        """The last one for which nothing more is to come, once the source has come to ``at`` seconds."""
        run = floor(at * self._grid.rate / self._grid.size) // self._per_run - 1
        found = self._possible(range(run * self._per_run, (run + 1) * self._per_run))
        return Direct(kind, self._grid.pts(max(found))) if found else None

    def _possible(self, numbers: range) -> set[int]:
        """Those for which a source has sound; of a source that is still growing, all that they need of it."""
        found: set[int] = set()
        for given in self._derivation.inputs:
            found |= self._covered(given, numbers)
        for given in self._derivation.inputs:
            arrived = self._filling.arrived_until(given.source)
            if arrived is not None:
                limit = floor((arrived * given.time_base + given.shift_s) * self._grid.rate)
                found = {each for each in found if (each + 1 + BEHIND) * self._grid.size <= limit}
        base = self._derivation.time_base
        return {each for each in found if self._derivation.contains(self._grid.pts(each) * base)}

    def _covered(self, given: Input, numbers: range) -> set[int]:
        size, tick = self._grid.size, given.time_base * self._grid.rate
        shift = round(given.shift_s * self._grid.rate)
        first = self._grid.sample(numbers.start) - _LEAD * self._grid.rate - shift
        found: set[int] = set()
        end = ceil((numbers.stop * size - shift) / tick)
        for begin, stop in _stretches(self._filling.listed(given.source, floor(first / tick), end)):
            # What an encoder makes of these samples begins by its padding before them.
            behind = stop * tick + shift + self._grid.padding
            touched = range(floor((begin * tick + shift) / size), ceil(behind / size))
            found.update(range(max(touched.start, numbers.start), min(touched.stop, numbers.stop)))
        return found

    def _sound(self, numbers: range) -> Samples:
        """What is to be encoded for these elements."""
        first, end = self._form.first_sample(numbers), self._form.end_sample(numbers)
        derivation = self._derivation
        if derivation.graph is None:
            return self._mixed([self._heard(each, first, end) for each in derivation.inputs])
        lead = floor(_LEAD * self._grid.rate)
        spans = [self._heard(each, first - lead, end) for each in derivation.inputs]
        return filtered_sound(derivation.graph, spans, self._form.layout)[lead:]

    def _heard(self, given: Input, first: int, end: int) -> SoundSpan:
        rate = self._grid.rate
        shift = round(given.shift_s * rate)
        tick = given.time_base * rate
        begin, stop = (first - shift) / tick - _LEAD / given.source_base, (end - shift) / tick
        elements = self._filling.between(given.source, floor(begin), ceil(stop))
        span = sound_between(given.source.stream, elements, self._rate_of(given), first - shift, end - shift)
        samples, layout = span.samples, places_of(span.layout)
        if given.channel is not None:
            samples, layout = samples[:, given.channel : given.channel + 1], "mono"
        return SoundSpan(rate, first, samples, layout)

    def _rate_of(self, given: Input) -> int:
        """How many samples of what is made a second of the source gives. Raises MediaError."""
        rate = self._grid.rate / given.speed
        if rate.denominator != 1:
            speed = f"{given.speed.numerator}/{given.speed.denominator}"
            raise MediaError(
                f"sound of {self._grid.rate} Hz can't go {speed} times as fast: {self._grid.rate} divided by "
                "that is not a whole number"
            )
        return rate.numerator

    def _mixed(self, spans: Sequence[SoundSpan]) -> Samples:
        """All channels side by side; mixed down or up if the stream has another number of them."""
        samples = np.concatenate([span.samples for span in spans], axis=1)
        channels, wanted = samples.shape[1], self._form.channels
        if channels == wanted:
            return samples
        layout = spans[0].layout if len(spans) == 1 else default_layout(channels)
        if not is_placed(layout) or max(channels, wanted) > _MOST_MIXED:
            raise MediaError(f"{channels} channels without places can't be mixed to {wanted}; pick channels")
        mixed: Samples = samples @ mix_coefficients(layout, wanted)
        return mixed


def _stretches(stored_elements: Iterable[StoredElement]) -> Iterator[tuple[int, int]]:
    """Where there is sound, in ticks; what does not say how long it lasts lasts until the next."""
    before: tuple[int, int | None] | None = None
    for stored in stored_elements:
        pts = pts_of(stored)
        if before is not None:
            yield before[0], pts if before[1] is None else before[0] + before[1]
        before = pts, stored.element.duration
    if before is not None:
        yield before[0], before[0] + (before[1] or 1)
