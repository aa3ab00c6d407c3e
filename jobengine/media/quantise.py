"""Float samples to 16 or 24 bit integers: rounded to the nearest even, clipped, no dither.

The same as FFmpeg does, so results can be compared bit for bit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from jobengine.media.gain import Samples

Integers = NDArray[np.int16] | NDArray[np.int32]


class Quantiser:
    """Holds its buffers."""

    def __init__(self, resolution_bit: int, channels: int, block_samples: int) -> None:
        scale = 2 ** (resolution_bit - 1)
        self._scale, self._least, self._most = (np.array(v, np.float32) for v in (scale, -scale, scale - 1))
        self._float = np.empty((block_samples, channels), np.float32)
        self._integer = np.empty((block_samples, channels), np.int16 if resolution_bit == 16 else np.int32)

    def integers(self, block: Samples, into: Integers | None = None) -> Integers:
        """Right-aligned integers of ``block``, in the same shape.

        They are put ``into`` what is given, or else into a buffer that is valid until the next call.
        """
        scaled = self._float[: len(block)]
        result = self._integer[: len(block)] if into is None else into
        np.multiply(block, self._scale, out=scaled)
        scaled.clip(self._least, self._most, out=scaled)
        np.rint(scaled, out=scaled)
        result[...] = scaled
        return result
