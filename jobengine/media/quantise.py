"""Float samples to 16 or 24 bit integers: rounded to the nearest even, clipped, no dither.

The same as FFmpeg does, so results can be compared bit for bit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from jobengine.media.gain import Samples

Integers = NDArray[np.int16] | NDArray[np.int32]


class Quantiser:
    """Holds its buffers; what it returns is valid until the next call."""

    def __init__(self, resolution_bit: int, channels: int, block_samples: int) -> None:
        self._scale = np.float32(2 ** (resolution_bit - 1))
        self._float = np.empty((block_samples, channels), np.float32)
        self._integer = np.empty((block_samples, channels), np.int16 if resolution_bit == 16 else np.int32)

    def integers(self, block: Samples) -> Integers:
        """Right-aligned integers of ``block``, in the same shape."""
        scaled, result = self._float[: len(block)], self._integer[: len(block)]
        np.multiply(block, self._scale, out=scaled)
        np.rint(scaled, out=scaled)
        np.maximum(scaled, -self._scale, out=scaled)
        np.minimum(scaled, self._scale - 1, out=scaled)
        np.copyto(result, scaled, casting="unsafe")
        return result
