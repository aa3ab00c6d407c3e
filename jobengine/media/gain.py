"""A gain that can move: steps and linear ramps, exact to the sample."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
"""Float32, full scale ±1; blocks have the shape (samples, channels)."""


class Gain:
    """A linear factor over the stream clock.

    A change made at N has the old value at N and the new one at N + length, so the first changed sample
    of a ramp is N + 1; without a ramp it is N.
    """

    __slots__ = ("_length", "_origin", "_start", "_target")

    def __init__(self, value: float) -> None:
        self._start = self._target = float(value)
        self._origin = self._length = 0

    def change(self, target: float, position: int, length: int) -> None:
        """Go to ``target`` in ``length`` samples from ``position`` on, from whatever the value is then."""
        self._start = self.at(position)
        self._target, self._origin, self._length = float(target), position, length

    def at(self, position: int) -> float:
        """The value at sample ``position``."""
        passed = position - self._origin
        if passed >= self._length:
            return self._target
        return self._start + (self._target - self._start) * (passed / self._length)

    def constant(self, position: int) -> float | None:
        """The value if it no longer moves from ``position`` on; None while it does."""
        is_settled = position - self._origin >= self._length or self._start == self._target
        return self._target if is_settled else None

    def fill(self, position: int, into: Samples) -> None:
        """Write the values of the samples from ``position`` on into the one-dimensional ``into``."""
        moving = min(max(self._origin + self._length - position, 0), len(into))
        if moving:
            passed = np.arange(position - self._origin, position - self._origin + moving, dtype=np.float64)
            into[:moving] = self._start + (self._target - self._start) * (passed / self._length)
        into[moving:] = self._target
