"""Puts pieces of decoded sound in their exact places on a line of samples; what is missing is silence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

Block = NDArray[Any]
MAX_HOLES = 100
_JITTER_S = Fraction(1, 50)
_SILENCE_SAMPLES = 48_000


@dataclass(frozen=True, slots=True)
class Hole:
    """A stretch without sound, in samples of the line; the end is exclusive."""

    begin: int
    end: int


class SoundLine:
    """Gives out what lies from ``first`` (None: the first piece) to ``end`` (exclusive, None: open).

    Times of packets jitter, so a piece within 20 ms of its place follows seamlessly, and so does one that
    steps back. ``holes`` are the first `MAX_HOLES` stretches of silence, ``hole_count`` is all of them.
    """

    def __init__(self, rate: int, first: int | None, end: int | None) -> None:
        self._jitter = int(rate * _JITTER_S)
        self._end = end
        self._has_begun = False
        self.holes: list[Hole] = []
        self.hole_count = 0
        self.position = first
        """The next sample to be given out; None before the first piece."""

    def put(self, samples: Block, place: int | None) -> Iterator[Block]:
        """The blocks that a piece makes, of shape (samples, channels); ``place`` None: where it is due."""
        at = self._settle(place)
        if self.position is None or at > self.position:
            yield from self.silence(at, samples.shape[1], samples.dtype)
        begin = at if self.position is None else self.position
        stop = len(samples) if self._end is None else min(len(samples), self._end - at)
        if begin - at < stop:
            self._has_begun = True
            self.position = at + stop
            yield samples[begin - at : stop]

    def silence(self, end: int, channels: int, kind: Any) -> Iterator[Block]:
        """Silence up to ``end``."""
        if self._end is not None:
            end = min(end, self._end)
        if self.position is not None and self.position < end:
            self._note(self.position, end)
        while self.position is not None and self.position < end:
            count = min(end - self.position, _SILENCE_SAMPLES)
            self._has_begun = True
            self.position += count
            yield np.zeros((count, channels), kind)

    @property
    def is_full(self) -> bool:
        """Whether everything up to the end was given out."""
        return self._end is not None and self.position is not None and self.position >= self._end

    def _note(self, begin: int, end: int) -> None:
        if self.holes and self.holes[-1].end == begin:
            self.holes[-1] = Hole(self.holes[-1].begin, end)
            return
        self.hole_count += 1
        if len(self.holes) < MAX_HOLES:
            self.holes.append(Hole(begin, end))

    def _settle(self, place: int | None) -> int:
        if self.position is None:
            return place or 0
        if place is None:
            return self.position
        if self._has_begun and place <= self.position + self._jitter:
            return self.position
        return place
