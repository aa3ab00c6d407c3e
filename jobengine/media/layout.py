"""Channel layouts: FFmpeg's names, WAVE masks, and FFmpeg's own down- and up-mix coefficients."""

from __future__ import annotations

from functools import cache

import av
import numpy as np
from numpy.typing import NDArray

_DEFAULT_NAMES = ("mono", "stereo", "2.1", "4.0", "5.0", "5.1", "6.1", "7.1")
_MASK_ORDER = (
    *("FL", "FR", "FC", "LFE", "BL", "BR", "FLC", "FRC", "BC"),
    *("SL", "SR", "TC", "TFL", "TFC", "TFR", "TBL", "TBC", "TBR"),
)
_HALF = 1 << 30


def default_layout(channels: int) -> str:
    """FFmpeg's layout for a number of channels; beyond eight the channels have no places."""
    return _DEFAULT_NAMES[channels - 1] if channels <= len(_DEFAULT_NAMES) else f"{channels} channels"


def places_of(layout: str) -> str:
    """``layout`` as people mean it: one or two channels without named places are mono or stereo."""
    return {"1 channels": "mono", "2 channels": "stereo"}.get(layout, layout)


def is_placed(layout: str) -> bool:
    """Whether the channels of ``layout`` stand for places such as left and right."""
    return not layout.endswith(" channels")


def wave_mask(layout: str) -> int:
    """The channel mask of a WAVE header (bit 0 is front left); 0 where places are unknown."""
    if not is_placed(layout):
        return 0
    names = [channel.name for channel in av.AudioLayout(layout).channels]
    if any(name not in _MASK_ORDER for name in names):
        return 0
    return sum(1 << _MASK_ORDER.index(name) for name in names)


@cache
def mix_coefficients(source: str, channels: int) -> NDArray[np.float32]:
    """What libswresample makes of ``source`` in ``channels`` channels, in the shape (input, output).

    It is asked with one impulse per input channel; as integers, because only then it normalises so that
    nothing clips. The layout must be placed and ``channels`` at most 8.
    """
    count = av.AudioLayout(source).nb_channels
    impulses = (np.eye(count, dtype=np.int32) * _HALF).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(impulses, format="s32", layout=source)
    frame.sample_rate = 48_000
    resampler = av.AudioResampler(format="s32", layout=default_layout(channels), rate=48_000)
    parts = [part.to_ndarray() for part in (*resampler.resample(frame), *resampler.resample(None))]
    answer: NDArray[np.float32] = np.concatenate(parts, axis=1).astype(np.float32)
    return answer.reshape(-1, channels)[:count] / np.float32(_HALF)
